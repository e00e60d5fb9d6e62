// Package library holds the typed records over the store: searches, controllers,
// tasks, modules, spaces, experiments, trials and features. It knows how they are
// written, read, published and removed; what happens, and when, is decided above it.
package library

import "errors"

// ErrInvalid says that an object or an input cannot work, whoever tries it and how
// often.
var ErrInvalid = errors.New("invalid")

// Invalid marks an error as ErrInvalid, and leaves its text as it is.
func Invalid(err error) error { return invalidError{err} }

type invalidError struct{ error }

func (e invalidError) Unwrap() error { return e.error }

func (invalidError) Is(target error) bool { return target == ErrInvalid }
