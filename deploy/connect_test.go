package deploy

import "testing"

// Requests to this machine are not compressed; those that cross a network are.
func TestLocal(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:7233": true, "127.8.9.10:1": true, "[::1]:7233": true, "localhost:7233": true,
		"10.0.0.7:7233": false, "temporal.example.com:7233": false, "localhost.example.com:7233": false, "dns:///localhost:7233": false,
		"localhost": false, "": false,
	} {
		if got := local(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}
