//go:build unix

package command

import (
	"os"
	"os/exec"
	"syscall"
)

// signalGroup sends a signal to a program and all that it has started.
func signalGroup(cmd *exec.Cmd, kill bool) {
	s := syscall.SIGTERM
	if kill {
		s = syscall.SIGKILL
	}
	_ = syscall.Kill(-cmd.Process.Pid, s)
}

// killedBy is the signal that ended a program, and whether it is one that comes from
// outside: from the machine, or from who looks after it.
func killedBy(state *os.ProcessState) (signal string, outside bool) {
	ws, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !ws.Signaled() {
		return "", false
	}
	switch s := ws.Signal(); s {
	case syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT:
		return s.String(), true
	default:
		return s.String(), false
	}
}

// lock takes a file, until the process ends; false: another one has it.
func lock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
