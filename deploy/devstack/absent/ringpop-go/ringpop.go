// Package ringpop stands in for what finds the server's other processes.
package ringpop

import (
	"errors"

	"github.com/temporalio/ringpop-go/swim"
)

// ErrEphemeralAddress is never met.
var ErrEphemeralAddress = errors.New("ephemeral address")

// Ringpop finds nothing.
type Ringpop struct{}

// Option says nothing.
type Option struct{}

// New says that it cannot.
func New(string, ...Option) (*Ringpop, error) { return nil, errors.ErrUnsupported }

// Channel says nothing.
func Channel(any) Option { return Option{} }

// AddressResolverFunc says nothing.
func AddressResolverFunc(func() (string, error)) Option { return Option{} }

// Bootstrap says that it cannot, and so do the following.
func (*Ringpop) Bootstrap(*swim.BootstrapOptions) ([]string, error) {
	return nil, errors.ErrUnsupported
}

// Labels says that it cannot.
func (*Ringpop) Labels() (*swim.NodeLabels, error) { return nil, errors.ErrUnsupported }

// SelfEvict says that it cannot.
func (*Ringpop) SelfEvict() error { return errors.ErrUnsupported }

// GetReachableMembers says that it cannot.
func (*Ringpop) GetReachableMembers() ([]string, error) { return nil, errors.ErrUnsupported }

// GetReachableMemberObjects says that it cannot.
func (*Ringpop) GetReachableMemberObjects(swim.MemberPredicate) ([]swim.Member, error) {
	return nil, errors.ErrUnsupported
}

// AddListener does nothing.
func (*Ringpop) AddListener(any) bool { return false }

// RemoveListener does nothing.
func (*Ringpop) RemoveListener(any) bool { return false }

// Destroy does nothing.
func (*Ringpop) Destroy() {}
