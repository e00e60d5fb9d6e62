//go:build !unix

package command

import (
	"os"
	"os/exec"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

func sweep(string) {}

func limitMemory(*exec.Cmd, int64) error { return nil }

func untilExit(*exec.Cmd) {}

// signalGroup kills the program: there are no signals here, and no groups.
func signalGroup(cmd *exec.Cmd, _ bool) { _ = cmd.Process.Kill() }

func killedBy(*os.ProcessState) (signal string, outside bool) { return "", false }

// lock takes nothing: what a process leaves that was killed stays.
func lock(*os.File) bool { return false }
