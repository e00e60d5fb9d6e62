package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	once   sync.Once
	result download.Result
	err    error
}

// get gets a file, once in a run.
func (p *Puller) get(ctx context.Context, f download.File) (download.Result, error) {
	key := f.Name + " " + strings.Join(f.URLs, " ")
	p.got.mu.Lock()
	if p.got.files == nil {
		p.got.files = map[string]*gotten{}
	}
	g := p.got.files[key]
	if g == nil {
		g = &gotten{}
		p.got.files[key] = g
	}
	p.got.mu.Unlock()
	g.once.Do(func() { g.result, g.err = p.Client.Get(ctx, f) })
	return g.result, g.err
}

// files downloads files that are needed together. With an error too it returns those that
// are there.
func (p *Puller) files(ctx context.Context, files []catalog.DatasetFile) ([]Piece, error) {
	var out []Piece
	var failed []error
	for _, f := range files {
		r, err := p.get(ctx, download.File{Name: f.Name, URLs: f.Addresses(), SHA256: f.SHA256, Size: f.Size, MaxSize: f.MaxSize})
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
