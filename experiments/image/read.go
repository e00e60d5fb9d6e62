package image

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

const (
	// maxProblems is how many problems of one input are reported together.
	maxProblems = 10
	// defaultMaxBytes bounds what is read of one source, decompressed.
	defaultMaxBytes = 2 << 30
)

// problems gathers what is wrong with one source.
type problems struct {
	errs []error
	n    int
}

func (p *problems) add(format string, a ...any) {
	if p.n++; p.n <= maxProblems {
		p.errs = append(p.errs, fmt.Errorf(format, a...))
	}
}

// err returns the problems as one error, each line naming the source.
func (p *problems) err(name string) error {
	if p.n == 0 {
		return nil
	}
	errs := p.errs
	if p.n > maxProblems {
		errs = append(errs[:len(errs):len(errs)], fmt.Errorf("and %d more", p.n-maxProblems))
	}
	return fmt.Errorf("%s: %w", name, errors.Join(errs...))
}

// inflate returns a reader of the contents: gzip is recognised by its first
// bytes.
func inflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	magic, err := b.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return z, nil
	}
	return b, nil
}

// readAll reads a source, inflated, up to a limit.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	r, err := inflate(r)
	if err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = defaultMaxBytes
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("after %d bytes: %w", len(b), err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %d bytes; split the file or raise the limit", limit)
	}
	return b, nil
}

// checkSplit refuses a split that is none.
func checkSplit(split string) error {
	switch split {
	case "", Train, Validation, Test:
		return nil
	}
	return fmt.Errorf("unknown split %q (known: train, validation, test, or empty)", split)
}

func repeat(split string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = split
	}
	return out
}
