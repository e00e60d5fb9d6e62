package data

import (
	"errors"
	"fmt"
)

// maxProblems is how many problems of one input are reported together.
const maxProblems = 10

// Problems gathers what is wrong with one source. The zero value is ready.
type Problems struct {
	errs []error
	n    int
}

// Add notes a problem, which names its place itself.
func (p *Problems) Add(format string, a ...any) { p.Fail(fmt.Errorf(format, a...)) }

// Fail notes an error.
func (p *Problems) Fail(err error) {
	if p.n++; p.n <= maxProblems {
		p.errs = append(p.errs, err)
	}
}

// Len is the number of problems.
func (p *Problems) Len() int { return p.n }

// Err returns the problems of a source as one error, nil where there are none.
func (p *Problems) Err(name string) error {
	if p.n == 0 {
		return nil
	}
	errs := p.errs
	if p.n > maxProblems {
		errs = append(errs[:len(errs):len(errs)], fmt.Errorf("and %d more", p.n-maxProblems))
	}
	return fmt.Errorf("%s: %w", name, errors.Join(errs...))
}
