package deploy

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"tnaml/activities"
)

func TestStoppingIsNoError(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(expected{slog.NewTextHandler(&b, nil)}).With("worker", 1)
	log.Error("Activity error.", "Error", errors.New(activities.Stopping+": again"))
	log.Error("Activity error.", "Error", errors.New("the disk is full"))
	log.Info("all is well")
	if got := b.String(); strings.Contains(got, "again") || !strings.Contains(got, "disk is full") || !strings.Contains(got, "all is well") {
		t.Error(got)
	}
}
