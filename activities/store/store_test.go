package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"tnaml/activities/store"
	"tnaml/activities/store/storetest"
	"tnaml/deploy/stack/stacktest"
)

func TestMemory(t *testing.T) {
	s := store.NewMemory()
	storetest.Run(t, func(*testing.T) store.Store { return s },
		storetest.Damage(func(_ *testing.T, ref store.Ref, data []byte) { s.Damage(ref, data) }))
}

// suite runs the conformance suite against a server, in a bucket of its own.
func suite(t *testing.T, c store.S3Config) {
	c.Bucket, c.CreateBucket = fmt.Sprintf("conformance-%d", time.Now().UnixNano()), true
	s, err := store.OpenS3(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := minio.NewCore(c.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Region: c.Region,
		BucketLookup: minio.BucketLookupPath})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(*testing.T) store.Store { return s }, storetest.Damage(func(t *testing.T, ref store.Ref, data []byte) {
		digits := strings.TrimPrefix(string(ref), "sha256:")
		key := "objects/sha256/" + digits[:2] + "/" + digits[2:]
		sum := sha256.Sum256(data)
		if _, err := raw.PutObject(t.Context(), c.Bucket, key, bytes.NewReader(data), int64(len(data)), "", hex.EncodeToString(sum[:]),
			minio.PutObjectOptions{DisableContentSha256: true}); err != nil {
			t.Fatal(err)
		}
	}))
	t.Run("nothing is left", func(t *testing.T) { // of probes and of the suite's trash
		for _, prefix := range []string{"probes/", "trash/"} {
			for o := range raw.Client.ListObjects(t.Context(), c.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
				t.Errorf("%s, %v", o.Key, o.Err)
			}
		}
	})
	t.Run("opened twice", func(t *testing.T) {
		again, err := store.OpenS3(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := s.Put(t.Context(), []byte(t.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.Get(t.Context(), ref); string(got) != t.Name() || err != nil {
			t.Errorf("%s, %v", got, err)
		}
	})
	t.Run("no region given", func(t *testing.T) {
		anywhere := c
		anywhere.Region = ""
		s, err := store.OpenS3(t.Context(), anywhere)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetName(t.Context(), store.Search, t.Name(), []byte("{}"), ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("keys", func(t *testing.T) { // as FORMAT.md has them
		if _, err := s.SetName(t.Context(), store.Controller, "text/größe", []byte("{}"), ""); err != nil {
			t.Fatal(err)
		}
		form := regexp.MustCompile(`^(objects/sha256/[0-9a-f]{2}/[0-9a-f]{62}|trash/sha256/[0-9a-f]{2}/[0-9a-f]{62}/[a-z2-7]{26}|` +
			`names/[a-z-]+/[-_.%A-Za-z0-9]{1,255})$`)
		found := false
		for o := range raw.Client.ListObjects(t.Context(), c.Bucket, minio.ListObjectsOptions{Recursive: true}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			if !form.MatchString(o.Key) {
				t.Errorf("an unexpected key %q", o.Key)
			}
			found = found || o.Key == "names/controller/text%2Fgr%C3%B6%C3%9Fe"
		}
		if !found {
			t.Error("the name is not where the format says")
		}
	})
	t.Run("wrong secret", func(t *testing.T) {
		wrong := c
		wrong.SecretKey = "not-the-secret"
		_, err := store.OpenS3(t.Context(), wrong)
		if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "secret key") {
			t.Errorf("%v", err)
		}
		if err != nil && (strings.Contains(err.Error(), wrong.SecretKey) || strings.Contains(err.Error(), c.SecretKey)) {
			t.Error("the error shows the secret")
		}
	})
	t.Run("no such bucket", func(t *testing.T) {
		none := c
		none.Bucket, none.CreateBucket = "no-such-bucket", false
		if _, err := store.OpenS3(t.Context(), none); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), "no-such-bucket") {
			t.Errorf("%v", err)
		}
	})
}

func TestMinIO(t *testing.T) {
	endpoint := os.Getenv("TNAML_TEST_MINIO_ENDPOINT")
	if endpoint == "" {
		t.Skip("TNAML_TEST_MINIO_ENDPOINT is not set: the suite against MinIO runs in CI (see .ci/minio.sh)")
	}
	suite(t, store.S3Config{
		Endpoint: endpoint, Region: "us-east-1",
		AccessKey: os.Getenv("TNAML_TEST_MINIO_ACCESS_KEY"), SecretKey: os.Getenv("TNAML_TEST_MINIO_SECRET_KEY"),
	})
}

func TestUnreachable(t *testing.T) {
	address := stacktest.Deaf(t)
	_, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: address, Bucket: "bucket", AccessKey: "a", SecretKey: "s3cret",
		Region: "us-east-1"})
	if err == nil || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "is the server running") {
		t.Errorf("%v", err)
	}
}

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{"", "ftp://host", "http://user:password@host", "http://host/path", "host/path", "http://"} {
		_, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: endpoint, Bucket: "b"})
		if err == nil || !strings.Contains(err.Error(), "endpoint") {
			t.Errorf("%q: %v", endpoint, err)
		}
		if err != nil && strings.Contains(err.Error(), "password") {
			t.Error("the error shows a password")
		}
	}
	if _, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: "localhost:1"}); err == nil || !strings.Contains(err.Error(), "bucket") {
		t.Errorf("no bucket: %v", err)
	}
}

func TestConfigKeepsItsSecrets(t *testing.T) {
	c := store.S3Config{Endpoint: "host:1", Bucket: "b", AccessKey: "acc3ss", SecretKey: "s3cret", SessionToken: "t0ken"}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprintf("%d %q %x", c, &c, c), string(b),
		c.LogValue().String()} {
		if strings.Contains(s, "s3cret") || strings.Contains(s, "t0ken") || !strings.Contains(s, "host:1") {
			t.Error(s)
		}
	}
	c.Endpoint = "http://user:passw0rd@host:1"
	if s := fmt.Sprintf("%v %+v %#v %d", c, c, &c, c); strings.Contains(s, "passw0rd") {
		t.Error(s)
	}
	c.Endpoint, c.Bucket = "host\a:1", "\x00"
	if b, err = json.Marshal(c); err != nil || !json.Valid(b) {
		t.Errorf("%s, %v", b, err)
	}
	s := openFake(t, &fakeServer{})
	if out := fmt.Sprintf("%v %+v %#v %d", s, s, *s, s); strings.Contains(out, "s3cret") || strings.Contains(out, "access") ||
		!strings.Contains(out, "127.0.0.1") {
		t.Error(out)
	}
}

// Without keys the usual chain is asked: the environment, then the machine.
func TestCredentialChain(t *testing.T) {
	empty := t.TempDir()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", empty)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(empty, "credentials"))
	var role, signed atomic.Value
	role.Store("")
	signed.Store("")
	machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if role.Load() == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"AccessKeyID":%q,"SecretAccessKey":"s","Expiration":"2999-01-01T00:00:00Z"}`, role.Load())
	}))
	defer machine.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", machine.URL)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		signed.Store(r.Header.Get("Authorization"))
	}))
	defer server.Close()
	c := store.S3Config{Endpoint: server.URL, Bucket: "bucket", Region: "us-east-1"}

	_, err := store.OpenS3(t.Context(), c)
	if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") || signed.Load() != "" {
		t.Errorf("no credentials: %v", err)
	}
	open := func(key string) {
		t.Helper()
		if _, err := store.OpenS3(t.Context(), c); err != nil || !strings.Contains(signed.Load().(string), "Credential="+key+"/") {
			t.Errorf("signed %q, not by %s: %v", signed.Load(), key, err)
		}
	}
	role.Store("FROMMACHINE")
	open("FROMMACHINE")
	if err := os.WriteFile(filepath.Join(empty, "credentials"), []byte("[default]\naws_access_key_id = FROMFILE\naws_secret_access_key = s\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	open("FROMFILE")
	t.Setenv("AWS_ACCESS_KEY_ID", "FROMENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	open("FROMENV")
	c.AccessKey, c.SecretKey = "GIVEN", "s"
	open("GIVEN")
	for _, half := range []store.S3Config{{AccessKey: "a"}, {SecretKey: "s3cret"}} {
		half.Endpoint, half.Bucket = c.Endpoint, c.Bucket
		if _, err := store.OpenS3(t.Context(), half); err == nil || !strings.Contains(err.Error(), "go together") ||
			strings.Contains(err.Error(), "s3cret") {
			t.Errorf("half of the keys: %v", err)
		}
	}
}

// The way out of a mistaken scheme is in the error.
func TestSchemes(t *testing.T) {
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	plain, secure := httptest.NewServer(ok), httptest.NewTLSServer(ok)
	defer plain.Close()
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	for endpoint, says := range map[string]string{
		strings.Replace(plain.URL, "http:", "https:", 1): "turn TLS off",
		secure.URL: "TNAML_S3_CA_FILE",
		strings.Replace(secure.URL, "https:", "http:", 1): "turn TLS on",
	} {
		_, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: endpoint, Bucket: "bucket", Region: "us-east-1", AccessKey: "a",
			SecretKey: "s"})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestParseRef(t *testing.T) {
	ref := store.RefOf([]byte("abc"))
	if ref != "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("%s", ref)
	}
	if got, err := store.ParseRef(string(ref)); got != ref || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func FuzzParseRef(f *testing.F) {
	good := string(store.RefOf(nil))
	for _, s := range []string{"", good, strings.ToUpper(good), good[1:], good + "0", "sha256:" + good, good[:70] + "\n"} {
		f.Add(s)
	}
	form := regexp.MustCompile(`\Asha256:[0-9a-f]{64}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := store.ParseRef(s)
		if (err == nil) != form.MatchString(s) {
			t.Errorf("%q: %v", s, err)
		}
		if err == nil && string(ref) != s || err != nil && ref != "" {
			t.Errorf("%q became %q", s, ref)
		}
	})
}

func ExampleUpdate() {
	ctx, s := context.Background(), store.NewMemory()
	for range 3 {
		err := store.Update(ctx, s, store.Experiment, "counter", func(old []byte) ([]byte, error) {
			n := 0
			if old != nil {
				if err := json.Unmarshal(old, &n); err != nil {
					return nil, err
				}
			}
			return json.Marshal(n + 1)
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	value, _, _ := s.GetName(ctx, store.Experiment, "counter")
	fmt.Printf("%s\n", value)
	// Output: 3
}
