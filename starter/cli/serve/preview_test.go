package serve

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A preview trains models, says what the best one has, and ends when it is asked to.
func TestPreview(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads the standard library and trains models")
	}
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		preview(ctx, "", func(line string) { told <- line })
	}()
	trained := 0
	for deadline := time.After(5 * time.Minute); trained < 2; {
		select {
		case line := <-told:
			if strings.Contains(line, " for godoc-area is trained, the best so far has ") && strings.Contains(line, " % on the validation") {
				trained++
			}
		case <-ended:
			t.Fatalf("it has ended after %d models", trained)
		case <-deadline:
			t.Fatalf("%d models", trained)
		}
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
}
