package serve

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/deploy"
	"tnaml/deploy/stack/stacktest"
	"tnaml/starter/cli/terminal"
)

// Without a terminal a log is told where the token is, and not the token.
func TestTokenStaysOutOfLogs(t *testing.T) {
	var stderr stacktest.Output
	dir := t.TempDir()
	a := app{&terminal.App{Process: terminal.Process{Stderr: &stderr}, Config: &deploy.Config{DataDir: dir}}}
	made, err := a.token("")
	if told := stderr.String(); err != nil || strings.Contains(told, made) || !strings.Contains(told, filepath.Join(dir, "serve-token")) {
		t.Errorf("%v, told %q", err, told)
	}
}

// The token is made once, and shown once to a terminal; one that others can read, or that can be
// guessed, is refused.
func TestToken(t *testing.T) {
	var stderr stacktest.Output
	dir := filepath.Join(t.TempDir(), "data")
	a := app{&terminal.App{Process: terminal.Process{Stderr: &stderr, Terminal: true}, Config: &deploy.Config{DataDir: dir}}}
	made, err := a.token("")
	if err != nil || len(made) < 20 || strings.Count(stderr.String(), made) != 1 {
		t.Fatalf("%q, %v, told %q", made, err, stderr.String())
	}
	info, err := os.Stat(filepath.Join(dir, "serve-token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if again, err := a.token(""); err != nil || again != made || strings.Count(stderr.String(), made) != 1 {
		t.Errorf("%q, %v, told %q", again, err, stderr.String())
	}
	for name, c := range map[string]struct {
		text, want string
		mode       os.FileMode
	}{
		"short": {"abc\n", "at least 16 bytes", 0o600}, "open": {strings.Repeat("x", 30), "chmod 600", 0o644},
		"words": {"some words that are many", "one word", 0o600},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := a.token(file); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Kubernetes gives secrets as root's, to be read by the pod's group.
	secret := filepath.Join(dir, "secret")
	if err := errors.Join(os.WriteFile(secret, []byte(made), 0o600), os.Chmod(secret, 0o440)); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if got, err := a.token(secret); err != nil || got != made {
			t.Errorf("root's for the group: %q, %v", got, err)
		}
		if err := os.Chown(secret, 65532, 65532); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.token(secret); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("another's group can read the token: %v", err)
	}
	if _, err := a.token(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a file that is not there was taken")
	}
}
