package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	nowhere := []string{"TNAML_DATA_DIR=" + t.TempDir(), "TEMPORAL_CONFIG_FILE=/none"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for _, tt := range []struct {
		name string
		args []string
		env  []string
		code int
		want string
	}{
		{"help", []string{"--help"}, nowhere, 0, ""},
		{"unknown flag", []string{"--slot"}, nowhere, exitUsage, "unknown flag: --slot"},
		{"argument", []string{"now"}, nowhere, exitUsage, "now"},
		{"bad number", nil, append([]string{"TNAML_WORKER_SLOTS=x"}, nowhere...), exitUsage, "TNAML_WORKER_SLOTS"},
		{"bad drain", []string{"--drain", "soon"}, nowhere, exitUsage, "worker.drain"},
		{"bad format", []string{"--log-format", "xml"}, nowhere, exitUsage, "text or json"},
		{"bad address", []string{"--metrics", "9464"}, nowhere, exitUsage, "host:port"},
		{"address taken", []string{"--metrics", taken}, nowhere, exitFailed, "another address can be said with --metrics"},
		{"version of nothing", []string{"--build-id", "1"}, nowhere, exitUsage, "worker.deployment"},
		{"no name", []string{"--deployment", "a.b"}, nowhere, exitUsage, "worker.deployment"},
		{"no server", nil, nowhere, exitFailed, "starter up"},
		{"half a configuration", nil, append([]string{"TNAML_TEMPORAL_ADDRESS=127.0.0.1:1"}, nowhere...), exitFailed, "TNAML_S3_ENDPOINT"},
		{"unreachable", nil, append([]string{"TNAML_TEMPORAL_ADDRESS=127.0.0.1:1", "TNAML_S3_ENDPOINT=127.0.0.1:1"}, nowhere...), exitFailed,
			"no Temporal server answers at 127.0.0.1:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), tt.args, tt.env, &stdout, &stderr); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("said %q, want %q", &stderr, tt.want)
			}
			if tt.code == exitUsage && strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("more than a line: %q", &stderr)
			}
		})
	}
}

func TestInterruptedBeforeItCouldConnect(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	env := []string{"TNAML_TEMPORAL_ADDRESS=127.0.0.1:1", "TNAML_S3_ENDPOINT=127.0.0.1:1", "TEMPORAL_CONFIG_FILE=/none",
		"TNAML_DATA_DIR=" + t.TempDir()}
	if code := run(ctx, nil, env, &out, &out); code != 0 {
		t.Errorf("exit code %d: %s", code, &out)
	}
}
