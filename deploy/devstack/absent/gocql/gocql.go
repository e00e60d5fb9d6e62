// Package gocql stands in for a client of Cassandra.
package gocql

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// These are what the server names.
const (
	Any Consistency = iota
	One
	Two
	Three
	Quorum
	All
	LocalQuorum
	EachQuorum
	LocalOne

	LoggedBatch   BatchType = 0
	UnloggedBatch BatchType = 1
	CounterBatch  BatchType = 2

	ErrCodeOverloaded = 1
	ErrCodeInvalid    = 2
)

// These are never met.
var (
	ErrConnectionClosed  = errors.New("connection closed")
	ErrNoConnections     = errors.New("no connections")
	ErrNotFound          = errors.New("not found")
	ErrSessionClosed     = errors.New("session closed")
	ErrTimeoutNoResponse = errors.New("no response")
)

// These are what a cluster is described with.
type (
	Consistency                uint16
	SerialConsistency          uint16
	BatchType                  byte
	HostFilter                 any
	HostSelectionPolicy        any
	SpeculativeExecutionPolicy any
	AddressTranslator          any
	AddressTranslatorFunc      func(net.IP, int) (net.IP, int)
	PasswordAuthenticator      struct {
		Username, Password    string
		AllowedAuthenticators []string
	}
	ExponentialReconnectionPolicy struct {
		MaxRetries                   int
		InitialInterval, MaxInterval time.Duration
	}
	SslOptions struct {
		*tls.Config
		CaPath                 string
		EnableHostVerification bool
	}
	PoolConfig    struct{ HostSelectionPolicy HostSelectionPolicy }
	ClusterConfig struct {
		ProtoVersion, Port, NumConns          int
		Authenticator                         PasswordAuthenticator
		Keyspace                              string
		HostFilter                            HostFilter
		SslOpts                               *SslOptions
		ConnectTimeout, Timeout, WriteTimeout time.Duration
		Consistency                           Consistency
		SerialConsistency                     SerialConsistency
		DisableInitialHostLookup              bool
		ReconnectionPolicy                    *ExponentialReconnectionPolicy
		PoolConfig                            PoolConfig
		AddressTranslator                     AddressTranslator
	}
)

// These are what a session would have, and there is none.
type (
	Session struct{}
	Query   struct{}
	Batch   struct{}
	Iter    struct{}
)

// ParseConsistency is always the first.
func ParseConsistency(string) Consistency { return Any }

// ParseConsistencyWrapper says that it cannot.
func ParseConsistencyWrapper(string) (Consistency, error) { return Any, errors.ErrUnsupported }

// UnmarshalText does nothing: where it fails, the server panics.
func (*SerialConsistency) UnmarshalText([]byte) error { return nil }

// DataCentreHostFilter is none.
func DataCentreHostFilter(string) HostFilter { return nil }

// RoundRobinHostPolicy is none.
func RoundRobinHostPolicy() HostSelectionPolicy { return nil }

// TokenAwareHostPolicy is none.
func TokenAwareHostPolicy(HostSelectionPolicy) HostSelectionPolicy { return nil }

// UUID is an identifier.
type UUID [16]byte

func (UUID) String() string { return "" }

// RequestError is an error of Cassandra, of which there are none.
type RequestError interface {
	error
	Code() int
	Message() string
}

// RequestErrWriteTimeout is one of them.
type RequestErrWriteTimeout struct{ error }

// NewCluster is empty.
func NewCluster(...string) *ClusterConfig { return &ClusterConfig{} }

// CreateSession says that it cannot.
func (*ClusterConfig) CreateSession() (*Session, error) { return nil, errors.ErrUnsupported }

// Query leads nowhere, and so do the following.
func (*Session) Query(string, ...any) *Query { return &Query{} }

// NewBatch leads nowhere.
func (*Session) NewBatch(BatchType) *Batch { return &Batch{} }

// ExecuteBatch says that it cannot.
func (*Session) ExecuteBatch(*Batch) error { return errors.ErrUnsupported }

// MapExecuteBatchCAS says that it cannot.
func (*Session) MapExecuteBatchCAS(*Batch, map[string]any) (bool, *Iter, error) {
	return false, nil, errors.ErrUnsupported
}

// AwaitSchemaAgreement says that it cannot.
func (*Session) AwaitSchemaAgreement(context.Context) error { return errors.ErrUnsupported }

// Close does nothing.
func (*Session) Close() {}

// Query keeps nothing, and neither do the following.
func (*Batch) Query(string, ...any) {}

// WithContext keeps nothing.
func (b *Batch) WithContext(context.Context) *Batch { return b }

// WithTimestamp keeps nothing.
func (b *Batch) WithTimestamp(int64) *Batch { return b }

// WithContext keeps nothing.
func (q *Query) WithContext(context.Context) *Query { return q }

// WithTimestamp keeps nothing.
func (q *Query) WithTimestamp(int64) *Query { return q }

// Consistency keeps nothing.
func (q *Query) Consistency(Consistency) *Query { return q }

// PageSize keeps nothing.
func (q *Query) PageSize(int) *Query { return q }

// PageState keeps nothing.
func (q *Query) PageState([]byte) *Query { return q }

// Bind keeps nothing.
func (q *Query) Bind(...any) *Query { return q }

// Idempotent keeps nothing.
func (q *Query) Idempotent(bool) *Query { return q }

// SetSpeculativeExecutionPolicy keeps nothing.
func (q *Query) SetSpeculativeExecutionPolicy(SpeculativeExecutionPolicy) *Query { return q }

// Exec says that it cannot, and so do the following.
func (*Query) Exec() error { return errors.ErrUnsupported }

// Scan says that it cannot.
func (*Query) Scan(...any) error { return errors.ErrUnsupported }

// ScanCAS says that it cannot.
func (*Query) ScanCAS(...any) (bool, error) { return false, errors.ErrUnsupported }

// MapScan says that it cannot.
func (*Query) MapScan(map[string]any) error { return errors.ErrUnsupported }

// MapScanCAS says that it cannot.
func (*Query) MapScanCAS(map[string]any) (bool, error) { return false, errors.ErrUnsupported }

// Iter is empty.
func (*Query) Iter() *Iter { return &Iter{} }

// Scan finds nothing.
func (*Iter) Scan(...any) bool { return false }

// MapScan finds nothing.
func (*Iter) MapScan(map[string]any) bool { return false }

// PageState is empty.
func (*Iter) PageState() []byte { return nil }

// Close says that it cannot.
func (*Iter) Close() error { return errors.ErrUnsupported }
