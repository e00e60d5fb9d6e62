package stacktest

import (
	"strings"
	"testing"
	"time"

	"tnaml/deploy/stack"
)

// Tests that have too little time for a first build say at once what to run.
func TestCold(t *testing.T) {
	t.Setenv(stack.BinaryEnv, "")
	empty, soon := t.TempDir(), time.Now().Add(10*time.Minute)
	for _, c := range []struct {
		name     string
		cache    string
		binary   string
		deadline time.Time
		limited  bool
		refused  bool
	}{
		{"cold, with go test's own limit", empty, "", soon, true, true},
		{"cold, without a limit", empty, "", time.Time{}, false, false},
		{"cold, with time enough", empty, "", time.Now().Add(time.Hour), true, false},
		{"a program is given", empty, "/bin/true", soon, true, false},
	} {
		t.Setenv(stack.BinaryEnv, c.binary)
		err := cold(c.cache, c.deadline, c.limited)
		if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "go run ./deploy/stack/prebuild") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
