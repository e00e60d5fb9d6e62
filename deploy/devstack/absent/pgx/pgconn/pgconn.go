// Package pgconn has PostgreSQL's errors.
package pgconn

// PgError is an error of PostgreSQL, of which there are none.
type PgError struct{ Code, Message string }

func (e *PgError) Error() string { return e.Message }
