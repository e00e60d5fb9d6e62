package serve

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"tnaml/deploy"
	"tnaml/deploy/stack"
	"tnaml/deploy/stack/stacktest"
	"tnaml/starter/cli/terminal"
)

// A stack that goes on talking once it is ready disturbs nobody.
func TestStackThatTalksOn(t *testing.T) {
	name := filepath.Join(t.TempDir(), "devstack")
	script := `#!/bin/sh
printf '{"access_key":"a","secret_key":"b"}' >"$2/credentials.json"
i=0
while [ $i -lt 200 ]; do
	echo "line $i" >&2
	[ $i = 100 ] && echo 'READY {"pid":1,"temporal":"127.0.0.1:1"}'
	i=$((i+1))
done
exec cat
`
	if err := os.WriteFile(name, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv(stack.BinaryEnv, name)
	var stderr stacktest.Output
	a := app{&terminal.App{
		Process: terminal.Process{Stderr: &stderr, Terminal: true, Width: func(io.Writer) int { return 80 }},
		Config:  &deploy.Config{DataDir: t.TempDir()},
	}}
	s, err := a.startStack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := stderr.String()
	s.Close()
	if after := stderr.String(); after != told {
		t.Errorf("told after it was ready: %q", after[len(told):])
	}
}
