// Package pgx stands in for a client of PostgreSQL.
package pgx

import "errors"

// ConnConfig says nothing.
type ConnConfig struct{}

// ParseConfig says that it cannot.
func ParseConfig(string) (*ConnConfig, error) { return nil, errors.ErrUnsupported }

// Conn leads nowhere.
type Conn struct{}

// TypeMap has no types.
func (*Conn) TypeMap() *TypeMap { return &TypeMap{} }

// TypeMap says what values are in PostgreSQL.
type TypeMap struct{}

// RegisterDefaultPgType does nothing.
func (*TypeMap) RegisterDefaultPgType(any, string) {}
