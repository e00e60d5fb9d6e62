// Command devstack is everything that tnaml needs of others, in one program on
// loopback under one directory: a Temporal server on SQLite, its web UI, and
// VersityGW as the S3 server. It is for one machine and one person; for more,
// point tnaml at real servers.
//
// It prints one line "READY {addresses}" on standard output when all three
// answer, and tells what it does on standard error. It ends on SIGTERM, on
// SIGINT, and when its standard input closes, so that it never outlives whoever
// started it; with -detached its standard input does not matter.
//
// Starting again on the same directory goes on where it ended, on the same
// ports where they are still free, after SIGKILL too.
//
// Exit codes: 0 ended as asked, 1 failed, 2 wrong usage, 3 another stack holds
// the directory.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

// The exit codes beside 0.
const (
	exitFailed = 1
	exitUsage  = 2
	exitHeld   = 3
)

// options are the flags.
type options struct {
	dir       string
	ports     wishes
	detached  bool
	temporary bool
}

func main() { os.Exit(command(os.Args[1:])) }

func command(args []string) int {
	var o options
	flags := flag.NewFlagSet("devstack", flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", "", "the directory that holds everything")
	flags.IntVar(&o.ports.temporal, "temporal-port", preferTemporal, "preferred port of the Temporal server; 0 or a taken one means any free")
	flags.IntVar(&o.ports.ui, "ui-port", preferUI, "preferred port of the web UI")
	flags.IntVar(&o.ports.s3, "s3-port", preferS3, "preferred port of the S3 server")
	flags.BoolVar(&o.detached, "detached", false, "go on when standard input closes; end it with SIGTERM")
	flags.BoolVar(&o.temporary, "temporary", false, "delete the directory at the end; it must be empty at the start")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage // told already
	case o.dir == "" || flags.NArg() > 0:
		say("devstack: -dir is needed, and no other arguments")
		flags.Usage()
		return exitUsage
	}
	if err := o.ports.check(); err != nil {
		say("devstack: %v", err)
		return exitUsage
	}
	switch err := run(o); {
	case errors.Is(err, errHeld):
		say("devstack: %v", err)
		return exitHeld
	case err != nil:
		say("devstack: %v", err)
		return exitFailed
	}
	return 0
}

// run runs the stack until it is asked to end or one of its servers fails.
func run(o options) (err error) {
	// Whoever reads our output may be gone before we are: that is no reason to
	// end without stopping the servers.
	signal.Ignore(syscall.SIGPIPE)
	if o.detached {
		signal.Ignore(syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends at once
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !o.detached {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}

	// What is kept is nobody else's: payloads, objects, credentials.
	syscall.Umask(0o077)
	dir, err := filepath.Abs(o.dir) // the gateway changes the working directory
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if o.temporary {
		if err := mustBeEmpty(dir); err != nil {
			return err
		}
	}
	lock, err := holdDir(ctx, dir)
	if err != nil {
		return err
	}
	// Closing, not removing: a removed lock file would let two hold it.
	defer lock.Close()
	if o.temporary {
		defer os.RemoveAll(dir)
	}

	ready := os.Stdout // the READY line alone goes there
	logFile, err := openLog(dir)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	defer logFile.Close()
	os.Stdout = logFile // some libraries print
	log.SetOutput(logFile)

	err = serve(ctx, o, dir, ready, logFile.Name())
	if err != nil && ctx.Err() != nil {
		_, _ = fmt.Fprintln(logFile, "while stopping:", err)
		return nil // ended as asked, however far it had come
	}
	return err
}

// serve starts the servers, tells when they answer, and stops them at the end.
func serve(ctx context.Context, o options, dir string, ready io.Writer, logName string) error {
	p, err := pickPorts(readState(dir), o.ports)
	if err != nil {
		return err
	}
	defer p.release()
	say("starting the object store")
	keys, err := loadKeys(dir)
	if err != nil {
		return err
	}
	gateway, err := startGateway(dir, p.s3, keys)
	if err != nil {
		return fmt.Errorf("object store: %w", err)
	}
	defer gateway.stop()
	say("starting the Temporal server")
	temporal, err := startTemporal(dir, p, logName)
	if err != nil {
		return fmt.Errorf("temporal server: %w", err)
	}
	defer temporal.Stop()
	say("starting the web UI")
	ui, err := startUI(p)
	if err != nil {
		return fmt.Errorf("web UI: %w", err)
	}
	defer ui.Close()

	if err := waitReady(ctx, p, gateway); err != nil {
		return err
	}
	a := Addresses{
		PID: os.Getpid(), Temporal: loopback(p.frontend), Namespace: namespace,
		UI: "http://" + loopback(p.ui), S3Endpoint: "http://" + loopback(p.s3), S3Region: region,
		Credentials: filepath.Join(dir, credentialsFile), Log: logName,
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, stateFile), b, 0o600); err != nil {
		return err
	}
	defer markStopped(dir, a)
	if _, err := fmt.Fprintf(ready, "READY %s\n", b); err != nil && !o.detached {
		return fmt.Errorf("telling the addresses: %w", err)
	}

	select {
	case <-ctx.Done():
		say("stopping")
		return nil
	case <-gateway.done:
		return fmt.Errorf("object store: %w", gateway.err)
	}
}

// say tells whoever started the stack what it does.
func say(format string, a ...any) { _, _ = fmt.Fprintf(os.Stderr, format+"\n", a...) }

// mustBeEmpty refuses to make a directory temporary that holds anything.
func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("-temporary deletes %s at the end, which holds %s: give an empty directory", dir, entries[0].Name())
	}
	return nil
}

var errHeld = errors.New("another stack is running on this directory")

// holdDir takes the directory's lock.
func holdDir(ctx context.Context, dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, "lock"))
	// Whoever asks whether a stack runs here holds it for a moment, shared.
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	held, err := lock.TryLockContext(ctx, lockWait/10)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("%w: %s (%s); stop it, or give another directory", errHeld, dir, holder(dir))
	}
	return lock, nil
}
