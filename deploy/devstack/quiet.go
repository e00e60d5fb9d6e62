package main

import (
	"errors"

	"go.temporal.io/api/serviceerror"
)

// quiet is a logger for the readiness probe, which fails until it does not.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

func isNotFound(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}
