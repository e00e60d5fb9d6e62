package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"tnaml/deploy/stack"
)

// flags > environment > file > defaults, for every type of setting.
func TestPrecedence(t *testing.T) {
	type layers struct{ file, env, flag bool }
	for _, c := range []struct {
		layers
		bucket string
		slots  int
		tls    bool
	}{
		{layers{}, "tnaml", 0, true},
		{layers{file: true}, "of-file", 1, false},
		{layers{file: true, env: true}, "of-env", 2, true},
		{layers{env: true}, "of-env", 2, true},
		{layers{file: true, env: true, flag: true}, "of-flag", 3, false},
		{layers{flag: true}, "of-flag", 3, false},
	} {
		t.Run(fmt.Sprintf("%+v", c.layers), func(t *testing.T) {
			t.Chdir(t.TempDir())
			if c.file {
				write(t, "tnaml.yaml", "s3: {bucket: of-file, tls: false}\nworker:\n  slots: 1\n")
			}
			var environ []string
			if c.env {
				environ = []string{"TNAML_S3_BUCKET=of-env", "TNAML_S3_TLS=true", "TNAML_WORKER_SLOTS=2"}
			}
			flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
			Flags(flags, "")
			if c.flag {
				if err := flags.Parse([]string{"--s3-bucket=of-flag", "--s3-tls=false", "--slots=3"}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Load(flags, environ)
			if err != nil {
				t.Fatal(err)
			}
			if got.S3.Bucket != c.bucket || got.Worker.Slots != c.slots || got.S3.TLS != c.tls {
				t.Errorf("bucket %q, slots %d, tls %v", got.S3.Bucket, got.Worker.Slots, got.S3.TLS)
			}
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBadInput(t *testing.T) {
	t.Chdir(t.TempDir())
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Flags(flags, "")
	if err := flags.Parse([]string{"--config=nowhere.yaml"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(flags, nil); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
	for _, c := range []struct {
		file string
		want []string
	}{
		{"s3: {buckt: x}\ncolour: red\n", []string{"tnaml.yaml: line 1: unknown s3.buckt", "s3.bucket", "line 2: unknown colour"}},
		{"s3: [\n", []string{"tnaml.yaml: line"}},
		{"worker: {slots: -1, cache_mb: 0, disk_cache_mb: -2}\nlog_level: loud\n",
			[]string{"worker.slots is -1", "worker.cache_mb is 0", "worker.disk_cache_mb is -2", `"loud"`}},
		{"s3: {access_key: x}\n", []string{"go together"}},
		{"worker: {slots: many}\n", []string{"worker.slots"}},
		{"s3: {bucket: 2024, tls: perhaps}\nworker:\n  slots: two\n  cache_mb: 1.5\ntemporal: here\n",
			[]string{"line 1: s3.bucket must be a text", "line 1: s3.tls must be true or false", "line 3: worker.slots must be a whole number",
				"line 4: worker.cache_mb", "line 5: temporal holds settings: temporal.address"}},
		{"- a\n", []string{"line 1: settings are expected"}},
		{"worker: {slots: 99999999999999}\n", []string{"line 1: worker.slots"}},
	} {
		write(t, "tnaml.yaml", c.file)
		_, err := Load(nil, nil)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %q is not in: %v", c.file, want, err)
			}
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load(nil, []string{"TNAML_S3_ACCESS_KEY=acc3ss", "TNAML_S3_SECRET_KEY=s3cret", "TNAML_S3_SESSION_TOKEN=t0ken"})
	if err != nil {
		t.Fatal(err)
	}
	if c.S3.SecretKey != "s3cret" {
		t.Error("the secret was not read")
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v", c, *c, *c) + string(b); strings.Contains(s, "s3cret") || strings.Contains(s, "t0ken") {
		t.Error(s)
	}
}

func TestNoServers(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	environ := []string{"TNAML_DATA_DIR=" + filepath.Join(dir, "data"), "TEMPORAL_CONFIG_FILE=" + filepath.Join(dir, "none.toml")}
	c, err := Load(nil, environ)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Connect(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "starter up") {
		t.Errorf("%v", err)
	}
	if c, err = Load(nil, append(environ, "TEMPORAL_ADDRESS=host:7233")); err != nil {
		t.Fatal(err)
	}
	if external, err := c.External(); !external || err != nil {
		t.Errorf("TEMPORAL_ADDRESS is set: %v, %v", external, err)
	}
	if _, err := c.Connect(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "TNAML_S3_ENDPOINT") {
		t.Errorf("no S3 server: %v", err)
	}
}

func TestBadEnvironmentIsReportedTogether(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := Load(nil, []string{"TNAML_WORKER_SLOTS=x", "TNAML_S3_TLS=perhaps"})
	for _, want := range []string{`TNAML_WORKER_SLOTS is "x"`, `TNAML_S3_TLS is "perhaps"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// Numbers of the file are decimal, and what is left empty is as if it were not there.
func TestFileOfNumbers(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "tnaml.yaml", "worker: {slots: 010, cache_mb: }\ntemporal:\n")
	if c, err := Load(nil, nil); err != nil || c.Worker.Slots != 10 || c.Worker.CacheMB != 2048 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A variable that looks like a setting, and is none, is named.
func TestUnknownVariables(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load(nil, []string{"TNAML_BUCKET=x", "TNAML_S3_BUCKET=y", "TNAML_TEST_STACK_DIR=z", stack.BinaryEnv + "=b", "HOME=/"})
	if err != nil || len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "TNAML_BUCKET is set, and is no setting") {
		t.Errorf("%+v, %v", c, err)
	}
}
