// Package events has what ringpop tells, which is nothing.
package events

// Event is what it would tell.
type Event any
