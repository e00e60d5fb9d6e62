// Package gc collects garbage: objects that no name reaches any more.
//
// # What is kept
//
// Marking begins at the names and follows what the objects hold:
//
//	names/dataset, names/module   the object
//	names/controller              every version's object
//	names/search                  configuration, newest ledger segment, state, costs, controller,
//	                              the models of the tasks' best trials
//	names/experiment              the reports of its runs
//	names/trial                   the model and the examples, while a search that was given them has a name and has not ended
//	names/checkpoint              what a trial under way has reached, while its search has a name and has not ended
//	names/features                the features, while task and module are kept
//	search configuration          tasks, modules, the controller and the sources it starts from, the configuration it was forked from
//	ledger segment                the segment before it, the examples of its trials
//	costs                         the costs before them
//	run report                    controllers, and of each search what a search's name has
//
// So what remains can be opened: a search's name alone keeps its whole ledger, the
// models of its best trials, and the tasks and modules that they need, whether these have
// names or not. A model that was among the best for a while is kept until the search
// ends. Beyond this list, whatever looks like a reference in a name or in an object that
// was read keeps what it refers to, but for the models in a ledger's rows. A controller needs neither the tasks it was
// learned on nor the controller that it started from: those it only mentions.
//
// The trial cache does not keep models for its own sake. A hit whose model is gone
// is a miss where the model is wanted, and the rest of the result stays of use.
// Features of a task or module that is not kept lose their name with their object,
// since nobody else could remove it; they are computed again if need be. So do the
// checkpoints of trials whose search has gone or ended; a trial that has its outcome has
// removed its own.
//
// # Why nothing is lost
//
// Collection runs beside searches, imports and other collections, without locks and
// without anything asked of them: the workflow Collect, which a person or a schedule
// starts, runs it as an activity, and an attempt whose worker was taken for lost may
// still be at work when the next one begins. No blob is deleted that could be asked for: one
// that nothing reaches, and that was written longer than the grace period ago, is
// set aside (store.Sweeper): copied to the trash, then removed. Get and Has put it
// back for whoever asks, and so does the next marking that reaches it. What is
// deleted for good are entries of the trash that are older than the grace period,
// by the server's clock, when a marking begins that does not reach them.
//
// Say that somebody takes a reference to blob X at time t: he has put X (perhaps it
// was there already, and old), has had a hit of the trial cache, or has read the
// reference elsewhere. He writes it where a name reaches it before t + h. Let the
// marking that has X deleted begin at s, and X have been set aside at m, so that
// m + grace ≤ s.
//
//   - t > m: X was absent when he took it. Put has written it anew, Get and Has have
//     put it back, as a blob that is young, with which the deletion of an entry of
//     the trash has nothing to do. (Who passes on a reference that he has read asks
//     Has for it: a worker's disk cache answers Get without the store. A collection
//     in a worker goes round that cache itself, see store.Direct, for its Get is what
//     puts back what marking reaches.) To copy and
//     to remove are two steps, and somebody may take X between them; it is removed
//     under him then, but at most a quarter of an hour after m, which counts to h.
//   - t ≤ m: since h < grace, t + h < m + grace ≤ s. The name was there when the
//     marking began, which has therefore reached X and deleted nothing of it. Had it
//     been moved to another name meanwhile, it would be seen there: names are read in
//     the order in which references travel (tasks, modules and controllers to searches,
//     searches to experiments), and who publishes a search's controller asks for it first.
//
// An entry of a blob that is reached is deleted only when it is older than MinGrace
// too, however short the grace period: another collection that began before the name
// was written may be between its two steps, and that entry all there will be.
//
// Hence all depends on h < grace, h being how long a reference may be in nobody's
// keeping but a process's or a workflow's:
//
//   - An activity, or a command, that stores an object writes the name next: moments,
//     or minutes where the store is away; an attempt ends after five.
//   - A trial's model, or its examples, are in the workflow's journal until the next checkpoint, which
//     is for ever in a search that is paused. So the trial cache's record holds it
//     for the search from before the activity returns, as long as the search has a
//     name and its record does not say that it has ended. It ends when nothing is in
//     flight, and its record then lists the models that it keeps. Should it be reset, what
//     it is given anew is held for a line of runs that its record has not seen; its next checkpoint
//     says that it goes on. A hold that nobody wants is removed in two steps, as an object is, and not before
//     what it alone held has been set aside.
//   - What else a search carries in its state, over continue-as-new too, its record has:
//     Resolve writes the configuration into it, Learn each checkpoint, before they
//     return. A reset goes back to an earlier checkpoint: a segment of the same chain,
//     from which a state that has been collected is told anew.
//   - What an experiment carries is in the report of its run (the plan with its
//     controllers, from the start) and in the records of its searches. Those cannot be
//     removed while it runs.
//
// MinGrace is far above that. A shorter grace period is taken only while no search and no
// experiment is open, and then what was set aside is marked again, after another look
// that none has been opened, before it is deleted; no import must be under way, and
// nothing be open in another namespace that uses the bucket, which nobody asks.
//
// References that are in none of the places above do not count: a digest in a script,
// or in a schedule's specification. Give the object a name.
//
// # When it stops
//
// An object that must be read on the way and is damaged or missing ends the marking,
// since what it refers to is unknown, and so does a kind of names that this version
// does not know. Nothing has been changed then but that objects reached were put back.
// A collection that was interrupted is begun again: each step leaves a sound store.
//
// Disk caches of workers are left alone: they bound themselves.
package gc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tnaml/activities/store"
)

const (
	// DefaultGrace is the grace period unless another is given.
	DefaultGrace = 24 * time.Hour
	// MinGrace is the shortest one while searches or experiments are open.
	MinGrace = time.Hour
	// NoGrace is a grace period of none.
	NoGrace time.Duration = -1
	// parallel bounds the requests in flight.
	parallel = 16
	// peek is how much of an unreachable object is read to tell what it is.
	peek = 64 << 10
	// purgeBatch is the number of entries deleted between two reports of progress.
	purgeBatch = 1000
)

// Options are a collection's; the zero value is the default but for Idle.
type Options struct {
	// Grace is the grace period: 0 is DefaultGrace, NoGrace is none.
	Grace time.Duration
	// Idle is asked before a grace period below MinGrace is taken; its error says
	// what is open, and ends the collection. Without it there is no such grace period.
	Idle func(ctx context.Context) error
	// Progress is told how far a step is; total is 0 where it is not known. It is
	// not called by two at once.
	Progress func(step string, done, total int)

	// typed leaves out what merely looks like a reference, for tests.
	typed bool
}

func (o Options) grace() time.Duration {
	switch {
	case o.Grace == 0:
		return DefaultGrace
	case o.Grace < 0:
		return 0
	}
	return o.Grace
}

func (o Options) progress(step string, done, total int) {
	if o.Progress != nil {
		o.Progress(step, done, total)
	}
}

// idle refuses a short grace period where something is open.
func (o Options) idle(ctx context.Context) error {
	if o.grace() >= MinGrace {
		return nil
	}
	if o.Idle == nil {
		return fmt.Errorf("a grace period below %s is only for a time when no search and no experiment is open", MinGrace)
	}
	return o.Idle(ctx)
}

// Tally counts objects of one kind.
type Tally struct {
	Kind    string `json:"kind"`
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// Missing is an object that is referred to and is not there.
type Missing struct {
	Ref  store.Ref `json:"ref"`
	Kind string    `json:"kind"`
	// By is the name that leads to it.
	By string `json:"by"`
}

// Plan is what a collection would do.
type Plan struct {
	// Kept are the objects that names reach.
	Kept []Tally `json:"kept"`
	// Young are those that nothing reaches, within their grace period.
	Young Tally `json:"young"`
	// SetAside are those to be set aside, by kind.
	SetAside []Tally `json:"set_aside"`
	// Waiting are those that were set aside before and wait for the end of their
	// grace period, Deleted those to be deleted for good.
	Waiting Tally `json:"waiting"`
	Deleted Tally `json:"deleted"`
	// Names is the number of names of features, checkpoints and yardsticks to be removed.
	Names int `json:"names"`
	// Missing are objects that names lead to and that are gone. They stop nothing,
	// for they refer to nothing.
	Missing []Missing `json:"missing,omitempty"`

	discard []store.Ref
	purge   []store.Discarded
	names   []weak
	tidy    []tidying
}

// Empty says that there is nothing to do.
func (p *Plan) Empty() bool { return len(p.SetAside) == 0 && p.Deleted.Objects == 0 && p.Names == 0 }

// Sum adds up tallies.
func Sum(tallies []Tally) (all Tally) {
	for _, t := range tallies {
		all.Objects += t.Objects
		all.Bytes += t.Bytes
	}
	return all
}

// Survey finds out what a collection would do, and does nothing of it.
func Survey(ctx context.Context, s store.Store, o Options) (*Plan, error) {
	if err := o.idle(ctx); err != nil {
		return nil, err
	}
	return survey(ctx, store.Direct(s), o)
}

func survey(ctx context.Context, s store.Store, o Options) (*Plan, error) {
	m, err := mark(ctx, s, o)
	if err != nil {
		return nil, fmt.Errorf("garbage collection: nothing was collected: %w", err)
	}
	p := &Plan{Kept: tallies(m.kept()), Missing: m.missing, names: m.doomed, Names: len(m.doomed), tidy: m.tidy}
	p.Young.Kind, p.Waiting.Kind, p.Deleted.Kind = "young", "waiting", "deleted"
	var garbage []store.Blob
	for _, b := range m.blobs {
		if _, reached := m.reached[b.Ref]; reached {
			continue
		}
		if !m.old(b.Modified) {
			p.Young.add(b.Size)
			continue
		}
		garbage = append(garbage, b)
		p.discard = append(p.discard, b.Ref)
	}
	slices.Sort(p.discard) // the order of a map is nobody's business
	for _, d := range m.trash {
		// Of one that is reached, marking has made sure that it is in its place, if
		// nobody who set it aside has yet to remove it.
		if _, reached := m.reached[d.Ref]; m.old(d.When) && (!reached || !d.When.After(m.now.Add(-MinGrace))) {
			p.purge = append(p.purge, d)
			p.Deleted.add(d.Size)
		} else {
			p.Waiting.add(d.Size)
		}
	}
	p.SetAside, err = kindsOf(ctx, s, garbage, o)
	return p, err
}

func (t *Tally) add(bytes int64) {
	t.Objects++
	t.Bytes += bytes
}

// tallies sorts by kind.
func tallies(kinds map[string]*Tally) []Tally {
	out := []Tally{}
	for kind, t := range kinds {
		t.Kind = kind
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Tally) int { return strings.Compare(a.Kind, b.Kind) })
	return out
}

// kindsOf looks into unreachable objects for what they are.
func kindsOf(ctx context.Context, s store.Store, garbage []store.Blob, o Options) ([]Tally, error) {
	kinds := map[string]*Tally{}
	var mu sync.Mutex
	done := 0
	err := store.Each(ctx, parallel, garbage, func(ctx context.Context, b store.Blob) error {
		head, err := s.Peek(ctx, b.Ref, peek)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		kind := kindOf(head)
		mu.Lock()
		defer mu.Unlock()
		if kinds[kind] == nil {
			kinds[kind] = &Tally{}
		}
		kinds[kind].add(b.Size)
		done++
		o.progress("looking at what nothing reaches", done, len(garbage))
		return nil
	})
	return tallies(kinds), err
}

// Run does what a plan says. With a grace period below MinGrace it marks once more
// and deletes what is then old enough, so that all is done at once.
func (p *Plan) Run(ctx context.Context, s store.Store, o Options) error {
	if err := o.idle(ctx); err != nil {
		return err
	}
	s = store.Direct(s)
	// First the names, which would lead to what is not there.
	for i, w := range p.names {
		if err := s.DeleteName(ctx, w.kind, w.name); err != nil {
			return err
		}
		o.progress("removing names of features, checkpoints and yardsticks", i+1, len(p.names))
	}
	var mu sync.Mutex
	done := 0
	err := store.Each(ctx, parallel, p.discard, func(ctx context.Context, ref store.Ref) error {
		if err := s.Discard(ctx, ref); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		done++
		o.progress("setting aside", done, len(p.discard))
		return nil
	})
	if err != nil {
		return err
	}
	at, err := s.Now(ctx)
	if err != nil {
		return err
	}
	if err := store.Each(ctx, parallel, p.tidy, func(ctx context.Context, t tidying) error { return t.run(ctx, s, at) }); err != nil {
		return err
	}
	purge := p.purge
	if o.grace() < MinGrace {
		if err := o.idle(ctx); err != nil {
			return fmt.Errorf("what nothing reached was set aside, but not deleted: %w", err)
		}
		again, err := survey(ctx, s, o)
		if err != nil {
			return err
		}
		purge, p.Deleted = again.purge, again.Deleted
		p.Waiting = again.Waiting
	}
	for at := 0; at < len(purge); at += purgeBatch {
		batch := purge[at:min(at+purgeBatch, len(purge))]
		if err := s.Purge(ctx, batch); err != nil {
			return err
		}
		o.progress("deleting", at+len(batch), len(purge))
	}
	return nil
}
