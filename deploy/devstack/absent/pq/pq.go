// Package pq stands in for another client of PostgreSQL.
package pq

import (
	"context"
	"database/sql/driver"
	"errors"
)

// Driver leads nowhere.
type Driver struct{}

// Open says that it cannot.
func (*Driver) Open(string) (driver.Conn, error) { return nil, errors.ErrUnsupported }

// Connector leads nowhere.
type Connector struct{}

// NewConnector says that it cannot.
func NewConnector(string) (*Connector, error) { return nil, errors.ErrUnsupported }

// Connect says that it cannot.
func (*Connector) Connect(context.Context) (driver.Conn, error) { return nil, errors.ErrUnsupported }

// Driver leads nowhere.
func (*Connector) Driver() driver.Driver { return &Driver{} }

// Error is an error of PostgreSQL, of which there are none.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Message }
