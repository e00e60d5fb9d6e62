// Package nats stands in for a client of NATS.
package nats

import "errors"

// Conn leads nowhere.
type Conn struct{}

// Connect says that it cannot.
func Connect(string) (*Conn, error) { return nil, errors.ErrUnsupported }

// Publish says that it cannot.
func (*Conn) Publish(string, []byte) error { return errors.ErrUnsupported }

// Close does nothing.
func (*Conn) Close() {}
