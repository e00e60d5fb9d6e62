package image

import (
	"errors"
	"fmt"
)

// maxProblems is how many problems of one input are reported together.
const maxProblems = 10

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
