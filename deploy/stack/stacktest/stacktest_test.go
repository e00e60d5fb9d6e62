package stacktest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tnaml/deploy/stack"
)

// Tests that have too little time for a first build say what to run, while they still can.
func TestCold(t *testing.T) {
	quiet := func(string) {}
	t.Setenv(stack.BinaryEnv, "")
	bin := t.TempDir() // a toolchain that never ends, however fast the machine
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\nexec sleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	began := time.Now()
	err := prebuilt(t.TempDir(), began.Add(2*time.Second), true, quiet)
	if err == nil || !strings.Contains(err.Error(), "go run ./deploy/stack/prebuild") || time.Since(began) > 30*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	t.Setenv(stack.BinaryEnv, "/bin/true")
	if err := prebuilt(t.TempDir(), began, true, quiet); err != nil {
		t.Errorf("a program is given: %v", err)
	}
}
