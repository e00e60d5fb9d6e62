package command

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes has a program lead a process group, and die with the worker: of a worker that
// is killed nothing goes on.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// sweeps bounds how often sweep looks for what was started while it looked.
const sweeps = 100

// sweep kills the processes of trials with their directory in one that is given, or that is
// one itself: also those that have left their program's group. They are known by the
// environment that they were started with, which names the directory, as that of nobody
// else does: its name is drawn anew for each attempt. One whose environment was taken away,
// or that runs as another user, is not found.
func sweep(dir string) {
	for again, n := true, 0; again && n < sweeps; n++ {
		again = false
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return
		}
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid == os.Getpid() {
				continue
			}
			if !startedIn(pid, dir) {
				continue
			}
			// It is held, and looked at again: the number may be another's by now.
			p, err := os.FindProcess(pid)
			if err != nil {
				continue
			}
			if startedIn(pid, dir) && p.Signal(syscall.SIGKILL) == nil {
				again = true
			}
			_ = p.Release()
		}
	}
}

// startedIn says that a process was started with a directory of a trial that is one, or in it.
func startedIn(pid int, dir string) bool {
	environ, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ")) // none is empty
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if at, ok := strings.CutPrefix(string(entry), directoryVariable+"="); ok && filepath.IsAbs(dir) {
			return at == dir || strings.HasPrefix(at, dir+string(filepath.Separator))
		}
	}
	return false
}

// limitMemory bounds what each process of a program may allocate.
func limitMemory(cmd *exec.Cmd, bytes int64) error {
	l := unix.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
	return unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, &l, nil)
}

// untilExit waits until a program has ended, and leaves it there: its group's number
// is not given to another one yet.
func untilExit(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}
