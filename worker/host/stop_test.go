package host

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"tnaml/activities/store"
	"tnaml/activities/trainers/command"
)

// After its drain a worker waits for as long as deploy/README.md says: 5 s for what is given back,
// the greatest grace of its programs, and 20 s for their last checkpoints.
func TestStopTimeout(t *testing.T) {
	work, err := command.NewWorkspace(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var o Options
	for name, grace := range map[string]time.Duration{"short": time.Second, "long": time.Minute} {
		c := command.Default(name)
		c.Command, c.Grace, c.Version = []string{os.Args[0]}, grace, "1"
		o.Commands = append(o.Commands, c)
	}
	if o, err = o.withDefaults().withCommands(store.NewMemory(), work); err != nil || o.StopTimeout != time.Minute+25*time.Second {
		t.Errorf("it waits for %v, %v", o.StopTimeout, err)
	}
}
