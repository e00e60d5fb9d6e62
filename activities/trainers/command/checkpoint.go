package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/trainer"
)

// identity names a trial: all that its outcome is a function of, and the search that it is
// of, with which its checkpoint goes.
func identity(search, name, version string, r trainer.Request) string {
	r.Keep = nil // what is stored is no part of it
	b, err := json.Marshal(struct {
		Search, Trainer, Version string
		Request                  trainer.Request
	}{search, name, version, r})
	if err != nil {
		panic(err) // it came as JSON
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// checkpoint keeps what a program leaves in its directory for the attempts to come.
type checkpoint struct {
	t           *Trainer
	dir         string
	search, key string
	last        store.Ref
	kept        bool // a record of it may be there
	warned      bool
}

// restore brings back what an earlier attempt has left. One that is damaged or gone is
// none: the trial begins anew, and comes to the same end. For a trainer that keeps none
// the store is not asked.
func (c *checkpoint) restore(ctx context.Context) error {
	if c.t.config.CheckpointMB == 0 {
		return nil
	}
	record, err := library.StoredCheckpoint(ctx, c.t.store, c.key)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, library.ErrUnreadable) {
		return nil
	}
	var b []byte
	if err == nil {
		b, err = c.t.store.Get(ctx, record.Ref)
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("its checkpoint: %w", err)
	}
	c.last, c.kept = record.Ref, true
	if err := unpack(b, c.dir); err != nil { // it would come again at every attempt
		c.t.log.Warn("a trial's checkpoint cannot be unpacked: it begins anew", "trainer", c.t.Name(), "search", c.search, "error", err)
		return errors.Join(remove(c.dir), os.Mkdir(c.dir, 0o700))
	}
	return nil
}

// there says that the program has left something.
func (c *checkpoint) there() bool {
	entries, err := os.ReadDir(c.dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !unfinished(e.Name()) })
}

// again is how long a trial that is to stop goes on before what it left, and could not be stored,
// is tried again.
const again = time.Second

// saver stores a trial's checkpoint beside its run, one at a time: a store may take longer than
// the program, whose output is read all the while.
type saver struct {
	*checkpoint
	ctx    context.Context
	cancel context.CancelFunc
	// saved tells of the one under way that it is stored; nil where there is none. leaving: the
	// trial is to go on elsewhere from it.
	saved     chan bool
	leaving   bool
	due, next time.Time // when it is stored again, and tried again as a worker stops
}

// begin has the checkpoint stored, where none is being stored.
func (s *saver) begin(leaving bool) {
	if s.saved != nil {
		return
	}
	s.saved, s.leaving, s.due = make(chan bool, 1), leaving, time.Now().Add(s.t.config.CheckpointEvery)
	go func(saved chan<- bool) { saved <- s.save(s.ctx) }(s.saved)
}

// leave has it stored to go on elsewhere, where there is something to store.
func (s *saver) leave() {
	if s.saved == nil && !time.Now().Before(s.next) && s.there() {
		s.begin(true)
	}
}

// ended takes the end of the one under way, and says that the trial may go on elsewhere.
func (s *saver) ended(stored bool) bool {
	if s.saved = nil; s.leaving {
		s.next = time.Now().Add(again)
	}
	return stored && s.leaving
}

// end ends the one under way after so long.
func (s *saver) end(within time.Duration) {
	defer s.cancel()
	if s.saved != nil {
		defer time.AfterFunc(within, s.cancel).Stop()
		<-s.saved
	}
}

// save stores the directory, if it has changed, and says that what lies there is stored. Where
// that fails the trial goes on: it would lose time, and no more.
func (c *checkpoint) save(ctx context.Context) bool {
	if c.t.config.CheckpointMB == 0 {
		return false
	}
	b, err := pack(c.dir, int64(c.t.config.CheckpointMB)<<20, unfinished)
	if errors.Is(err, errChanging) {
		return false // the next time
	}
	ref, own := store.RefOf(b), err != nil // what is wrong with it is so whenever the trial ends
	if err == nil && b != nil && ref != c.last {
		if _, err = c.t.store.Put(ctx, b); err == nil {
			c.kept = true
			err = library.SetCheckpoint(ctx, c.t.store, c.key, library.CheckpointRecord{Ref: ref, Search: c.search})
		}
		if err == nil {
			c.last = ref
		}
	}
	if err != nil && (own || ctx.Err() == nil) && !c.warned {
		c.warned = true
		c.t.log.Warn("a trial's checkpoint is not stored: after a crash it begins anew", "trainer", c.t.Name(), "search", c.search, "error", err)
	}
	return err == nil && b != nil
}

// unfinished are the names that a program has yet to rename.
func unfinished(name string) bool { return strings.HasSuffix(name, ".tmp") }

// forget gives the checkpoint up: the trial has its outcome.
func (c *checkpoint) forget(ctx context.Context) {
	if !c.kept {
		return
	}
	if err := library.RemoveCheckpoint(ctx, c.t.store, c.key); err != nil { // else it goes with its search
		c.t.log.Warn("a trial's checkpoint stays until its search ends", "trainer", c.t.Name(), "search", c.search, "error", err)
	}
}

// at is the directory.
func at(trial string) string { return filepath.Join(trial, checkpointDir) }
