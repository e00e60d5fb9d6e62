package main

import (
	"net"
	"net/http"
	"strings"
)

// guard stands before a server that has no login: it refuses what somebody
// else's web page can have a browser send. That is a request under another name
// than this machine's own (a name that was pointed here after its page was
// loaded makes the page ours to the browser), and one from another origin that
// changes something. Any port will do: people come through tunnels too.
func guard(next http.Handler) http.Handler {
	inner := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !local(r.Host) {
			http.Error(w, "this server answers to 127.0.0.1 and localhost only", http.StatusMisdirectedRequest)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// local says that a Host header names this machine's loopback.
func local(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}
