// Package pull makes tasks of public data sets, and embedding modules of published
// vectors: it downloads their files, reads them as the catalogue says, builds the
// tasks and modules and publishes them.
package pull

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"tnaml/activities/download"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
)

// Puller pulls data sets and vectors: sets, for short. The zero value of each optional
// field is its default.
type Puller struct {
	Store  store.Store
	Client *download.Client
	// Overwrite pulls sets anew that are there, and gives their names to what
	// comes.
	Overwrite bool
	// Keep leaves the files where they are once their tasks and modules are stored. Files
	// that a person put there stay in any case, and those of a set that failed for the
	// next pull of it: a <name>.kept beside one says that it is to go then. Another pull
	// into the same directory at the same time, without Keep, removes those that it got
	// itself.
	Keep bool
	// Parallel is the number of sets whose files are downloaded at once; 0 means 3.
	// Tasks and modules are built one at a time, for the memory.
	Parallel int
	// Tell, where set, hears of each set as soon as it is settled, and of what is
	// worth a line before that, from several goroutines.
	Tell func(Event)
	// got are the files of this run.
	got *gets
}

// Status is what became of a set.
type Status string

// The ends that a pull can come to.
const (
	Stored Status = "stored"
	There  Status = "there"   // it was there already, and is left alone
	ByHand Status = "by hand" // a person must get its files
	Failed Status = "failed"
)

// Outcome is what became of a set.
type Outcome struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Files are those the task or module was made of; their digests are those to compare
	// with another's. Of a set that did not come they are those that did: the next
	// pull takes them.
	Files []Piece   `json:"files,omitempty"`
	Ref   store.Ref `json:"ref,omitempty"`
	// Card is a task's, Module a module's.
	Card   *data.Card            `json:"card,omitempty"`
	Module *library.ModuleRecord `json:"module,omitempty"`
	// Notes are what a person must know of what was taken.
	Notes []string `json:"notes,omitempty"`
	// Error says what failed, of each source and address.
	Error string `json:"error,omitempty"`
	err   error
	// InTheWay are the paths of files that a person put there, of no known digest, of which
	// no set could be made though they can be downloaded; Aside are those to which a
	// pull's own were renamed.
	InTheWay []string `json:"in_the_way,omitempty"`
	Aside    []string `json:"set_aside,omitempty"`
	// spare are files of sources that were of no use, in the place of which
	// another was, and unread those that came and could not be read.
	spare, unread []Piece
}

// Err is the failure behind Error.
func (o Outcome) Err() error { return o.err }

// Piece is one file of a set.
type Piece struct {
	Name   string `json:"name"`
	URL    string `json:"url,omitempty"` // empty: it was there already
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	path   string
	// file is open until the set is built: another pull may remove it meanwhile.
	file *os.File
	// ours says that a pull got it, this or an earlier one.
	ours bool
}

// keptMark is a file beside one that a pull got for a set that failed. It holds the
// digest: another file that a person puts in the place is that person's.
func (p Piece) keptMark() string { return p.path + ".kept" }

// Event is one line about a set; with Outcome, the last one.
type Event struct {
	Set     string
	Message string
	Outcome *Outcome
}

// item is what is pulled.
type item struct {
	kind store.Kind
	name string
	// sources are the ways to it, in order of preference.
	sources []source
}

// source is one way to an item: files that are needed together, and what is made of
// them. A build's error is an unreadable one where the files are to blame.
type source struct {
	files []catalog.PublishedFile
	build func(ctx context.Context, p *Puller, pieces []Piece) (Outcome, error)
}

// run pulls items and returns what became of each, in their order. Those that fail
// do not keep others from coming. When the context ends, the ones that are not
// settled are failed with its error, and what was downloaded stays.
func (p *Puller) run(ctx context.Context, items []item) []Outcome {
	parallel := p.Parallel
	if parallel <= 0 {
		parallel = 3
	}
	run := *p
	run.got = &gets{}
	out := make([]Outcome, len(items))
	slots := make(chan struct{}, parallel)
	var building sync.Mutex
	var all sync.WaitGroup
	for i := range items {
		slots <- struct{}{}
		all.Go(func() {
			free := sync.OnceFunc(func() { <-slots })
			defer free()
			out[i] = run.one(ctx, items[i], func() func() {
				free() // others may download meanwhile
				building.Lock()
				return building.Unlock
			})
			o := out[i]
			run.tell(Event{Set: items[i].name, Outcome: &o})
		})
	}
	all.Wait()
	p.clean(items, out)
	return out
}

func (p *Puller) tell(e Event) {
	if p.Tell != nil {
		p.Tell(e)
	}
}

// clean removes the files that pulls got and that are not needed any more, those
// of no set that did not come, and marks the others. With Keep it does neither. Files that
// could not be read are renamed, unless others were made of them: the next pull shall
// get them anew.
func (p *Puller) clean(items []item, outcomes []Outcome) {
	needed, of, aside := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, o := range outcomes {
		switch o.Status {
		case Stored:
			for _, f := range o.Files {
				of[f.path] = true
			}
		case Failed, ByHand: // maybe before it looked at any file
			for _, path := range p.paths(items[i]) {
				needed[path] = needed[path] || !slices.ContainsFunc(o.unread, func(f Piece) bool { return f.path == path })
			}
		}
	}
	for i, o := range outcomes {
		for _, f := range slices.Concat(o.Files, o.spare) {
			switch {
			case p.Keep:
				_ = os.Remove(f.keptMark())
			case !f.ours:
			case needed[f.path]:
				_ = os.WriteFile(f.keptMark(), []byte(f.SHA256), 0o644) // else the file stays for good
			default:
				_ = os.Remove(f.path)
				_ = os.Remove(f.keptMark())
			}
		}
		for _, f := range o.unread {
			if of[f.path] {
				continue
			}
			if aside[f.path] || os.Rename(f.path, f.path+".bad") == nil {
				aside[f.path] = true
				outcomes[i].Aside = append(outcomes[i].Aside, f.path+".bad")
			}
			_ = os.Remove(f.keptMark())
		}
	}
}

// paths are those of all files of an item.
func (p *Puller) paths(it item) []string {
	var out []string
	for _, s := range it.sources {
		for _, f := range s.files {
			out = append(out, filepath.Join(p.Client.Dir, f.Name))
		}
	}
	return out
}

// one pulls one set.
func (p *Puller) one(ctx context.Context, it item, build func() (done func())) Outcome {
	o := Outcome{Name: it.name}
	fail := func(status Status, err error) Outcome {
		o.Status, o.err, o.Error = status, err, err.Error()
		return o
	}
	if err := ctx.Err(); err != nil {
		return fail(Failed, err)
	}
	if !p.Overwrite {
		switch _, _, err := p.Store.GetName(ctx, it.kind, it.name); {
		case err == nil:
			o.Status = There
			return o
		case !errors.Is(err, store.ErrNotFound):
			return fail(Failed, err)
		}
	}
	var failed []error
	for i, s := range it.sources {
		pieces, err := p.files(ctx, s.files)
		if err != nil {
			release(pieces)
			o.Files = append(o.Files, pieces...)
		} else {
			done := build()
			var kept Outcome
			if err = ctx.Err(); err == nil { // it may have ended while others were built
				kept, err = s.build(ctx, p, pieces)
			}
			done()
			release(pieces)
			var cannot *unreadable
			switch {
			case err == nil:
				kept.Name, kept.Status, kept.Files = it.name, Stored, pieces
				kept.Notes, kept.spare, kept.unread = slices.Concat(o.Notes, kept.Notes), o.Files, o.unread
				return kept
			case !errors.As(err, &cannot) || ctx.Err() != nil:
				o.Files = append(o.Files, pieces...)
				return fail(Failed, err) // what came is as good as ever
			}
			for k, piece := range pieces { // of a known digest they are those meant
				switch f := s.files[k]; {
				case f.SHA256 != "":
					o.Files = append(o.Files, piece)
				case piece.ours:
					o.unread = append(o.unread, piece)
				case len(f.URLs) > 0 || p.Client.Mirror != "":
					o.InTheWay = append(o.InTheWay, piece.path)
				}
			}
		}
		if ctx.Err() != nil {
			return fail(Failed, ctx.Err())
		}
		failed = append(failed, err)
		// A source without an address is for those who have its file; others need
		// not hear of it.
		if i+1 < len(it.sources) && !errors.Is(err, download.ErrNoAddress) {
			p.tell(Event{Set: it.name, Message: fmt.Sprintf("%s: %s; trying another source", it.name, first(err))})
			o.Notes = append(o.Notes, first(err))
		}
	}
	status := Failed
	if !slices.ContainsFunc(failed, func(err error) bool { return !errors.Is(err, download.ErrNoAddress) }) {
		status = ByHand
	}
	return fail(status, errors.Join(failed...))
}

// unreadable is a failure of the files: they are not what the catalogue says.
type unreadable struct{ err error }

func (e *unreadable) Error() string { return e.err.Error() }
func (e *unreadable) Unwrap() error { return e.err }

// first is the first line of an error.
func first(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(line, ":")
}
