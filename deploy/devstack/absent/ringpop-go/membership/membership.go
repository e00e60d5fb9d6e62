// Package membership has the processes that ringpop finds, which are none.
package membership

// Member is a process.
type Member interface {
	GetAddress() string
	Identity() string
	Label(key string) (string, bool)
}

// ChangeEvent would say that there are others than before.
type ChangeEvent struct{}
