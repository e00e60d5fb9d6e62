package operate_test

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"tnaml/deploy"
	"tnaml/deploy/stack/stacktest"
	"tnaml/starter/operate"
)

// A new deployment on servers that are there: what is missing is found, made, and found;
// a second setup changes nothing.
func TestSetupAndDoctor(t *testing.T) {
	a := stacktest.Shared(t)
	environ := []string{
		"TNAML_TEMPORAL_ADDRESS=" + a.Temporal, "TNAML_TEMPORAL_NAMESPACE=new-" + strings.ToLower(t.Name()), "TNAML_DATA_DIR=" + t.TempDir(),
		"TNAML_S3_ENDPOINT=" + a.S3Endpoint, "TNAML_S3_BUCKET=" + stacktest.Bucket(t), "TNAML_S3_ACCESS_KEY=" + a.S3AccessKey,
		"TNAML_S3_SECRET_KEY=" + a.S3SecretKey, "TNAML_WORKER_DEPLOYMENT=ours", "TNAML_WORKER_BUILD_ID=1",
	}
	c, err := deploy.Load(nil, environ)
	if err != nil {
		t.Fatal(err)
	}
	is := func(when string, want map[string]operate.Level) {
		t.Helper()
		got := map[string]operate.Finding{}
		for _, f := range operate.Doctor(t.Context(), c, slog.New(slog.DiscardHandler)) {
			got[f.What] = f
			if strings.Contains(f.Says+f.Do, a.S3SecretKey) {
				t.Errorf("%s shows a secret", f.What)
			}
			if f.Level == operate.Failed && f.Do == "" {
				t.Errorf("%s: %s: nothing says what to do", when, f.What)
			}
		}
		for what, level := range want {
			if got[what].Level != level {
				t.Errorf("%s: %s is %+v, want %s", when, what, got[what], level)
			}
		}
	}
	is("before", map[string]operate.Level{
		"configuration": operate.Fine, "Temporal": operate.Fine, "namespace": operate.Failed, "bucket": operate.Failed,
		"workers, searches, schedules": operate.Skipped,
	})
	steps, err := operate.Setup(t.Context(), c, 3*24*time.Hour, nil)
	if err != nil || len(steps) != 3 || !steps[0].Done || !steps[2].Done {
		t.Fatalf("%+v, %v", steps, err)
	}
	is("after", map[string]operate.Level{
		"retention": operate.Warning, "search attributes": operate.Fine, "bucket": operate.Fine, "bucket's rules": operate.Fine,
		"workers": operate.Failed, "deployment": operate.Failed, "schedules": operate.Warning, "searches": operate.Fine,
	})
	if steps, err = operate.Setup(t.Context(), c, 0, nil); err != nil || steps[0].Done || !strings.Contains(steps[0].Says, "3 days") {
		t.Fatalf("%+v, %v", steps, err) // nobody asked for more
	}
	if steps, err = operate.Setup(t.Context(), c, 30*24*time.Hour, nil); err != nil || !steps[0].Done || steps[2].Done {
		t.Fatalf("%+v, %v", steps, err)
	}
	if steps, err = operate.Setup(t.Context(), c, 24*time.Hour, nil); err != nil || steps[0].Done || steps[2].Done {
		t.Fatalf("%+v, %v", steps, err)
	}
	is("at last", map[string]operate.Level{"retention": operate.Fine})
}

// Servers that are not there are failures with a way out, each of them.
func TestDoctorWithoutServers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	for name, environ := range map[string][]string{
		"nothing configured": {"TNAML_DATA_DIR=" + t.TempDir()},
		"nobody answers": {"TNAML_DATA_DIR=" + t.TempDir(), "TNAML_TEMPORAL_ADDRESS=" + nobody, "TNAML_S3_ENDPOINT=" + nobody,
			"TNAML_S3_ACCESS_KEY=a", "TNAML_S3_SECRET_KEY=s3cret"},
	} {
		c, err := deploy.Load(nil, environ)
		if err != nil {
			t.Fatal(err)
		}
		found := operate.Doctor(t.Context(), c, nil)
		if operate.Worst(found) != operate.Failed {
			t.Errorf("%s: %+v", name, found)
		}
		failed := 0
		for _, f := range found {
			if f.Level == operate.Failed {
				failed++
			}
		}
		if want := map[string]int{"nothing configured": 1, "nobody answers": 2}[name]; failed != want {
			t.Errorf("%s: %d failures: %+v", name, failed, found)
		}
	}
}
