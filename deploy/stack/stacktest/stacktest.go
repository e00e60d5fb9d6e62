// Package stacktest gives tests a real dev stack, and an ear for the programs that they
// run on it.
package stacktest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"tnaml/deploy/stack"
)

// DirEnv names the environment variable with the directory of a running stack
// for Shared to use, in place of one of its own.
const DirEnv = "TNAML_TEST_STACK_DIR"

// buildTimeout allows for a first build.
const buildTimeout = 20 * time.Minute

var shared struct {
	once      sync.Once
	addresses stack.Addresses
	stack     *stack.Stack // keeps its standard input open as long as this process lives
	err       error
}

// Shared returns the addresses of one stack that all tests of this process
// share. It ends with the process, however that ends, and its directory with
// it. Tests keep apart by bucket (see Bucket), workflow ID and task queue.
//
// Where TNAML_TEST_STACK_DIR names the directory of a running stack, it is that
// one, with a namespace made for this process.
func Shared(t testing.TB) stack.Addresses {
	t.Helper()
	skipShort(t)
	shared.once.Do(func() {
		if dir := os.Getenv(DirEnv); dir != "" {
			shared.addresses, shared.err = attach(t.Context(), dir)
			return
		}
		dir, err := os.MkdirTemp("", "tnaml-stack-")
		if err != nil {
			shared.err = err
			return
		}
		if shared.stack, shared.err = start(t, stack.Options{Dir: dir, Temporary: true}); shared.err != nil {
			_ = os.RemoveAll(dir)
			return
		}
		shared.addresses = shared.stack.Addresses()
	})
	if shared.err != nil {
		t.Fatalf("shared dev stack: %v", shared.err)
	}
	if shared.stack != nil {
		select {
		case <-shared.stack.Done():
			t.Fatalf("the shared dev stack has ended: %v", shared.stack.Err())
		default:
		}
	}
	return shared.addresses
}

// Fresh starts a stack of the test's own, which it may close and kill. It ends
// with the test.
func Fresh(t testing.TB) *stack.Stack {
	t.Helper()
	return Start(t, t.TempDir())
}

// Start starts a stack on a directory for one test, which may close and kill
// it, and start one there again.
func Start(t testing.TB, dir string) *stack.Stack {
	t.Helper()
	skipShort(t)
	s, err := start(t, stack.Options{Dir: dir})
	if err != nil {
		t.Fatalf("dev stack: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Bucket is a name for a bucket that nothing has used yet.
func Bucket(t testing.TB) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, t.Name())
	name = strings.Trim(name[:min(len(name), 40)], "-") // at most 63 in all
	return strings.ToLower(name + "-" + rand.Text()[:12])
}

// prebuilt builds the dev stack's program, if it is not there: within half of the tests'
// time, whose other half they want themselves, and else with what to run before.
func prebuilt(cache string, deadline time.Time, limited bool, progress func(string)) error {
	within := buildTimeout
	if limited {
		within = min(within, time.Until(deadline)/2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_, err := stack.BuildBinary(ctx, cache, progress)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("it takes longer to build than half of these tests' time, %v: run `go run ./deploy/stack/prebuild`, which says "+
			"how far it is, and the tests again; or have them wait, with go test -timeout 40m", within.Round(time.Second))
	}
	return err
}

func start(t testing.TB, o stack.Options) (*stack.Stack, error) {
	cache, err := stack.TestCache()
	if err != nil {
		return nil, err
	}
	o.Progress = func(line string) { t.Log(line) }
	var deadline time.Time
	limited := false
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		deadline, limited = d.Deadline()
	}
	if err := prebuilt(cache, deadline, limited, o.Progress); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	o.Cache, o.AnyPorts = cache, true
	// The Temporal server gives up its own start after 15 s, which a machine with more
	// to do than this test may need.
	for tries := 3; ; tries-- {
		s, err := stack.Start(ctx, o)
		if err == nil || tries == 1 || !strings.Contains(err.Error(), "temporal server: ") {
			return s, err
		}
		t.Log("again: ", err)
	}
}

// attach finds the stack on a directory and makes a namespace on it.
func attach(ctx context.Context, dir string) (stack.Addresses, error) {
	a, err := stack.Attach(dir)
	if err != nil {
		return stack.Addresses{}, fmt.Errorf("%s: %w", DirEnv, err)
	}
	a.Namespace = "test-" + strings.ToLower(rand.Text()[:12])
	c, err := client.NewNamespaceClient(client.Options{HostPort: a.Temporal})
	if err != nil {
		return stack.Addresses{}, err
	}
	defer c.Close()
	if err := c.Register(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: a.Namespace, Description: "tests", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	}); err != nil {
		return stack.Addresses{}, fmt.Errorf("namespace %s: %w", a.Namespace, err)
	}
	return *a, waitFor(ctx, *a)
}

// namespaceTimeout is how long servers may take to notice a new namespace.
const namespaceTimeout = time.Minute

// waitFor waits until a namespace can be used.
func waitFor(ctx context.Context, a stack.Addresses) error {
	ctx, cancel := context.WithTimeout(ctx, namespaceTimeout)
	defer cancel()
	c, err := client.NewLazyClient(client.Options{HostPort: a.Temporal, Namespace: a.Namespace})
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		_, err := c.DescribeWorkflowExecution(ctx, "none", "")
		var missing *serviceerror.NotFound
		if err == nil || errors.As(err, &missing) {
			return nil // the workflow is missing; a missing namespace is another error
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("namespace %s cannot be used: %w", a.Namespace, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func skipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: tests on the dev stack are left out; its first build takes minutes")
	}
}
