package stack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"tnaml/activities/store"
	"tnaml/deploy/stack"
	"tnaml/deploy/stack/stacktest"
)

func connect(t *testing.T, a stack.Addresses) (client.Client, store.Store) {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: a.Temporal, Namespace: a.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s, err := store.OpenS3(t.Context(), store.S3Config{
		Endpoint: a.S3Endpoint, Bucket: "lifecycle", Region: a.S3Region,
		AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey, CreateBucket: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// What was written is there after an orderly stop and after a crash, at the
// same addresses.
func TestLifecycle(t *testing.T) {
	dir := t.TempDir()
	if _, err := stack.Attach(dir); !errors.Is(err, stack.ErrNotRunning) {
		t.Errorf("nothing runs yet: %v", err)
	}
	first := stacktest.Start(t, dir)
	a := first.Addresses()
	attached, err := stack.Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if *attached != a {
		t.Errorf("attached to %v, started %v", attached, a)
	}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v", a, a, a), fmt.Sprint(*attached)} {
		if strings.Contains(s, a.S3SecretKey) {
			t.Error("the addresses print the secret")
		}
	}
	if b, err := json.Marshal(a); err != nil || strings.Contains(string(b), a.S3SecretKey) {
		t.Error("the addresses encode the secret")
	}
	if _, err := stack.Start(t.Context(), stack.Options{Dir: dir, Cache: cache(t)}); !errors.Is(err, stack.ErrHeld) {
		t.Errorf("a second stack on the directory: %v", err)
	}

	var refs []store.Ref
	for i, end := range []func(*stack.Stack){(*stack.Stack).Close, (*stack.Stack).Kill, (*stack.Stack).Close} {
		c, s := connect(t, a)
		ref, err := s.Put(t.Context(), fmt.Appendf(nil, "blob %d", i))
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
		for _, ref := range refs {
			if _, err := s.Get(t.Context(), ref); err != nil {
				t.Errorf("after %d restarts: %v", i, err)
			}
		}
		if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: fmt.Sprintf("w%d", i), TaskQueue: "none"}, "Nothing"); err != nil {
			t.Fatal(err)
		}
		for k := range i + 1 {
			if _, err := c.DescribeWorkflowExecution(t.Context(), fmt.Sprintf("w%d", k), ""); err != nil {
				t.Errorf("workflow %d after %d restarts: %v", k, i, err)
			}
		}
		end(first)
		if _, err := stack.Attach(dir); !errors.Is(err, stack.ErrNotRunning) {
			t.Errorf("it has ended: %v", err)
		}
		if i < 2 {
			first = stacktest.Start(t, dir)
			again := first.Addresses()
			if again.Temporal != a.Temporal || again.UI != a.UI || again.S3Endpoint != a.S3Endpoint || again.S3SecretKey != a.S3SecretKey {
				t.Errorf("restarted at %v, was at %v", again, a)
			}
			a = again
		}
	}
}

// A port in use is no obstacle.
func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	state := fmt.Sprintf(`{"temporal":%q,"ui":"http://%s","s3_endpoint":"http://%s"}`, l.Addr(), l.Addr(), l.Addr())
	if err := os.WriteFile(filepath.Join(dir, "stack.json"), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	a := stacktest.Start(t, dir).Addresses()
	connect(t, a)
	if a.Temporal == l.Addr().String() {
		t.Error("it took a port that is in use")
	}
}

func TestDirectoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Start(t.Context(), stack.Options{Dir: file, Cache: cache(t)}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}

func TestMissingBinary(t *testing.T) {
	t.Setenv(stack.BinaryEnv, "/nowhere/devstack")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := stack.Start(ctx, stack.Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), stack.BinaryEnv) {
		t.Errorf("%v", err)
	}
}

func cache(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "tnaml")
}
