package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"

	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/labelled"
)

// Open opens a file that a person names. One that makes the program wait, as a pipe
// without a writer does, waits no longer than ctx.
func Open(ctx context.Context, name string) (*os.File, error) {
	if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() || info.IsDir() {
		if err != nil {
			return nil, err
		}
		return os.Open(name)
	}
	type opened struct {
		f   *os.File
		err error
	}
	c := make(chan opened, 1)
	go func() {
		f, err := os.Open(name)
		c <- opened{f, err}
	}()
	select {
	case o := <-c:
		if o.err == nil {
			context.AfterFunc(ctx, func() { _ = o.f.SetReadDeadline(time.Unix(1, 0)) })
		}
		return o.f, o.err
	case <-ctx.Done():
		return nil, ErrInterrupted
	}
}

// The most that is read of a file that is read whole: any, and one that a person has written
// (a space, an experiment, settings).
const (
	maxFile = 1 << 30
	maxSpec = 16 << 20
)

// ReadFile reads a file that a person names, as Open opens it.
func ReadFile(ctx context.Context, name string) ([]byte, error) { return readWhole(ctx, name, maxFile) }

// ReadInput is ReadFile, and reads standard input where the name is -.
func (a *App) ReadInput(ctx context.Context, name string) ([]byte, error) {
	if name == "-" {
		return readMost("standard input", once{ctx, io.NopCloser(a.Stdin)}, maxFile)
	}
	return ReadFile(ctx, name)
}

// ReadSpec reads a file that a person has written, which is no gigabyte.
func ReadSpec(ctx context.Context, name string) ([]byte, error) { return readWhole(ctx, name, maxSpec) }

func readWhole(ctx context.Context, name string, most uint64) ([]byte, error) {
	f, err := Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	return readMost(name, once{ctx, f}, most)
}

func readMost(name string, r io.Reader, most uint64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && uint64(len(b)) > most {
		return nil, fmt.Errorf("%s: more than %s", name, humanize.IBytes(most))
	}
	return b, err
}

// Input is a file of texts that a person names, - for standard input. It can be
// opened again where it is a regular file.
func (a *App) Input(ctx context.Context, name string) archive.Entry {
	if name == "-" {
		return archive.Entry{Name: "standard input", Open: func() (io.ReadCloser, error) { return once{ctx, io.NopCloser(a.Stdin)}, nil }}
	}
	return archive.Entry{Name: name, Open: func() (io.ReadCloser, error) {
		f, err := Open(ctx, name)
		if err != nil {
			return nil, err
		}
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return once{ctx, f}, err
		}
		return f, nil
	}}
}

// once is what can be read only once, until ctx ends.
type once struct {
	ctx context.Context
	io.ReadCloser
}

func (o once) Read(p []byte) (int, error) {
	if o.ctx.Err() != nil {
		return 0, ErrInterrupted
	}
	n, err := o.ReadCloser.Read(p)
	if err != nil && o.ctx.Err() != nil {
		err = ErrInterrupted
	}
	return n, err
}

// EncodingHint says how an encoding is given, where it is not certain.
func EncodingHint(err error) error {
	if errors.Is(err, labelled.ErrEncoding) {
		return fmt.Errorf("%w\nsay what it is, such as --encoding windows-1252", err)
	}
	return err
}
