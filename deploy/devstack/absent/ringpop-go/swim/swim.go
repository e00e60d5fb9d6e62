// Package swim stands in for what the processes tell each other.
package swim

import (
	"errors"
	"time"
)

// BootstrapOptions say how to find the other processes.
type BootstrapOptions struct {
	ParallelismFactor, JoinSize int
	MaxJoinDuration             time.Duration
	DiscoverProvider            any
}

// Member is a process.
type Member struct {
	Address string
	Labels  map[string]string
}

// Label is not there.
func (*Member) Label(string) (string, bool) { return "", false }

// MemberPredicate chooses among processes.
type MemberPredicate struct{}

// MemberWithLabelAndValue chooses nothing.
func MemberWithLabelAndValue(_, _ string) MemberPredicate { return MemberPredicate{} }

// NodeLabels are those of this process.
type NodeLabels struct{}

// Set says that it cannot.
func (*NodeLabels) Set(_, _ string) error { return errors.ErrUnsupported }

// Remove says that it cannot.
func (*NodeLabels) Remove(string) (bool, error) { return false, errors.ErrUnsupported }
