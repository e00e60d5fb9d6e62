package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// Each setting has its value and its origin: what counts most. Secrets are masked.
func TestExplain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(file, []byte("s3: {bucket: ours, region: here}\nworker: {slots: 2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	Flags(flags, "")
	if err := flags.Parse([]string{"--config", file, "--slots", "7"}); err != nil {
		t.Fatal(err)
	}
	c, err := Load(flags, []string{"TNAML_S3_REGION=there", "TNAML_S3_ACCESS_KEY=acc3ss", "TNAML_S3_SECRET_KEY=s3cret",
		"TEMPORAL_ADDRESS=far:7233", "TNAML_WORKER_SLOTS=5"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	all, err := c.Explain()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		got[e.Key] = e.Value + " from " + e.Origin
	}
	for key, want := range map[string]string{
		"s3.bucket": "ours from " + file, "s3.region": "there from TNAML_S3_REGION", "worker.slots": "7 from --slots",
		"temporal.task_queue": "tnaml from default", "s3.secret_key": "set, and not shown from TNAML_S3_SECRET_KEY",
		"s3.session_token": " from default",
		"temporal.address": "far:7233 from TEMPORAL_* or a profile of the Temporal SDK",
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
	if len(got) != len(Settings()) {
		t.Errorf("%d settings of %d", len(got), len(Settings()))
	}
	if all := fmt.Sprint(got); strings.Contains(all, "s3cret") || strings.Contains(all, "acc3ss") {
		t.Error("a secret is shown")
	}
}

// A password within an address is none of anybody's business; what is wrong with Temporal's
// own settings is said beside the rest.
func TestExplainMasks(t *testing.T) {
	c, err := Load(nil, []string{"TNAML_S3_ENDPOINT=https://me:s3cret@s3.example.org", "TEMPORAL_ADDRESS=me:s3cret@far:7233"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Explain()
	if text := fmt.Sprint(all); err != nil || strings.Contains(text, "s3cret") || !strings.Contains(text, "…@s3.example.org") ||
		!strings.Contains(text, "…@far:7233") {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := c.Target(); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "…@far:7233: it") {
		t.Errorf("the target: %v", err)
	}
	if c, err = Load(nil, []string{"TEMPORAL_ADDRESS=far:7233", "TEMPORAL_TLS_CLIENT_KEY_DATA=x"}); err != nil {
		t.Fatal(err)
	}
	if all, err := c.Explain(); err == nil || len(all) != len(Settings()) {
		t.Errorf("%d settings, %v", len(all), err)
	}
}

// How the connection to Temporal is secured is shown, its secrets are not.
func TestExplainTLS(t *testing.T) {
	t.Chdir(t.TempDir())
	a := newAuthority(t)
	a.leaf(t, "client", -time.Hour, time.Hour)
	key, err := os.ReadFile(a.file("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	crt, err := os.ReadFile(a.file("client.crt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		env  []string
		want string
	}{
		{[]string{"TEMPORAL_TLS=true", "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + a.file("ca.crt"), "TEMPORAL_TLS_SERVER_NAME=far.internal",
			"TEMPORAL_TLS_CLIENT_CERT_DATA=" + string(crt), "TEMPORAL_TLS_CLIENT_KEY_DATA=" + string(key)},
			"temporal.tls=on, server name far.internal, authority " + a.file("ca.crt") + ", client certificate given as data"},
		{[]string{"TEMPORAL_API_KEY=s3cret"}, "temporal.api_key=set, and not shown temporal.tls=on"},
		{[]string{"TEMPORAL_API_KEY=s3cret", "TEMPORAL_TLS=false"}, "temporal.api_key=set, and not shown temporal.tls=off"},
	} {
		c, err := Load(nil, append(tt.env, "TEMPORAL_CONFIG_FILE=/none"))
		if err != nil {
			t.Fatal(err)
		}
		all, err := c.Explain()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range all[len(Settings()):] {
			got = append(got, e.Key+"="+e.Value)
		}
		if text := fmt.Sprint(all); strings.Join(got, " ") != tt.want || strings.Contains(text, "s3cret") || strings.Contains(text, "PRIVATE") {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
