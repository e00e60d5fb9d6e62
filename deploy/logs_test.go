package deploy

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestFailuresAreLoggedOnce(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(twice{slog.NewTextHandler(&b, nil)}).With("worker", 1)
	log.Error("Activity error.", "Error", "the disk is full")
	log.Info("all is well")
	if got := b.String(); strings.Contains(got, "disk is full") || !strings.Contains(got, "all is well") {
		t.Error(got)
	}
}

// A line is a JSON object where that is asked for, and has no secret in either format.
func TestLogFormats(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		c, err := Load(nil, []string{"TNAML_LOG_FORMAT=" + format, "TNAML_S3_ACCESS_KEY=AKIA", "TNAML_S3_SECRET_KEY=hush", "TNAML_S3_BUCKET=b"})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		c.Logger(&b, slog.LevelInfo).Info("starts", "trial", 3, "store", c.S3)
		var line struct {
			Msg   string
			Trial int
			Store string
		}
		err = json.Unmarshal(b.Bytes(), &line)
		if (err == nil) != (format == "json") || format == "json" && (line.Msg != "starts" || line.Trial != 3 || line.Store == "") {
			t.Errorf("%s: %s: %v", format, &b, err)
		}
		if strings.Contains(b.String(), "hush") || strings.Contains(b.String(), "AKIA") {
			t.Errorf("%s: %s", format, &b)
		}
	}
	if _, err := Load(nil, []string{"TNAML_LOG_FORMAT=xml"}); err == nil || !strings.Contains(err.Error(), "text or json") {
		t.Error(err)
	}
}
