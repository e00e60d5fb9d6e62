// Package statichosts stands in for a list of processes.
package statichosts

// Hosts is an empty list.
type Hosts struct{}

// New is an empty list.
func New(...string) *Hosts { return &Hosts{} }
