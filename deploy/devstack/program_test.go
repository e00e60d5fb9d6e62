package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.temporal.io/sdk/client"
)

// asProgram makes the test program behave as devstack itself: the servers run
// in processes of their own, as they do in use, without a second link.
const asProgram = "DEVSTACK_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is a running devstack.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	ready  chan Addresses
	ended  chan struct{}
	mu     sync.Mutex
	output bytes.Buffer // both streams
}

// anyPort keeps tests off the ports of a stack in use.
var anyPort = []string{"-temporal-port=0", "-ui-port=0", "-s3-port=0"}

// launch starts the program; its standard input stays open until the test
// closes it or ends.
func launch(t *testing.T, args ...string) *program {
	t.Helper()
	p := newProgram(t, args)
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	p.run()
	return p
}

// launchWithoutInput starts the program with its standard input at its end.
func launchWithoutInput(t *testing.T, args ...string) *program {
	t.Helper()
	p := newProgram(t, args)
	p.run()
	return p
}

func newProgram(t *testing.T, args []string) *program {
	p := &program{t: t, cmd: exec.Command(os.Args[0], args...), ready: make(chan Addresses, 1), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	return p
}

func (p *program) run() {
	p.t.Helper()
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // where it still runs
		<-p.ended
	})
	var readers sync.WaitGroup
	for _, r := range []io.Reader{stdout, stderr} {
		readers.Go(func() {
			for lines := bufio.NewScanner(r); lines.Scan(); {
				p.mu.Lock()
				fmt.Fprintln(&p.output, lines.Text())
				p.mu.Unlock()
				if text, ok := strings.CutPrefix(lines.Text(), "READY "); ok {
					var a Addresses
					if err := json.Unmarshal([]byte(text), &a); err != nil {
						p.t.Errorf("READY line: %v", err)
					}
					p.ready <- a
				}
			}
		})
	}
	go func() {
		defer close(p.ended)
		readers.Wait()
		_ = p.cmd.Wait()
	}()
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

const patience = 2 * time.Minute

func (p *program) addresses() Addresses {
	p.t.Helper()
	select {
	case a := <-p.ready:
		return a
	case <-p.ended:
		p.t.Fatalf("it ended before it was ready:\n%s", p.said())
	case <-time.After(patience):
		p.t.Fatalf("not ready after %s:\n%s", patience, p.said())
	}
	panic("unreachable")
}

// exit waits for the end and returns the exit code, -1 after a signal.
func (p *program) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("still running after %s:\n%s", patience, p.said())
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func dial(t *testing.T, a Addresses) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: a.Temporal, Namespace: a.Namespace, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func readKeys(t *testing.T, a Addresses) keys {
	t.Helper()
	b, err := os.ReadFile(a.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	var k keys
	if err := json.Unmarshal(b, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

func s3Client(a Addresses, k keys) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(a.S3Endpoint), Region: a.S3Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(k.AccessKey, k.SecretKey, ""),
	})
}

const bucket = "things"

func put(ctx context.Context, c *s3.Client, key, value string) error {
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(value)})
	return err
}

func fetch(ctx context.Context, c *s3.Client, key string) (string, error) {
	o, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(o.Body)
	return string(b), errors.Join(err, o.Body.Close())
}

// tree lists the files below a directory.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	if err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}
