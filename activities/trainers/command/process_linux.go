package command

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes has a program lead a process group, and die with the worker: of a worker that
// is killed nothing goes on.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
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
