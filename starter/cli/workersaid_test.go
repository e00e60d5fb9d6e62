package cli

import (
	"context"
	"strings"
	"testing"

	"tnaml/starter/cli/serve"
)

// A worker that cannot start is not said to run.
func TestAWorkerIsToldToServeOnceItDoes(t *testing.T) {
	b, _ := online(t)
	servers := b.servers()
	defer servers.Close()
	for _, c := range []struct {
		trainers, fails string
	}{{"abacus", "no trainer abacus"}, {"", ""}} {
		a := b.app()
		a.Config.Worker.Trainers = c.trainers
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		served := false
		err := serve.Work(ctx, a, servers, nil, func() { served = true; stop() })
		if served != (c.fails == "") || served != (err == nil) || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%q: said to serve: %v, %v", c.trainers, served, err)
		}
	}
}
