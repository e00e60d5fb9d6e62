package main

import (
	"net"
	"testing"
)

func TestPortOf(t *testing.T) {
	for address, want := range map[string]int{
		"127.0.0.1:7233": 7233, "http://127.0.0.1:8233": 8233, "": 0, "127.0.0.1": 0,
		"127.0.0.1:": 0, "127.0.0.1:x": 0, "127.0.0.1:-1": 0, "127.0.0.1:65536": 0,
	} {
		if got := portOf(address); got != want {
			t.Errorf("portOf(%q) = %d, want %d", address, got, want)
		}
	}
}

func (p *ports) all() []int { return []int{p.frontend, p.history, p.matching, p.worker, p.ui, p.s3} }

// A stack that was killed gets its ports again, however many others begin before it.
func TestPortsWaitForTheirStack(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // what others took lately, and what these take, is none of each other's business
	killed, err := pickPorts(Addresses{}, wishes{})
	if err != nil {
		t.Fatal(err)
	}
	killed.release()
	was := map[int]bool{}
	for _, port := range killed.all() {
		was[port] = true
	}
	for range 40 {
		other, err := pickPorts(Addresses{}, wishes{})
		if err != nil {
			t.Fatal(err)
		}
		defer other.release()
		for _, port := range other.all() {
			if was[port] {
				t.Errorf("another stack has its port %d", port)
			}
		}
	}
}

// free is a port that nobody listens on.
func free(t *testing.T) int {
	t.Helper()
	p := &ports{}
	defer p.release()
	for port := 19000; port < 20000; port++ {
		if p.claim(port) == nil {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func TestPickPorts(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	asked := free(t)
	first, err := pickPorts(Addresses{}, wishes{temporal: asked})
	if err != nil {
		t.Fatal(err)
	}
	if first.frontend != asked {
		t.Errorf("port %d, asked for %d", first.frontend, asked)
	}
	all := map[int]bool{}
	for _, port := range first.all() {
		if port < 1 || all[port] {
			t.Errorf("port %d twice or none: %+v", port, first)
		}
		all[port] = true
	}

	// Nobody listens on them yet, and yet they are taken.
	second, err := pickPorts(Addresses{}, wishes{temporal: asked, ui: first.ui})
	if err != nil {
		t.Fatal(err)
	}
	if second.frontend == asked || second.ui == first.ui {
		t.Errorf("two stacks would share a port: %+v and %+v", first, second)
	}

	// Those of the last run come before those asked for.
	previous := Addresses{Temporal: loopback(first.frontend), UI: "http://" + loopback(first.ui), S3Endpoint: "http://" + loopback(first.s3)}
	first.release()
	again, err := pickPorts(previous, wishes{temporal: free(t)})
	if err != nil {
		t.Fatal(err)
	}
	if again.frontend != first.frontend || again.ui != first.ui || again.s3 != first.s3 {
		t.Errorf("%+v after %+v", again, first)
	}
	again.release()

	// Others than stacks make no claims.
	l, err := net.Listen("tcp", loopback(first.frontend))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	third, err := pickPorts(previous, wishes{})
	if err != nil {
		t.Fatal(err)
	}
	if third.frontend == first.frontend {
		t.Errorf("port %d is in use", third.frontend)
	}
	third.release()
	second.release()
}
