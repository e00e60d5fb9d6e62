// Command devstack is everything that tnaml needs of others, in one program on
// loopback under one directory: a Temporal server on SQLite, its web UI, and
// VersityGW as the S3 server. It is for one machine and one person; for more,
// point tnaml at real servers.
//
// It prints one line "READY {addresses}" on standard output when all three
// answer, and ends on SIGTERM, SIGINT, or when its standard input closes, so
// that it never outlives whoever started it. Exit codes: 0 ended as asked, 1
// failed, 2 wrong usage, 3 another stack holds the directory.
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Addresses is the READY line, and the content of stack.json while the stack
// runs. Credentials are in credentials.json.
type Addresses struct {
	PID        int    `json:"pid"`
	Temporal   string `json:"temporal"`
	Namespace  string `json:"namespace"`
	UI         string `json:"ui"`
	S3Endpoint string `json:"s3_endpoint"`
	S3Region   string `json:"s3_region"`
	// Log is the file with the servers' messages.
	Log string `json:"log"`
}

// exitHeld is the exit code where another stack holds the directory.
const exitHeld = 3

var errHeld = errors.New("another stack is running on this directory")

func main() {
	dir := flag.String("dir", "", "the directory that holds everything")
	flag.Parse()
	if *dir == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "devstack: -dir is needed, and no other arguments")
		flag.Usage()
		os.Exit(2)
	}
	err := run(*dir)
	switch {
	case errors.Is(err, errHeld):
		fmt.Fprintln(os.Stderr, "devstack:", err)
		os.Exit(exitHeld)
	case err != nil:
		fmt.Fprintln(os.Stderr, "devstack:", err)
		os.Exit(1)
	}
}

func run(dir string) (err error) {
	dir, err = filepath.Abs(dir) // the gateway changes the working directory
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	held, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if !held {
		return fmt.Errorf("%w: %s (process %s); stop it, or give another directory", errHeld, dir, holder(dir))
	}
	defer lock.Unlock() //nolint:errcheck // the process ends

	ready := os.Stdout // the READY line alone goes there
	logFile, err := openLog(dir)
	if err != nil {
		return err
	}
	defer logFile.Close() //nolint:errcheck // a log
	os.Stdout = logFile   // some libraries print
	log.SetOutput(logFile)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel(errors.New("standard input closed"))
	}()

	previous := readState(dir)
	ports, err := pickPorts(previous)
	if err != nil {
		return err
	}
	say("starting the object store")
	keys, err := loadCredentials(dir)
	if err != nil {
		return err
	}
	gateway, err := startGateway(dir, ports.s3, keys)
	if err != nil {
		return fmt.Errorf("object store: %w", err)
	}
	defer gateway.stop()
	say("starting the Temporal server")
	temporal, err := startTemporal(dir, ports, logFile)
	if err != nil {
		return fmt.Errorf("temporal server: %w", err)
	}
	defer temporal.Stop() //nolint:errcheck // nothing to do about it at the end
	say("starting the web UI")
	ui := startUI(ports)
	defer ui.Stop()

	if err := waitReady(ctx, ports, gateway); err != nil {
		return err
	}
	a := Addresses{
		PID: os.Getpid(), Temporal: loopback(ports.frontend), Namespace: namespace,
		UI: "http://" + loopback(ports.ui), S3Endpoint: "http://" + loopback(ports.s3), S3Region: region,
		Log: logFile.Name(),
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, stateFile), b, 0o600); err != nil {
		return err
	}
	defer markStopped(dir, a)
	fmt.Fprintf(ready, "READY %s\n", b)

	select {
	case <-ctx.Done():
		say("stopping")
		return nil
	case err := <-gateway.done:
		return fmt.Errorf("object store ended: %w", err)
	}
}

const stateFile = "stack.json"

// markStopped leaves the ports for the next start, without a process.
func markStopped(dir string, a Addresses) {
	a.PID = 0
	if b, err := json.Marshal(a); err == nil {
		_ = writeFile(filepath.Join(dir, stateFile), b, 0o600)
	}
}

func readState(dir string) Addresses {
	var a Addresses
	if b, err := os.ReadFile(filepath.Join(dir, stateFile)); err == nil {
		_ = json.Unmarshal(b, &a) // a damaged file only costs the old ports
	}
	return a
}

func holder(dir string) string {
	if pid := readState(dir).PID; pid != 0 {
		return strconv.Itoa(pid)
	}
	return "still starting"
}

// say tells whoever started the stack what it does.
func say(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }

// maxLog is the size above which the old log is put aside at a start.
const maxLog = 16 << 20

func openLog(dir string) (*os.File, error) {
	name := filepath.Join(dir, "logs", "devstack.log")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Stat(name); err == nil && info.Size() > maxLog {
		_ = os.Rename(name, name+".old")
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// writeFile writes a file whole or not at all.
func writeFile(name string, data []byte, mode os.FileMode) error {
	tmp := name + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

// startTimeout bounds the wait for the servers.
const startTimeout = 90 * time.Second

func waitReady(ctx context.Context, p ports, gateway *gateway) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var waiting []string
	for {
		waiting = waiting[:0]
		for _, check := range []struct {
			name string
			ok   func(context.Context, ports) bool
		}{{"object store", gatewayReady}, {"temporal server", temporalReady}, {"web UI", uiReady}} {
			if !check.ok(ctx, p) {
				waiting = append(waiting, check.name)
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer from the %s: %w", strings.Join(waiting, ", "), context.Cause(ctx))
		case err := <-gateway.done:
			return fmt.Errorf("object store: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
