// Package hashring stands in for what says which process has which part of the work.
package hashring

import "github.com/temporalio/ringpop-go/membership"

// HashRing is empty.
type HashRing struct{}

// New is empty.
func New(func([]byte) uint32, int) *HashRing { return &HashRing{} }

// AddMembers keeps nothing.
func (*HashRing) AddMembers(...membership.Member) bool { return false }

// Lookup finds nothing.
func (*HashRing) Lookup(string) (string, bool) { return "", false }

// LookupN finds nothing.
func (*HashRing) LookupN(string, int) []string { return nil }
