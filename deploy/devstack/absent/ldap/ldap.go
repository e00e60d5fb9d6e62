// Package ldap stands in for a client of LDAP.
package ldap

import (
	"crypto/tls"
	"errors"
)

// These are what the server names.
const (
	ErrorNetwork      = 200
	NeverDerefAliases = 0
	ScopeWholeSubtree = 2
)

// These are a way to a server, and what would be sent there.
type (
	Conn          struct{}
	DialOpt       struct{}
	Control       struct{}
	AddRequest    struct{}
	DelRequest    struct{}
	ModifyRequest struct{}
	SearchRequest struct{}
	SearchResult  struct{ Entries []*Entry }
	Entry         struct{}
)

// Error is an error of LDAP, of which there are none.
type Error struct{ ResultCode uint16 }

func (*Error) Error() string { return errors.ErrUnsupported.Error() }

// DialURL says that it cannot.
func DialURL(string, ...DialOpt) (*Conn, error) { return nil, errors.ErrUnsupported }

// DialWithTLSConfig says nothing.
func DialWithTLSConfig(*tls.Config) DialOpt { return DialOpt{} }

// EscapeDN is empty.
func EscapeDN(string) string { return "" }

// EscapeFilter is empty.
func EscapeFilter(string) string { return "" }

// NewAddRequest is empty, and so are the following.
func NewAddRequest(string, []Control) *AddRequest { return &AddRequest{} }

// NewDelRequest is empty.
func NewDelRequest(string, []Control) *DelRequest { return &DelRequest{} }

// NewModifyRequest is empty.
func NewModifyRequest(string, []Control) *ModifyRequest { return &ModifyRequest{} }

// NewSearchRequest is empty.
func NewSearchRequest(_ string, _, _, _, _ int, _ bool, _ string, _ []string, _ []Control) *SearchRequest {
	return &SearchRequest{}
}

// Attribute keeps nothing.
func (*AddRequest) Attribute(string, []string) {}

// Replace keeps nothing.
func (*ModifyRequest) Replace(string, []string) {}

// GetAttributeValue is empty.
func (*Entry) GetAttributeValue(string) string { return "" }

// Bind says that it cannot.
func (*Conn) Bind(_, _ string) error { return errors.ErrUnsupported }

// Add says that it cannot.
func (*Conn) Add(*AddRequest) error { return errors.ErrUnsupported }

// Del says that it cannot.
func (*Conn) Del(*DelRequest) error { return errors.ErrUnsupported }

// Modify says that it cannot.
func (*Conn) Modify(*ModifyRequest) error { return errors.ErrUnsupported }

// Search says that it cannot.
func (*Conn) Search(*SearchRequest) (*SearchResult, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Conn) Close() error { return nil }
