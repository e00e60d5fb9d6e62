package terminal

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{24 * time.Hour: "24h", 90 * time.Minute: "1h30m", 0: "0s", time.Minute: "1m",
		70 * time.Second: "1m10s", 10 * time.Second: "10s", time.Hour + time.Second: "1h0m1s"} {
		if got := Span(d); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
