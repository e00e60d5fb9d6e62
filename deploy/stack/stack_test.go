package stack_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"tnaml/activities/store"
	"tnaml/deploy/stack"
	"tnaml/deploy/stack/stacktest"
	"tnaml/workflows"
)

// parentEnv makes the test program start a stack on a directory, say so, and
// wait; its value is the kind of stack.
const (
	parentEnv = "STACK_TEST_PARENT"
	parentDir = "STACK_TEST_DIR"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(parentEnv); kind != "" {
		cache, err := stack.TestCache()
		if err == nil {
			_, err = stack.Start(context.Background(), stack.Options{
				Dir: os.Getenv(parentDir), Cache: cache, AnyPorts: true, Detached: kind == "detached",
			})
		}
		fmt.Println("started", err)
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

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
	s := stacktest.Start(t, dir)
	a := s.Addresses()
	attached, err := stack.Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if *attached != a {
		t.Errorf("attached to %v, started %v", attached, a)
	}
	if _, err := stack.Start(t.Context(), stack.Options{Dir: dir, Cache: cache(t)}); !errors.Is(err, stack.ErrHeld) ||
		!strings.Contains(err.Error(), fmt.Sprint(a.PID)) {
		t.Errorf("a second stack on the directory: %v", err)
	}

	var refs []store.Ref
	for i, end := range []func(*stack.Stack){(*stack.Stack).Kill, (*stack.Stack).Close} {
		c, objects := connect(t, a)
		ref, err := objects.Put(t.Context(), fmt.Appendf(nil, "blob %d", i))
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
		for _, ref := range refs {
			if _, err := objects.Get(t.Context(), ref); err != nil {
				t.Errorf("after %d restarts: %v", i, err)
			}
		}
		if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: fmt.Sprintf("w%d", i), TaskQueue: "none"},
			"Nothing"); err != nil {
			t.Fatal(err)
		}
		for k := range i + 1 {
			if _, err := c.DescribeWorkflowExecution(t.Context(), fmt.Sprintf("w%d", k), ""); err != nil {
				t.Errorf("workflow %d after %d restarts: %v", k, i, err)
			}
		}
		if err := s.Err(); err != nil {
			t.Errorf("it runs, and has an error: %v", err)
		}
		end(s)
		select {
		case <-s.Done():
		default:
			t.Error("it has ended, and is not done")
		}
		if s.Err() == nil {
			t.Error("it has ended for no reason")
		}
		s.Close() // again: does nothing
		if _, err := stack.Attach(dir); !errors.Is(err, stack.ErrNotRunning) {
			t.Errorf("it has ended: %v", err)
		}
		if i == 0 {
			s = stacktest.Start(t, dir)
			again := s.Addresses()
			if again.Temporal != a.Temporal || again.UI != a.UI || again.S3Endpoint != a.S3Endpoint || again.S3SecretKey != a.S3SecretKey {
				t.Errorf("restarted at %v, was at %v", again, a)
			}
			a = again
		}
	}
}

// The stack registers the search attributes that the workflows set.
func TestSearchAttributes(t *testing.T) {
	a := stacktest.Shared(t)
	c, _ := connect(t, a)
	there, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: a.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	custom := there.GetCustomAttributes()
	for _, key := range workflows.SearchAttributes() {
		if got, ok := custom[key.GetName()]; !ok || got != key.GetValueType() {
			t.Errorf("%s is %v, want %v: deploy/devstack and workflows differ", key.GetName(), got, key.GetValueType())
		}
		delete(custom, key.GetName())
	}
	if len(custom) > 0 {
		t.Errorf("no workflow sets %v", custom)
	}
}

// A stack ends with whoever started it, in good order; a detached one does not.
func TestParentIsKilled(t *testing.T) {
	for _, kind := range []string{"child", "detached"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			skipOrBuild(t)
			parent := exec.Command(os.Args[0])
			parent.Env = append(os.Environ(), parentEnv+"="+kind, parentDir+"="+dir)
			parent.Stderr = os.Stderr
			stdout, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil || line != "started <nil>\n" {
				t.Errorf("%q, %v", line, err)
			}
			a, attachErr := stack.Attach(dir)
			if a != nil {
				t.Cleanup(func() { _ = syscall.Kill(a.PID, syscall.SIGKILL) })
			}
			_ = parent.Process.Kill()
			_ = parent.Wait()
			if attachErr != nil {
				t.Fatal(attachErr)
			}
			if kind == "detached" {
				time.Sleep(500 * time.Millisecond)
				if _, err := stack.Attach(dir); err != nil {
					t.Errorf("it ended with its parent: %v", err)
				}
				if err := syscall.Kill(a.PID, syscall.SIGTERM); err != nil {
					t.Error(err)
				}
			}
			waitGone(t, dir)
			var state struct{ PID int }
			if b, err := os.ReadFile(filepath.Join(dir, "stack.json")); err != nil || json.Unmarshal(b, &state) != nil || state.PID != 0 {
				t.Errorf("it did not end in good order: %s %v", b, err)
			}
		})
	}
}

// waitGone waits until a directory's lock is free.
func waitGone(t *testing.T, dir string) {
	t.Helper()
	lock, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the stack goes on")
		}
	}
}

// A temporary stack leaves nothing behind; another stack's answers do not make
// a crashed one's directory look alive.
func TestTemporaryAndStale(t *testing.T) {
	skipOrBuild(t)
	dir := filepath.Join(t.TempDir(), "temporary")
	s, err := stack.Start(t.Context(), stack.Options{Dir: dir, Cache: cache(t), AnyPorts: true, Temporary: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)

	state, err := os.ReadFile(filepath.Join(dir, "stack.json"))
	if err != nil {
		t.Fatal(err)
	}
	stale := t.TempDir()
	for name, content := range map[string][]byte{"stack.json": state, "lock": nil, "credentials.json": []byte(`{"secret_key":"x"}`)} {
		if err := os.WriteFile(filepath.Join(stale, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stack.Attach(stale); !errors.Is(err, stack.ErrNotRunning) {
		t.Errorf("nobody holds %s: %v", stale, err)
	}

	s.Close()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestAttachUsesARunningStack(t *testing.T) {
	s := stacktest.Fresh(t)
	run := exec.Command(os.Args[0], "-test.run=^TestSharedByEnvironment$", "-test.v")
	run.Env = append(os.Environ(), stacktest.DirEnv+"="+s.Addresses().Dir)
	out, err := run.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestSharedByEnvironment") {
		t.Errorf("%v\n%s", err, out)
	}
	select {
	case <-s.Done():
		t.Error("it ended with the tests that used it")
	default:
	}
}

// Run by the test above, in a process of its own.
func TestSharedByEnvironment(t *testing.T) {
	dir := os.Getenv(stacktest.DirEnv)
	if dir == "" {
		t.Skip("TNAML_TEST_STACK_DIR is not set: TestAttachUsesARunningStack sets it")
	}
	a := stacktest.Shared(t)
	if a.Dir != dir || a.Namespace == client.DefaultNamespace {
		t.Errorf("%s with namespace %s", a.Dir, a.Namespace)
	}
	c, _ := connect(t, a)
	if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "w", TaskQueue: "none"}, "Nothing"); err != nil {
		t.Error(err)
	}
}

func TestAddressesHideTheSecret(t *testing.T) {
	const secret = "c0ffee"
	a := stack.Addresses{PID: 1, Temporal: "127.0.0.1:1", S3AccessKey: "me", S3SecretKey: secret}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("stack", "addresses", a, "pointer", &a)
	encoded, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", a, a, a, a), fmt.Sprintf("%v %+v %#v", &a, &a, &a), string(encoded),
		logged.String()} {
		if strings.Contains(s, secret) {
			t.Error(s)
		}
	}
}

func TestBucket(t *testing.T) {
	for _, name := range []string{"x", "Über_alles", strings.Repeat("long", 50)} {
		t.Run(name, func(t *testing.T) {
			a, b := stacktest.Bucket(t), stacktest.Bucket(t)
			if a == b || len(a) < 3 || len(a) > 63 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.Trim(a, "-") != a {
				t.Errorf("%q, %q", a, b)
			}
		})
	}
}

func cache(t *testing.T) string {
	t.Helper()
	dir, err := stack.TestCache()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// skipOrBuild builds the program, so that what comes after is fast, or skips.
func skipOrBuild(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: tests on the dev stack are left out; its first build takes minutes")
	}
	if _, err := stack.BuildBinary(t.Context(), cache(t), func(line string) { t.Log(line) }); err != nil {
		t.Fatal(err)
	}
}
