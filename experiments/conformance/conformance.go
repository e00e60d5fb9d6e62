// Package conformance runs suites of rules that every implementation of an
// interface must keep (trainertest, strategytest), and shows that a suite
// catches what breaks them.
package conformance

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// Rule is one of a suite.
type Rule[T any] struct {
	// Name says the rule in a few words.
	Name string
	// Check reports how something breaks the rule. Of t it uses Helper, Context and
	// the functions that fail, log or skip; those that end the test, from the
	// goroutine that it was called in alone.
	Check func(t testing.TB, of T)
}

// Run checks the rules, each as a subtest.
func Run[T any](t *testing.T, rules []Rule[T], of T) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.Name, func(t *testing.T) { r.Check(t, of) })
	}
}

// Broken checks the rules without a test, and returns what was reported by rule:
// for the tests of suites.
func Broken[T any](ctx context.Context, rules []Rule[T], of T) map[string][]string {
	out := map[string][]string{}
	for _, r := range rules {
		rec := &recorder{ctx: ctx}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if p := recover(); p != nil {
					rec.Errorf("panic: %v", p)
				}
			}()
			r.Check(rec, of)
		}()
		<-done
		if len(rec.reports) > 0 {
			out[r.Name] = rec.reports
		}
	}
	return out
}

// recorder keeps what a rule reports. What it does not implement is nil, and a
// rule that calls it panics.
type recorder struct {
	testing.TB
	ctx     context.Context
	mu      sync.Mutex
	reports []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Log(...any)               {}
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) Skip(...any)              { runtime.Goexit() }
func (r *recorder) Skipf(string, ...any)     { runtime.Goexit() }
func (r *recorder) Error(a ...any)           { r.report(fmt.Sprintln(a...)) }

func (r *recorder) Errorf(format string, a ...any) { r.report(fmt.Sprintf(format, a...)) }

func (r *recorder) Fatal(a ...any) {
	r.Error(a...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, a ...any) {
	r.Errorf(format, a...)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.reports) > 0
}

func (r *recorder) report(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, s)
}
