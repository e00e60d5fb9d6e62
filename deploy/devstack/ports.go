package main

import (
	"fmt"
	"net"
	"strconv"
)

// ports are the stack's ports on loopback.
type ports struct {
	frontend, frontendHTTP, history, matching, worker int
	ui, s3                                            int
}

// Preferred ports: those that people know. A taken one falls back to any free.
const (
	preferTemporal = 7233
	preferUI       = 8233
	preferS3       = 9233
)

// pickPorts takes the ports of the last run, so that bookmarks and connected
// workers stay right over a restart; else the preferred ones; else free ones.
func pickPorts(previous Addresses) (ports, error) {
	var held []net.Listener // all at once, so that none is given twice
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	var failed error
	pick := func(wanted ...int) int {
		for _, port := range append(wanted, 0) {
			l, err := net.Listen("tcp", loopback(port))
			if err != nil {
				failed = err
				continue
			}
			held = append(held, l)
			return l.Addr().(*net.TCPAddr).Port
		}
		return 0
	}
	p := ports{
		frontend: pick(portOf(previous.Temporal, preferTemporal)...),
		ui:       pick(portOf(previous.UI, preferUI)...),
		s3:       pick(portOf(previous.S3Endpoint, preferS3)...),
	}
	p.frontendHTTP, p.history, p.matching, p.worker = pick(), pick(), pick(), pick()
	for _, port := range []int{p.frontend, p.ui, p.s3, p.frontendHTTP, p.history, p.matching, p.worker} {
		if port == 0 {
			return p, fmt.Errorf("no free port on loopback: %w", failed)
		}
	}
	return p, nil
}

// portOf lists the port of an earlier address, where there is one, and the
// preferred one.
func portOf(address string, preferred int) []int {
	_, port, err := net.SplitHostPort(trimScheme(address))
	if n, convErr := strconv.Atoi(port); err == nil && convErr == nil && n > 0 && n != preferred {
		return []int{n, preferred}
	}
	return []int{preferred}
}

func trimScheme(address string) string {
	const scheme = "http://"
	if len(address) > len(scheme) && address[:len(scheme)] == scheme {
		return address[len(scheme):]
	}
	return address
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
