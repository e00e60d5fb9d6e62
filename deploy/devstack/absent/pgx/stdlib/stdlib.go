// Package stdlib stands in for a driver of package database/sql.
package stdlib

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"
)

// OptionOpenDB says nothing.
type OptionOpenDB struct{}

// OptionAfterConnect says nothing.
func OptionAfterConnect(func(context.Context, *pgx.Conn) error) OptionOpenDB { return OptionOpenDB{} }

// GetConnector leads nowhere.
func GetConnector(pgx.ConnConfig, ...OptionOpenDB) driver.Connector { return absent{} }

// GetDefaultDriver leads nowhere.
func GetDefaultDriver() driver.Driver { return absent{} }

type absent struct{}

func (absent) Open(string) (driver.Conn, error)             { return nil, errors.ErrUnsupported }
func (absent) Connect(context.Context) (driver.Conn, error) { return nil, errors.ErrUnsupported }
func (absent) Driver() driver.Driver                        { return absent{} }
