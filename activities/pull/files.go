package pull

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/dustin/go-humanize"

	"tnaml/activities/download"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data/corpora"
)

// gets are the files that one run got, or could not have: several sets may be of one
// file, which is looked for once.
type gets struct {
	mu    sync.Mutex
	files map[string]*gotten
}

type gotten struct {
	key    string
	once   sync.Once
	result download.Result
	err    error
}

// get gets a file, once in a run.
func (p *Puller) get(ctx context.Context, f download.File) *gotten {
	key := f.Name + " " + strings.Join(f.URLs, " ")
	p.got.mu.Lock()
	if p.got.files == nil {
		p.got.files = map[string]*gotten{}
	}
	g := p.got.files[key]
	if g == nil {
		g = &gotten{key: key}
		p.got.files[key] = g
	}
	p.got.mu.Unlock()
	g.once.Do(func() { g.result, g.err = p.Client.Get(ctx, f) })
	return g
}

// forget lets the next get look for a file again.
func (p *Puller) forget(g *gotten) {
	p.got.mu.Lock()
	defer p.got.mu.Unlock()
	if p.got.files[g.key] == g {
		delete(p.got.files, g.key)
	}
}

// hold gets a file and opens it. One that another pull removed in between is got again,
// once.
func (p *Puller) hold(ctx context.Context, f download.File) (download.Result, *os.File, error) {
	for again := false; ; again = true {
		g := p.get(ctx, f)
		if g.err != nil {
			return g.result, nil, g.err
		}
		file, err := os.Open(g.result.Path)
		if again || !errors.Is(err, os.ErrNotExist) {
			return g.result, file, err
		}
		p.forget(g)
	}
}

// release closes the files of pieces.
func release(pieces []Piece) {
	for _, piece := range pieces {
		_ = piece.file.Close() // read only
	}
}

// files downloads files that are needed together, and opens them: the caller is to release
// them. With an error too it returns those that are there.
func (p *Puller) files(ctx context.Context, files []catalog.PublishedFile) ([]Piece, error) {
	var out []Piece
	var failed []error
	for _, f := range files {
		r, file, err := p.hold(ctx, download.File{Name: f.Name, URLs: f.Addresses(), SHA256: f.SHA256, Size: f.Size, MaxSize: f.MaxSize})
		if err != nil {
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			failed = append(failed, err)
			if len(f.URLs) > 0 {
				break // without this one the others are of no use
			}
			continue // the person is told of all at once
		}
		piece := Piece{Name: f.Name, URL: r.URL, SHA256: r.SHA256, Size: r.Size, path: r.Path, file: file}
		mark, err := os.ReadFile(piece.keptMark())
		piece.ours = r.URL != "" || err == nil && string(mark) == piece.SHA256
		out = append(out, piece)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
	}
	return out, errors.Join(failed...)
}

// tellReading says that a set's files are being read, where that takes a person's
// patience.
func (p *Puller) tellReading(name string, pieces []Piece) {
	var sum int64
	for _, piece := range pieces {
		sum += piece.Size
	}
	if sum > worthALine {
		p.tell(Event{Set: name, Message: fmt.Sprintf("%s: reading %s", name, humanize.Bytes(uint64(sum)))})
	}
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

// sourcesOf are the open files, which can be read until ctx ends.
func sourcesOf(ctx context.Context, pieces []Piece) []corpora.Source {
	out := make([]corpora.Source, len(pieces))
	for i, piece := range pieces {
		out[i] = corpora.Source{Name: piece.Name, Data: reader{ctx, piece.file}, Size: piece.Size}
	}
	return out
}
