package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/operatorservice/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// What was written is there, at the same addresses, after each way to end.
func TestRestart(t *testing.T) {
	// The directory's name becomes part of a URI on the way to SQLite.
	dir := filepath.Join(t.TempDir(), "a b?c%20#é")
	ends := []struct {
		name string
		end  func(*program)
		code int
	}{
		{"standard input closes", func(p *program) { _ = p.stdin.Close() }, 0},
		{"SIGKILL", func(p *program) { p.signal(syscall.SIGKILL) }, -1},
		{"SIGTERM", func(p *program) { p.signal(syscall.SIGTERM) }, 0},
		{"SIGINT", func(p *program) { p.signal(syscall.SIGINT) }, 0},
	}
	var first Addresses
	for i, e := range ends {
		p := launch(t, append([]string{"-dir", dir}, anyPort...)...)
		a := p.addresses()
		if a.PID != p.cmd.Process.Pid {
			t.Errorf("it says it is process %d, and is %d", a.PID, p.cmd.Process.Pid)
		}
		if i == 0 {
			first = a
		}
		if a.PID = first.PID; a != first {
			t.Errorf("start %d at %+v, first at %+v", i+1, a, first)
		}
		c, o := dial(t, a), s3Client(a, readKeys(t, a))
		if i == 0 {
			if _, err := o.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
				t.Fatal(err)
			}
		}
		for k := range i {
			if got, err := fetch(t.Context(), o, fmt.Sprintf("k%d", k)); err != nil || got != fmt.Sprintf("v%d", k) {
				t.Errorf("object %d after %q: %q, %v", k, ends[i-1].name, got, err)
			}
			if _, err := c.DescribeWorkflowExecution(t.Context(), fmt.Sprintf("w%d", k), ""); err != nil {
				t.Errorf("workflow %d after %q: %v", k, ends[i-1].name, err)
			}
		}
		// The last writes before the end are the ones that are lost first.
		if err := put(t.Context(), o, fmt.Sprintf("k%d", i), fmt.Sprintf("v%d", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: fmt.Sprintf("w%d", i), TaskQueue: "q"},
			"Nothing"); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		e.end(p)
		if code := p.exit(); code != e.code {
			t.Errorf("%s: exit code %d, want %d\n%s", e.name, code, e.code, p.said())
		}
		t.Logf("%s: ended after %s", e.name, time.Since(asked).Round(time.Millisecond))
		if pid := readState(dir).PID; (pid == 0) != (e.code == 0) {
			t.Errorf("%s: process %d in %s", e.name, pid, stateFile)
		}
	}
}

// One running stack, looked at from all sides.
func TestRunning(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, append([]string{"-dir", dir}, anyPort...)...)
	a := p.addresses()
	keys := readKeys(t, a)
	c := dial(t, a)

	t.Run("a second stack on the directory", func(t *testing.T) {
		second := launch(t, append([]string{"-dir", dir}, anyPort...)...)
		if code := second.exit(); code != exitHeld {
			t.Errorf("exit code %d, want %d", code, exitHeld)
		}
		for _, want := range []string{dir, fmt.Sprintf("process %d", a.PID)} {
			if !strings.Contains(second.said(), want) {
				t.Errorf("it does not name %s:\n%s", want, second.said())
			}
		}
	})

	t.Run("a second stack beside it", func(t *testing.T) {
		args := []string{
			"-dir", t.TempDir(), fmt.Sprintf("-temporal-port=%d", portOf(a.Temporal)),
			fmt.Sprintf("-ui-port=%d", portOf(a.UI)), fmt.Sprintf("-s3-port=%d", portOf(a.S3Endpoint)),
		}
		beside := launch(t, args...).addresses()
		if beside.Temporal == a.Temporal || beside.UI == a.UI || beside.S3Endpoint == a.S3Endpoint {
			t.Errorf("the same addresses: %+v and %+v", a, beside)
		}
		dial(t, beside)
	})

	t.Run("namespace", func(t *testing.T) {
		d, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: a.Namespace})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); got != retention {
			t.Errorf("retention %s, want %s", got, retention)
		}
	})

	t.Run("search attributes", func(t *testing.T) {
		there, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: a.Namespace})
		if err != nil {
			t.Fatal(err)
		}
		if got := there.GetCustomAttributes(); !maps.Equal(got, searchAttributes()) {
			t.Errorf("%v, want %v", got, searchAttributes())
		}
		searchable(t, c)
	})

	t.Run("web UI", func(t *testing.T) {
		for path, want := range map[string]string{"/": "<html", "/api/v1/namespaces/" + namespace + "/workflows": "{"} {
			r, err := http.Get(a.UI + path)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 4096)
			n, _ := r.Body.Read(b)
			_ = r.Body.Close()
			if r.StatusCode != http.StatusOK || !strings.Contains(string(b[:n]), want) {
				t.Errorf("%s: %s %.200s", path, r.Status, b[:n])
			}
		}
	})

	t.Run("objects need the keys", func(t *testing.T) {
		wrong := keys
		wrong.SecretKey = strings.Repeat("0", len(keys.SecretKey))
		if _, err := s3Client(a, wrong).ListBuckets(t.Context(), nil); err == nil {
			t.Error("a wrong secret is taken")
		}
		if _, err := s3Client(a, keys).ListBuckets(t.Context(), nil); err != nil {
			t.Errorf("the right secret is refused: %v", err)
		}
	})

	t.Run("everything listens on loopback alone", func(t *testing.T) {
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			t.Fatal(err)
		}
		tried := 0
		for _, address := range addresses {
			ip, _, err := net.ParseCIDR(address.String())
			if err != nil || ip.IsLoopback() || ip.To4() == nil {
				continue
			}
			for _, port := range []int{portOf(a.Temporal), portOf(a.UI), portOf(a.S3Endpoint)} {
				tried++
				if connection, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", ip, port), time.Second); err == nil {
					_ = connection.Close()
					t.Errorf("port %d answers on %s", port, ip)
				}
			}
		}
		if tried == 0 {
			t.Skip("this machine has no address but loopback")
		}
	})

	// Last: all of the above has been logged, written and said by now.
	t.Run("the secret is in one file", func(t *testing.T) {
		if strings.Contains(p.said(), keys.SecretKey) {
			t.Error("the program prints it")
		}
		for _, name := range tree(t, dir) {
			info, err := os.Stat(name)
			if err != nil {
				continue // SQLite's files come and go
			}
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %s", name, info.Mode())
			}
			if b, err := os.ReadFile(name); err == nil && name != a.Credentials && strings.Contains(string(b), keys.SecretKey) {
				t.Errorf("%s holds it", name)
			}
		}
	})
}

// searchable starts a workflow with every search attribute and finds it by
// each.
func searchable(t *testing.T, c client.Client) {
	t.Helper()
	values := map[string]any{
		"TnamlExperiment": "nlp", "TnamlTasks": []string{"one", "two"}, "TnamlStrategy": "naml", "TnamlStatus": "running",
		"TnamlSeed": 7, "TnamlTrials": 500, "TnamlBest": 0.75,
	}
	if got, want := slices.Sorted(maps.Keys(values)), slices.Sorted(maps.Keys(searchAttributes())); !slices.Equal(got, want) {
		t.Fatalf("tried with %v, there are %v", got, want)
	}
	fields := map[string]*commonpb.Payload{}
	for name, value := range values {
		payload, err := converter.GetDefaultDataConverter().ToPayload(value)
		if err != nil {
			t.Fatal(err)
		}
		fields[name] = payload
	}
	if _, err := c.WorkflowService().StartWorkflowExecution(t.Context(), &workflowservice.StartWorkflowExecutionRequest{
		Namespace: namespace, WorkflowId: "attributes", RequestId: "attributes", WorkflowType: &commonpb.WorkflowType{Name: "Nothing"},
		TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}, SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields},
	}); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"TnamlExperiment = 'nlp'", "TnamlTasks = 'two'", "TnamlStrategy = 'naml'", "TnamlStatus = 'running'",
		"TnamlSeed = 7", "TnamlTrials > 499", "TnamlBest > 0.7 AND TnamlBest < 0.8",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		for {
			found, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: query})
			if err != nil {
				t.Errorf("%s: %v", query, err)
				break
			}
			if found.GetCount() == 1 { // visibility lags
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
	}
}

// With -detached nobody needs to hold its standard input or read its output.
func TestDetached(t *testing.T) {
	dir := t.TempDir()
	p := launchWithoutInput(t, append([]string{"-dir", dir, "-detached"}, anyPort...)...)
	a := p.addresses()
	p.signal(syscall.SIGHUP)
	time.Sleep(300 * time.Millisecond)
	if !p.running() {
		t.Fatalf("it ended by itself:\n%s", p.said())
	}
	dial(t, a)
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Asked to end while it starts, it ends as asked.
func TestEndWhileStarting(t *testing.T) {
	p := launchWithoutInput(t, append([]string{"-dir", t.TempDir()}, anyPort...)...)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.said())
	}
	if strings.Contains(p.said(), "READY") {
		t.Error("it got ready with its standard input closed")
	}
}

// -temporary deletes what it made, and nothing else.
func TestTemporary(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "temporary")
	p := launch(t, append([]string{"-dir", dir, "-temporary"}, anyPort...)...)
	p.addresses()
	_ = p.stdin.Close()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.said())
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}

	precious := t.TempDir()
	if err := os.WriteFile(filepath.Join(precious, "thesis.tex"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = launch(t, "-dir", precious, "-temporary")
	if code := p.exit(); code != exitFailed || !strings.Contains(p.said(), "thesis.tex") {
		t.Errorf("exit code %d\n%s", code, p.said())
	}
	if names := tree(t, precious); len(names) != 1 {
		t.Errorf("left in the directory: %v", names)
	}
}

func TestUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, credentialsFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no directory", nil, exitUsage, "-dir is needed"},
		{"an argument", []string{"-dir", "x", "y"}, exitUsage, "no other arguments"},
		{"an unknown flag", []string{"-dri", "x"}, exitUsage, "-dri"},
		{"no ports", []string{"-dir", "x", "-ui-port=-1", "-s3-port=65536"}, exitUsage, "-s3-port 65536 is no port"},
		{"help", []string{"-help"}, 0, "-detached"},
		{"a file for a directory", []string{"-dir", file}, exitFailed, file},
		{"damaged credentials", []string{"-dir", damaged}, exitFailed, "delete it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := launch(t, test.args...)
			if code := p.exit(); code != test.code || !strings.Contains(p.said(), test.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, test.code, test.want, p.said())
			}
		})
	}
}

// A directory of an earlier version gets the search attributes it lacks.
func TestSearchAttributesAreAdded(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, append([]string{"-dir", dir}, anyPort...)...)
	c := dial(t, p.addresses())
	if _, err := c.OperatorService().RemoveSearchAttributes(t.Context(), &operatorservice.RemoveSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: []string{"TnamlSeed", "TnamlTasks"},
	}); err != nil {
		t.Fatal(err)
	}
	_ = p.stdin.Close()
	p.exit()
	p = launch(t, append([]string{"-dir", dir}, anyPort...)...)
	searchable(t, dial(t, p.addresses()))
}
