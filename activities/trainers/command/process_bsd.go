//go:build unix && !linux

package command

import (
	"os/exec"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// sweep does nothing: what has left its group is not found here.
func sweep(string) {}

// limitMemory does nothing: the limit of another process cannot be set here.
func limitMemory(*exec.Cmd, int64) error { return nil }

// untilExit does nothing: Wait waits.
func untilExit(*exec.Cmd) {}
