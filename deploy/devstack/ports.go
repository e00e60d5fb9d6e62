package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Preferred ports: those that people know. A taken one falls back to any free.
const (
	preferTemporal = 7233
	preferUI       = 8233
	preferS3       = 9233
)

// wishes are the ports that the flags ask for; 0 means any.
type wishes struct{ temporal, ui, s3 int }

// check refuses what cannot be a port.
func (w wishes) check() error {
	var errs []error
	for _, f := range []struct {
		name string
		port int
	}{{"temporal-port", w.temporal}, {"ui-port", w.ui}, {"s3-port", w.s3}} {
		if f.port < 0 || f.port > 65535 {
			errs = append(errs, fmt.Errorf("-%s %d is no port: give 1 to 65535, or 0 for any free one", f.name, f.port))
		}
	}
	return errors.Join(errs...)
}

// ports are the stack's ports on loopback.
type ports struct {
	frontend, history, matching, worker int
	ui, s3                              int
	// claims keep other stacks off these ports until this one ends: the servers
	// bind theirs seconds after they have been picked.
	claims []*flock.Flock
}

// pickPorts takes the ports of the last run, so that bookmarks and connected
// workers stay right over a restart; else those asked for; else free ones.
func pickPorts(previous Addresses, w wishes) (*ports, error) {
	p := &ports{}
	var failed error
	pick := func(wanted ...int) int {
		for _, port := range wanted {
			if port > 0 && p.claim(port) == nil {
				return port
			}
		}
		// Below the range from which systems serve outgoing connections: none of
		// those takes the port away before its server binds it. A thousand are
		// enough, and so are the files that stay of their claims.
		for i := range 200 {
			port := 20000 + rand.IntN(1000)
			if i < 150 && lately(port) {
				continue // of a stack that was killed, perhaps, and comes back
			}
			if p.claim(port) == nil {
				return port
			}
		}
		l, err := net.Listen("tcp", loopback(0))
		if err != nil {
			failed = err
			return 0
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}
	p.frontend = pick(portOf(previous.Temporal), w.temporal)
	p.ui = pick(portOf(previous.UI), w.ui)
	p.s3 = pick(portOf(previous.S3Endpoint), w.s3)
	p.history, p.matching, p.worker = pick(), pick(), pick()
	if failed != nil {
		p.release()
		return nil, fmt.Errorf("no free port on loopback: %w", failed)
	}
	return p, nil
}

// claim takes a port if nobody listens on it and no other stack is about to.
func (p *ports) claim(port int) error {
	lock := flock.New(claimFile(port))
	// Where locks cannot be made there are no claims, only a smaller chance.
	if err := os.MkdirAll(filepath.Dir(lock.Path()), 0o700); err == nil {
		if held, err := lock.TryLock(); err == nil && !held {
			return fmt.Errorf("port %d is another stack's", port)
		}
	}
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	p.claims = append(p.claims, lock)
	now := time.Now()
	_ = os.Chtimes(lock.Path(), now, now) // for lately
	return l.Close()
}

// claimFile is locked by the stack whose port it is, and was written to when one last
// took it.
func claimFile(port int) string {
	return filepath.Join(os.TempDir(), "tnaml-ports-"+strconv.Itoa(os.Getuid()), strconv.Itoa(port))
}

// lately says that a stack took a port in the last ten minutes.
func lately(port int) bool {
	info, err := os.Stat(claimFile(port))
	return err == nil && time.Since(info.ModTime()) < 10*time.Minute
}

// release gives the claims back. The files stay: removing a lock's file would
// let two hold it.
func (p *ports) release() {
	for _, lock := range p.claims {
		_ = lock.Close()
	}
	p.claims = nil
}

// portOf is the port of an address with or without a scheme, or 0.
func portOf(address string) int {
	_, port, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return 0
	}
	return n
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
