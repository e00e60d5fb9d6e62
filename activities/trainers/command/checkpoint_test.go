package command

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tnaml/activities/store"
	"tnaml/experiments/trainer"
)

// slow is a store that takes as long as it is made to, and does not hear that it is to stop.
type slow struct {
	store.Store
	began chan struct{} // the first time
	until chan struct{}
}

func slowStore(s store.Store) slow { return slow{s, make(chan struct{}, 100), make(chan struct{})} }

func (s slow) Put(ctx context.Context, b []byte) (store.Ref, error) {
	s.began <- struct{}{}
	<-s.until
	return s.Store.Put(ctx, b)
}

// However long a checkpoint takes to be stored, the program's output is read to its end, and of a
// trial that has its outcome no checkpoint is left.
func TestOutcomeWhileACheckpointIsStored(t *testing.T) {
	f := program(t, "outlives", nil)
	f.Trainer.lastWords = time.Second
	s := slowStore(f.store)
	f.Trainer.store = s
	go func() {
		<-s.began
		time.Sleep(3 * time.Second) // the program has long ended
		close(s.until)
	}()
	r := asked()
	r.Curve = true
	o, err := f.Run(t.Context(), r, quiet)
	if err != nil || o.Status != trainer.OK || o.Metrics["validation"] != .9 || o.Steps != 4 || len(o.Curve) != 4 {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
	if names, err := f.store.Names(t.Context(), store.Checkpoint, ""); err != nil || len(names) > 0 {
		t.Errorf("checkpoints %v, %v", names, err)
	}
}

// A trial whose checkpoint is being stored is ended in its time, and its last one is stored after.
func TestEndsWhileACheckpointIsStored(t *testing.T) {
	f := program(t, "saves and hangs", func(c *Config) { c.Timeout = time.Second })
	s := slowStore(f.store)
	f.Trainer.store = s
	ended := make(chan error, 1)
	go func() { _, err := f.Run(t.Context(), asked(), quiet); ended <- err }()
	<-s.began
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(f.work.dir, "ended")); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Error("the program goes on after its timeout")
			break
		}
	}
	close(s.until)
	if err := <-ended; !errors.Is(err, trainer.ErrCutShort) {
		t.Error(err)
	}
	again := program(t, "saves and hangs", nil)
	again.Trainer.store = f.store
	if o, err := again.Run(t.Context(), asked(), quiet); err != nil || o.Metrics["validation"] != .75 {
		t.Errorf("the last checkpoint is not there: %+v, %v", o.Outcome, err)
	}
}

// What was said and never read may be the outcome: the attempt is made again, unless the file has all.
func TestOutputThatIsNotRead(t *testing.T) {
	for mode, fails := range map[string]bool{"outlives": true, "fails at its end": true, "files its outcome": false} {
		f := program(t, mode, nil)
		f.Trainer.lastWords = 300 * time.Millisecond
		// Longer than the program takes, whose end takes a second more where races are looked for, and its last words.
		stands := sync.OnceFunc(func() { time.Sleep(4 * time.Second) })
		o, err := f.Run(t.Context(), asked(), func(trainer.Progress) error { stands(); return nil })
		if fails != errors.Is(err, trainer.ErrCutShort) || !fails && (o.Status != trainer.OK || o.Steps != 7) {
			t.Errorf("%s: %+v, %v", mode, o.Outcome, err)
		}
	}
}

// That a checkpoint is too large is said at the end of a short trial too, and of what its end has
// interrupted nothing is.
func TestCheckpointTooLargeAtTheEnd(t *testing.T) {
	for size, says := range map[int]bool{2 << 20: true, 2 << 10: false} {
		f := program(t, "nothing", func(c *Config) { c.CheckpointMB = 1 })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := &checkpoint{t: f.Trainer, dir: t.TempDir(), key: "k"}
		if err := os.WriteFile(filepath.Join(c.dir, "all"), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		f.Trainer.store = refusing{f.store}
		if c.save(ctx) || strings.Contains(f.log.String(), "more than 1 MB") != says || !says && f.log.String() != "" {
			t.Errorf("%d bytes: the log says %q", size, f.log)
		}
	}
}

// Something that holds the output after the program's end keeps nothing from being read: what was
// waited for in vain is not lost.
func TestOutputThatIsHeld(t *testing.T) {
	for _, waits := range []bool{true, false} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		told := make(chan trainer.Progress)
		o, done := output{told: told}, make(chan struct{})
		go func() { _, _ = o.ReadFrom(r); close(done) }()
		if _, err := io.WriteString(w, "{\"step\":1}\n"+good+"\n"); err != nil {
			t.Fatal(err)
		}
		if waits {
			<-told
			time.Sleep(1200 * time.Millisecond)
			_ = r.Close()
		} else { // it is closed while it is passed on
			time.Sleep(100 * time.Millisecond)
			_ = r.Close()
			<-told
		}
		<-done
		if o.lost == waits || !strings.Contains(string(o.outcome), "0.5") {
			t.Errorf("waits %v: lost %v, %s", waits, o.lost, o.outcome)
		}
		_ = w.Close()
	}
}
