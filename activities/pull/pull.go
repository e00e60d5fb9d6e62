// Package pull makes tasks of public data sets: it downloads their files, reads
// them as the catalogue says, builds the tasks and publishes them.
package pull

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/dustin/go-humanize"

	"tnaml/activities/download"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/corpora"
)

// Puller pulls data sets. The zero value of each optional field is its default.
type Puller struct {
	Store  store.Store
	Client *download.Client
	// Overwrite pulls sets anew that are there, and gives their names to what
	// comes.
	Overwrite bool
	// Keep leaves the files where they are once their tasks are stored. Files that a
	// person put there stay in any case, and those of a set that failed for the next
	// pull of it: a <name>.kept beside one says that it is to go then.
	Keep bool
	// Parallel is the number of sets whose files are downloaded at once; 0 means 3.
	// Tasks are built one at a time, for the memory.
	Parallel int
	// Tell, where set, hears of each set as soon as it is settled, and of what is
	// worth a line before that, from several goroutines.
	Tell func(Event)
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
	// Files are those the task was made of; their digests are those to compare
	// with another's. Of a set that did not come they are those that did: the next
	// pull takes them.
	Files []Piece    `json:"files,omitempty"`
	Ref   store.Ref  `json:"ref,omitempty"`
	Card  *data.Card `json:"card,omitempty"`
	// Notes are what a person must know of what was taken.
	Notes []string `json:"notes,omitempty"`
	// Error says what failed, of each source and address.
	Error string `json:"error,omitempty"`
	err   error
	// spare are files of sources that were of no use, in the place of which
	// another was.
	spare []Piece
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

// Run pulls sets and returns what became of each, in their order. Sets that fail
// do not keep others from coming. When the context ends, the sets that are not
// settled are failed with its error, and what was downloaded stays.
func (p *Puller) Run(ctx context.Context, sets []catalog.Dataset) []Outcome {
	parallel := p.Parallel
	if parallel <= 0 {
		parallel = 3
	}
	out := make([]Outcome, len(sets))
	slots := make(chan struct{}, parallel)
	var building sync.Mutex
	var all sync.WaitGroup
	for i := range sets {
		slots <- struct{}{}
		all.Go(func() {
			free := sync.OnceFunc(func() { <-slots })
			defer free()
			out[i] = p.one(ctx, &sets[i], func() func() {
				free() // others may download meanwhile
				building.Lock()
				return building.Unlock
			})
			o := out[i]
			p.tell(Event{Set: sets[i].Name, Outcome: &o})
		})
	}
	all.Wait()
	p.clean(out)
	return out
}

func (p *Puller) tell(e Event) {
	if p.Tell != nil {
		p.Tell(e)
	}
}

// clean removes the files that pulls got and that are not needed any more, those
// of no set that failed, and marks the others. With Keep it does neither.
func (p *Puller) clean(outcomes []Outcome) {
	needed := map[string]bool{}
	for _, o := range outcomes {
		for _, f := range o.Files {
			needed[f.path] = needed[f.path] || o.Status != Stored
		}
	}
	for _, o := range outcomes {
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
	}
}

// one pulls one set.
func (p *Puller) one(ctx context.Context, d *catalog.Dataset, build func() (done func())) Outcome {
	o := Outcome{Name: d.Name}
	fail := func(status Status, err error) Outcome {
		o.Status, o.err, o.Error = status, err, err.Error()
		return o
	}
	if err := ctx.Err(); err != nil {
		return fail(Failed, err)
	}
	if !p.Overwrite {
		switch _, _, err := p.Store.GetName(ctx, store.Dataset, d.Name); {
		case err == nil:
			o.Status = There
			return o
		case !errors.Is(err, store.ErrNotFound):
			return fail(Failed, err)
		}
	}
	var failed []error
	for i, s := range d.Sources {
		pieces, err := p.files(ctx, s)
		if err != nil {
			o.Files = append(o.Files, pieces...)
		} else {
			done := build()
			var kept Outcome
			if err = ctx.Err(); err == nil { // it may have ended while others were built
				kept, err = p.build(ctx, d, s, pieces)
			}
			done()
			var cannot *unreadable
			switch {
			case err == nil:
				kept.Notes, kept.spare = slices.Concat(o.Notes, kept.Notes), o.Files
				return kept
			case !errors.As(err, &cannot) || ctx.Err() != nil:
				o.Files = append(o.Files, pieces...)
				return fail(Failed, err) // what came is as good as ever
			}
			o.Files = append(o.Files, setAside(s, pieces)...)
		}
		if ctx.Err() != nil {
			return fail(Failed, ctx.Err())
		}
		failed = append(failed, err)
		// A source without an address is for those who have its file; others need
		// not hear of it.
		if i+1 < len(d.Sources) && !errors.Is(err, download.ErrNoAddress) {
			p.tell(Event{Set: d.Name, Message: fmt.Sprintf("%s: %s; trying another source", d.Name, first(err))})
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

// setAside renames files that came and cannot be read, unless their digest says
// that they are those meant: the next pull shall get them anew. It returns the
// others.
func setAside(s catalog.DatasetSource, pieces []Piece) []Piece {
	var others []Piece
	for i, piece := range pieces {
		if !piece.ours || s.Files[i].SHA256 != "" {
			others = append(others, piece)
			continue
		}
		_ = os.Rename(piece.path, piece.path+".bad")
		_ = os.Remove(piece.keptMark())
	}
	return others
}

// first is the first line of an error.
func first(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(line, ":")
}

// files downloads the files of a source. With an error too it returns those that
// are there.
func (p *Puller) files(ctx context.Context, s catalog.DatasetSource) ([]Piece, error) {
	var out []Piece
	var failed []error
	for _, f := range s.Files {
		urls := make([]string, len(f.URLs))
		for i, u := range f.URLs {
			urls[i] = u.URL
		}
		r, err := p.Client.Get(ctx, download.File{Name: f.Name, URLs: urls, SHA256: f.SHA256, Size: f.Size, MaxSize: f.MaxSize})
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		if err != nil {
			failed = append(failed, err)
			if len(f.URLs) > 0 {
				break // without this one the others are of no use
			}
			continue // the person is told of all at once
		}
		piece := Piece{Name: f.Name, URL: r.URL, SHA256: r.SHA256, Size: r.Size, path: r.Path}
		mark, err := os.ReadFile(piece.keptMark())
		piece.ours = r.URL != "" || err == nil && string(mark) == piece.SHA256
		out = append(out, piece)
	}
	return out, errors.Join(failed...)
}

// build makes the task of a source's files and publishes it.
func (p *Puller) build(ctx context.Context, d *catalog.Dataset, s catalog.DatasetSource, pieces []Piece) (Outcome, error) {
	o := Outcome{Name: d.Name, Status: Stored, Files: pieces}
	if s.Note != "" {
		o.Notes = append(o.Notes, s.Note)
	}
	sources, done, err := open(ctx, pieces)
	if err != nil {
		return o, err
	}
	defer done()
	var sum int64
	for _, piece := range pieces {
		sum += piece.Size
	}
	if sum > worthALine {
		p.tell(Event{Set: d.Name, Message: fmt.Sprintf("%s: reading %s", d.Name, humanize.Bytes(uint64(sum)))})
	}
	options := data.Options{Name: d.Name, Source: source(d, pieces), Licence: d.Licence, SourceDigest: digest(pieces)}
	t, report, err := s.Read.Task(sources, options)
	if err != nil {
		return o, &unreadable{err}
	}
	if report.Skipped > 0 {
		o.Notes = append(o.Notes, fmt.Sprintf("%d of %d examples could not be read and were left out: %s",
			report.Skipped, report.Skipped+report.Examples, strings.Join(report.Problems, "; ")))
	}
	o.Card = t.Describe()
	o.Ref, err = library.PublishTask(ctx, p.Store, t, p.Overwrite)
	return o, err
}

// worthALine is the size of files whose reading takes a person's patience.
const worthALine = 10 << 20

// reader reads a file until the context ends: some are of gigabytes.
type reader struct {
	ctx  context.Context
	file *os.File
}

func (r reader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.file.ReadAt(p, off)
}

// open opens the files; done closes them.
func open(ctx context.Context, pieces []Piece) (sources []corpora.Source, done func(), err error) {
	var files []io.Closer
	done = func() {
		for _, f := range files {
			_ = f.Close()
		}
	}
	for _, piece := range pieces {
		f, err := os.Open(piece.path)
		if err != nil {
			done()
			return nil, nil, err
		}
		files = append(files, f)
		sources = append(sources, corpora.Source{Name: piece.Name, Data: reader{ctx, f}, Size: piece.Size})
	}
	return sources, done, nil
}

// source says for the card where a set is from.
func source(d *catalog.Dataset, pieces []Piece) string {
	names := make([]string, len(pieces))
	for i, piece := range pieces {
		names[i] = piece.Name
	}
	return fmt.Sprintf("%s, %s (%s)", d.Title, d.Homepage, strings.Join(names, ", "))
}

// digest is the source digest for the card: the file's; of several files, that
// of the lines "<SHA-256>  <name>", as sha256sum prints them.
func digest(pieces []Piece) string {
	if len(pieces) == 1 {
		return pieces[0].SHA256
	}
	h := sha256.New()
	for _, piece := range pieces {
		_, _ = fmt.Fprintf(h, "%s  %s\n", piece.SHA256, piece.Name)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hint says what a person can do for a set that did not come: which files to
// put where, and what to run then. dir is the directory of downloads.
func Hint(d *catalog.Dataset, dir string) string {
	var names []string
	for _, s := range d.Sources {
		var files []string
		for _, f := range s.Files {
			files = append(files, f.Name)
		}
		names = append(names, strings.Join(files, " "))
	}
	return fmt.Sprintf("%s\nPut %s into %s, then run `starter data pull %s`.", d.Manual, strings.Join(slices.Compact(names), ", or "),
		filepath.Clean(dir), d.Name)
}
