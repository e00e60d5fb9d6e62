package data

import (
	"errors"
	"fmt"
)

// MaxProblems is how many problems of one input are reported together.
const MaxProblems = 10

// Problems gathers what is wrong with one source. The zero value is ready.
type Problems struct {
	errs []error
	n    int
}

// Add notes a problem, which names its place itself.
func (p *Problems) Add(format string, a ...any) { p.Fail(fmt.Errorf(format, a...)) }

// Fail notes an error.
func (p *Problems) Fail(err error) {
	if p.n++; p.n <= MaxProblems {
		p.errs = append(p.errs, err)
	}
}

// More counts problems that are not told one by one.
func (p *Problems) More(n int) { p.n += n }

// Len is the number of problems.
func (p *Problems) Len() int { return p.n }

// Err returns the problems of a source as one error, nil where there are none.
func (p *Problems) Err(name string) error {
	if p.n == 0 {
		return nil
	}
	errs := p.errs
	if more := p.n - len(errs); more > 0 {
		errs = append(errs[:len(errs):len(errs)], fmt.Errorf("and %d more", more))
	}
	return fmt.Errorf("%s: %w", name, errors.Join(errs...))
}
