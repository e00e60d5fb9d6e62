package store_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/store"
)

// What a bucket does by itself, as S3's documents are.
func TestRules(t *testing.T) {
	const lifecycle = `<LifecycleConfiguration>%s</LifecycleConfiguration>`
	for name, c := range map[string]struct {
		versioning, lifecycle string
		want                  store.Rules
	}{
		"none": {"", "", store.Rules{}},
		"uploads alone": {"", `<Rule><ID>u</ID><Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>7` +
			`</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`, store.Rules{}},
		"by age": {"", `<Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix>objects/</Prefix></Filter><Expiration><Days>30</Days>` +
			`</Expiration></Rule>`, store.Rules{Expires: []string{"old"}}},
		"off": {"", `<Rule><ID>old</ID><Status>Disabled</Status><Filter/><Expiration><Days>30</Days></Expiration></Rule>`, store.Rules{}},
		"without an ID": {"", `<Rule><Status>Enabled</Status><Filter><Prefix>objects/</Prefix></Filter><Expiration><Days>30</Days>` +
			`</Expiration></Rule>`, store.Rules{Expires: []string{"of prefix objects/"}}},
		"versions for ever": {"Enabled", "", store.Rules{Versioned: true}},
		"versions": {"Enabled", `<Rule><ID>v</ID><Status>Enabled</Status><Filter/><NoncurrentVersionExpiration><NoncurrentDays>30` +
			`</NoncurrentDays></NoncurrentVersionExpiration></Rule>`, store.Rules{Versioned: true, Cleared: true}},
		"another's objects": {"", `<Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>30</Days>` +
			`</Expiration></Rule>`, store.Rules{}},
		"one kind of names": {"", `<Rule><ID>old</ID><Status>Enabled</Status><Filter><And><Prefix>names/search/a</Prefix><Tag><Key>k</Key>` +
			`<Value>v` +
			`</Value></Tag></And></Filter><Expiration><Days>30</Days></Expiration></Rule>`, store.Rules{Expires: []string{"old"}}},
		"versions by number": {"Enabled", `<Rule><ID>v</ID><Status>Enabled</Status><Filter/><NoncurrentVersionExpiration>` +
			`<NewerNoncurrentVersions>3` +
			`</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>`, store.Rules{Versioned: true, Cleared: true}},
		"versions of blobs alone": {"Enabled", `<Rule><ID>v</ID><Status>Enabled</Status><Filter><Prefix>objects/</Prefix></Filter>` +
			`<NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration></Rule>`, store.Rules{Versioned: true}},
		"another's versions": {"Suspended", `<Rule><ID>v</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter>` +
			`<NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration></Rule>`, store.Rules{Versioned: true}},
		"no such thing": {"no", "no", store.Rules{}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				query := r.URL.Query()
				answer := ""
				switch {
				case query.Has("versioning"):
					answer = c.versioning
				case query.Has("lifecycle"):
					answer = c.lifecycle
				}
				switch {
				case answer == "no":
					w.WriteHeader(http.StatusNotImplemented)
					_, _ = fmt.Fprint(w, `<Error><Code>NotImplemented</Code></Error>`)
				case query.Has("versioning"):
					_, _ = fmt.Fprintf(w, `<VersioningConfiguration><Status>%s</Status></VersioningConfiguration>`, answer)
				case query.Has("lifecycle") && answer == "":
					w.WriteHeader(http.StatusNotFound)
					_, _ = fmt.Fprint(w, `<Error><Code>NoSuchLifecycleConfiguration</Code></Error>`)
				case query.Has("lifecycle"):
					_, _ = fmt.Fprintf(w, lifecycle, answer)
				}
			}))
			defer server.Close()
			s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: server.URL, Bucket: "bucket", Region: "us-east-1",
				AccessKey: "a", SecretKey: "s"})
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Rules(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
