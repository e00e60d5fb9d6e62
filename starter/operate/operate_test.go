package operate_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
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
	if err != nil || len(steps) != 3 || !steps[0].Done || !steps[1].Done || !steps[2].Done || !strings.Contains(steps[1].Says, "TnamlStatus") {
		t.Fatalf("%+v, %v", steps, err)
	}
	is("after", map[string]operate.Level{
		"retention": operate.Warning, "search attributes": operate.Fine, "bucket": operate.Fine, "bucket's rules": operate.Fine,
		"workers": operate.Failed, "deployment": operate.Failed, "schedules": operate.Warning, "searches": operate.Fine,
	})
	if steps, err = operate.Setup(t.Context(), c, 0, nil); err != nil || steps[0].Done || !strings.Contains(steps[0].Says, "3 days") {
		t.Fatalf("%+v, %v", steps, err) // nobody asked for more
	}
	if steps, err = operate.Setup(t.Context(), c, 30*24*time.Hour, nil); err != nil || !steps[0].Done || steps[1].Done || steps[2].Done ||
		!strings.Contains(steps[0].Says, "and not 3: so do all workflows in it") {
		t.Fatalf("%+v, %v", steps, err)
	}
	if steps, err = operate.Setup(t.Context(), c, 24*time.Hour, nil); err != nil || steps[0].Done || steps[2].Done {
		t.Fatalf("%+v, %v", steps, err)
	}
	is("at last", map[string]operate.Level{"retention": operate.Fine})

	// A search of another namespace with the same bucket is not gone.
	s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: a.S3Endpoint, Bucket: c.S3.Bucket, Region: a.S3Region,
		AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	for name, namespace := range map[string]string{"theirs": "theirs", "ours": c.Temporal.Namespace} {
		if err := library.StartSearch(t.Context(), s, library.SearchRecord{Name: name, RunID: name, Owner: name, Namespace: namespace,
			Spec: json.RawMessage(`{"tasks":["a"]}`), Status: "running"}); err != nil {
			t.Fatal(err)
		}
	}
	is("with others' searches", map[string]operate.Level{"search theirs": "", "search ours": operate.Warning, "searches": operate.Fine})
	for _, f := range operate.Doctor(t.Context(), c, slog.New(slog.DiscardHandler)) {
		if f.What == "searches" && f.Says != "1 on record, 0 of them run; 1 more of other namespaces have this bucket" {
			t.Errorf("%+v", f)
		}
	}
}

// A dev stack's bucket is made by its first worker: whoever only looks makes none.
func TestDoctorMakesNothing(t *testing.T) {
	dir := stacktest.Fresh(t).Addresses().Dir
	c, err := deploy.Load(nil, []string{"TNAML_DATA_DIR=" + dir, "TEMPORAL_CONFIG_FILE=/none"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, f := range operate.Doctor(t.Context(), c, slog.New(slog.DiscardHandler)) {
			if f.What == "bucket" && (f.Level != operate.Failed || !strings.Contains(f.Do, "setup")) {
				t.Errorf("%+v", f)
			}
		}
	}
}

// Servers that are not there are failures with a way out, each of them.
func TestDoctorWithoutServers(t *testing.T) {
	nobody := stacktest.Deaf(t)
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
