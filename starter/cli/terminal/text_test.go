package terminal

import "testing"

func TestWrap(t *testing.T) {
	if got := Wrap("warning: one two  three", 12, "  "); got != "warning: one\n  two three" {
		t.Errorf("%q", got)
	}
}
