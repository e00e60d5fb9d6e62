package command

import (
	"io"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"tnaml/activities/store"
)

// cpu is the processor time of a process's own, or of its children that have ended.
func cpu(b *testing.B, who int) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPrograms runs programs that sleep, 64 at a time: what a trial costs the worker,
// and what the program itself does.
func BenchmarkPrograms(b *testing.B) {
	w, err := NewWorkspace(b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	c := Default("nap")
	c.Command, c.Version = []string{"sh", "-c", "sleep 0.5; echo validation=0.5"}, "1"
	t, err := New(c, store.NewMemory(), w, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		b.Fatal(err)
	}
	own, programs := cpu(b, syscall.RUSAGE_SELF), cpu(b, syscall.RUSAGE_CHILDREN)
	var all sync.WaitGroup
	places := make(chan struct{}, 64)
	for b.Loop() {
		places <- struct{}{}
		all.Go(func() {
			if r, err := t.Run(b.Context(), asked(), quiet); err != nil || r.Reason != "" {
				b.Errorf("%+v, %v", r.Outcome, err)
			}
			<-places
		})
	}
	all.Wait()
	b.ReportMetric((cpu(b, syscall.RUSAGE_SELF)-own).Seconds()*1e3/float64(b.N), "worker-ms/trial")
	b.ReportMetric((cpu(b, syscall.RUSAGE_CHILDREN)-programs).Seconds()*1e3/float64(b.N), "program-ms/trial")
}
