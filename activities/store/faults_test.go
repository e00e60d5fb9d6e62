package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tnaml/activities/store"
)

// Nobody is told to have lost a race that he won: a name's change is sent once,
// and where its answer is lost, that is what is reported.
func TestLostAnswerOfName(t *testing.T) {
	f := &fakeServer{lose: times(1, http.MethodPut)}
	s := openFake(t, f)
	_, err := s.SetName(t.Context(), store.Search, "n", []byte("1"), "")
	if err == nil || errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), `search "n"`) {
		t.Errorf("%v", err)
	}
	if _, puts := f.state(); puts["names/search/n"] != 1 {
		t.Errorf("written: %v", puts)
	}
	if value, _, err := s.GetName(t.Context(), store.Search, "n"); string(value) != "1" || err != nil {
		t.Errorf("%s, %v", value, err)
	}
}

// A blob's write is tried again, finds itself, and is content.
func TestLostAnswerOfBlob(t *testing.T) {
	f := &fakeServer{lose: times(2, http.MethodPut)}
	s := openFake(t, f)
	ref, err := s.Put(t.Context(), []byte("blob"))
	if err != nil {
		t.Fatal(err)
	}
	key := "objects/sha256/" + string(ref[7:9]) + "/" + string(ref[9:])
	if _, puts := f.state(); len(puts) != 1 || puts[key] != 1 {
		t.Errorf("written: %v", puts)
	}
	if got, err := s.Get(t.Context(), ref); string(got) != "blob" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// However a server says that a blob is there, it is read back and left alone.
func TestAlreadyThere(t *testing.T) {
	for _, a := range []struct {
		status int
		code   string
	}{
		{http.StatusPreconditionFailed, "PreconditionFailed"}, {http.StatusPreconditionFailed, ""},
		{http.StatusConflict, "ConditionalRequestConflict"}, {http.StatusConflict, ""}, {http.StatusNotModified, ""},
	} {
		t.Run(fmt.Sprint(a.status, a.code), func(t *testing.T) {
			f := &fakeServer{}
			s := openFake(t, f)
			data := []byte("blob")
			ref, err := s.Put(t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPut {
					answer(w, a.status, a.code, "as the test wants it")
				}
				return r.Method == http.MethodPut
			})
			if again, err := s.Put(t.Context(), data); again != ref || err != nil {
				t.Errorf("%s, %v", again, err)
			}
			// The other way round: refused, yet not there.
			if _, err := s.Put(t.Context(), []byte("another")); err == nil {
				t.Error("a blob that no server took counts as stored")
			}
		})
	}
}

// A blob cut on its way is trouble of the connection, not a corrupt object.
func TestCutBlob(t *testing.T) {
	f := &fakeServer{}
	s := openFake(t, f)
	ref, err := s.Put(t.Context(), bytes.Repeat([]byte("blob"), 1000))
	if err != nil {
		t.Fatal(err)
	}
	f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", "4000")
		_, _ = io.WriteString(w, "blobblob")
		panic(http.ErrAbortHandler)
	})
	data, err := s.Get(t.Context(), ref)
	if err == nil || data != nil || errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrNotFound) ||
		!strings.Contains(err.Error(), string(ref)) {
		t.Errorf("%q, %v", data, err)
	}
}

// A blob that was corrupted on its way is read once more; one that lies corrupt in
// the store is told.
func TestBlobCorruptedOnItsWay(t *testing.T) {
	for times, good := range map[int]bool{1: true, 1000: false} {
		f := &fakeServer{}
		s := openFake(t, f)
		ref, err := s.Put(t.Context(), []byte("blob"))
		if err != nil {
			t.Fatal(err)
		}
		left := times
		f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
			if left--; left < 0 {
				return false
			}
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			_, _ = io.WriteString(w, "blab")
			return true
		})
		if data, err := s.Get(t.Context(), ref); good != (err == nil && string(data) == "blob") || good == errors.Is(err, store.ErrCorrupt) {
			t.Errorf("corrupt %d times: %q, %v", times, data, err)
		}
	}
}

// A large blob that is there is not sent again.
func TestLargeBlobIsAskedForFirst(t *testing.T) {
	f := &fakeServer{}
	s := openFake(t, f)
	data := make([]byte, 1<<20)
	if _, err := s.Put(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			t.Error("sent again")
		}
		return false
	})
	if _, err := s.Put(t.Context(), data); err != nil {
		t.Error(err)
	}
}

// A server that ignores conditions is refused before it can do harm.
func TestConditionsIgnored(t *testing.T) {
	for _, header := range []string{"If-None-Match", "If-Match"} {
		f := &fakeServer{ignores: header}
		s := openFake(t, f)
		for range 2 {
			if _, err := s.SetName(t.Context(), store.Search, "n", []byte("1"), ""); !errors.Is(err, errors.ErrUnsupported) ||
				!strings.Contains(err.Error(), header) {
				t.Errorf("%s: %v", header, err)
			}
		}
		if keys, _ := f.state(); len(keys) > 0 {
			t.Errorf("%s: left behind: %v", header, keys)
		}
	}
	f := &fakeServer{}
	s := openFake(t, f)
	for i := range 3 {
		if _, err := s.SetName(t.Context(), store.Search, fmt.Sprint(i), nil, ""); err != nil {
			t.Fatal(err)
		}
	}
	if keys, puts := f.state(); len(keys) != 3 || len(puts) != 4 {
		t.Errorf("present %v, written %v; want three names, and one probe that is gone", keys, puts)
	}
}

// Why a bucket cannot be opened is what the server says, though its answer to whether the
// bucket is there says nothing: servers answer keys that they do not know with 404.
func TestOpeningSaysWhy(t *testing.T) {
	for _, c := range []struct {
		head, status int
		code, says   string
		class        error
	}{
		{404, 404, "InvalidAccessKeyId", "check access key", store.ErrDenied},
		{404, 403, "InvalidAccessKeyId", "check access key", store.ErrDenied},
		{404, 404, "XAdminUserNotFound", "check access key", store.ErrDenied},
		{403, 403, "RequestTimeTooSkewed", "set the clock", store.ErrDenied},
		{403, 403, "SignatureDoesNotMatch", "check access key, secret key", store.ErrDenied},
		{404, 404, "NoSuchBucket", "create it, or name another", store.ErrNotFound},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(c.head)
				return
			}
			answer(w, c.status, c.code, "as it is")
		}))
		_, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: server.URL, Bucket: "bucket", Region: "us-east-1", AccessKey: "access",
			SecretKey: "s3cret"})
		server.Close()
		if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", c.code, err, c.says)
		}
	}
}

// What went wrong is told apart, for programs and for people.
func TestErrorClasses(t *testing.T) {
	classes := []error{store.ErrNotFound, store.ErrConflict, store.ErrCorrupt, store.ErrDenied}
	for _, c := range []struct {
		status     int
		code, text string
		class      error
		says       string
	}{
		{status: 403, code: "AccessDenied", class: store.ErrDenied, says: "policy"},
		{status: 403, code: "SignatureDoesNotMatch", class: store.ErrDenied, says: "secret key"},
		{status: 403, code: "InvalidAccessKeyId", class: store.ErrDenied, says: "access key"},
		{status: 403, code: "RequestTimeTooSkewed", class: store.ErrDenied, says: "clock"},
		{status: 400, code: "InvalidToken", class: store.ErrDenied},
		{status: 403, class: store.ErrDenied},
		{status: 401, class: store.ErrDenied},
		{status: 404, code: "NoSuchKey", class: store.ErrNotFound},
		{status: 404, class: store.ErrNotFound},
		{status: 404, code: "NoSuchBucket", says: "bucket is gone"},
		{status: 507, code: "XMinioStorageFull", says: "disk is full"},
		{status: 507, code: "InsufficientStorage", says: "disk is full"},
		{status: 507, says: "disk is full"},
		{status: 500, code: "InternalError", text: "write /x: no space left on device", says: "disk is full"},
		{status: 403, code: "QuotaExceeded", says: "disk is full"},
		{status: 400, code: "AuthorizationHeaderMalformed", says: "region"},
		{status: 400, code: "InvalidRequest", text: "as it is", says: "as it is"},
		{status: 503, code: "SlowDown", says: "SlowDown"},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			t.Parallel() // most of the time is spent between tries
			f := &fakeServer{}
			s := openFake(t, f)
			f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
				text := c.text
				if text == "" {
					text = c.code + " it is"
				}
				answer(w, c.status, c.code, text)
				return true
			})
			ref := store.RefOf([]byte("x"))
			_, putErr := s.Put(t.Context(), []byte("x"))
			_, getErr := s.Get(t.Context(), ref)
			_, _, nameErr := s.GetName(t.Context(), store.Search, "n")
			for what, err := range map[string]error{"object " + string(ref): putErr, string(ref): getErr, `search "n"`: nameErr} {
				if err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), c.says) ||
					!strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("%s: %v", what, err)
				}
				for _, class := range classes {
					if errors.Is(err, class) != (class == c.class) {
						t.Errorf("%s: %v: is it %q?", what, err, class)
					}
				}
			}
		})
	}
}

// An object is not taken for absent when its whole bucket is.
func TestBucketGone(t *testing.T) {
	s := openFake(t, &fakeServer{})
	ref := store.RefOf([]byte("x"))
	if ok, err := s.Has(t.Context(), ref); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	gone := goneServer(t)
	if ok, err := gone.Has(t.Context(), ref); ok || err == nil || !strings.Contains(err.Error(), "bucket is gone") {
		t.Errorf("%v, %v", ok, err)
	}
}

// goneServer is a store whose bucket went away after it was opened.
func goneServer(t *testing.T) *store.S3 {
	t.Helper()
	var gone atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if gone.Load() {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: server.URL, Bucket: "bucket", Region: "us-east-1", AccessKey: "a",
		SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	gone.Store(true)
	return s
}

// A server that takes connections and says nothing does not hold a start up.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := store.S3Config{Endpoint: l.Addr().String(), Bucket: "bucket", AccessKey: "a", SecretKey: "s", Region: "us-east-1",
		OpenTimeout: 200 * time.Millisecond}
	start := time.Now()
	_, err = store.OpenS3(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), c.Endpoint) || !strings.Contains(err.Error(), "no answer within 200ms") {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	c.OpenTimeout = 0
	if _, err := store.OpenS3(ctx, c); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "no answer") {
		t.Errorf("canceled: %v", err)
	}
}

// Update gives up, and says so, when others always come first.
func TestUpdateGivesUp(t *testing.T) {
	s := store.NewMemory()
	tries := 0
	ctx, cancel := context.WithCancel(t.Context())
	err := store.Update(ctx, s, store.Search, "n", func(old []byte) ([]byte, error) {
		if (old == nil) != (tries == 0) {
			t.Errorf("try %d sees %q", tries, old)
		}
		_, version, _ := s.GetName(t.Context(), store.Search, "n")
		if _, err := s.SetName(t.Context(), store.Search, "n", []byte{}, version); err != nil {
			t.Error(err)
		}
		if tries++; tries == 5 {
			cancel()
		}
		return []byte("mine"), nil
	})
	if !errors.Is(err, context.Canceled) || tries != 5 {
		t.Errorf("after %d tries: %v", tries, err)
	}
	synctest.Test(t, func(t *testing.T) { // whose clock needs no waiting
		start := time.Now()
		err := store.Update(t.Context(), alwaysChanged{s}, store.Search, "n", func([]byte) ([]byte, error) { return []byte("mine"), nil })
		if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "30 times in a row") {
			t.Errorf("%v", err)
		}
		if d := time.Since(start); d < 10*time.Second || d > time.Minute {
			t.Errorf("waited %v in all", d)
		}
	})
}

// alwaysChanged is a store where somebody else is always faster.
type alwaysChanged struct{ store.Store }

func (alwaysChanged) SetName(context.Context, store.Kind, string, []byte, store.Version) (store.Version, error) {
	return "", store.ErrConflict
}

// copyResult is the answer to a copy.
const copyResult = `<CopyObjectResult><ETag>"e"</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></CopyObjectResult>`

// A machine that slept between copying a blob to the trash and removing it leaves
// the blob where it is: others may count on it by now.
func TestDiscardIsNotFinishedLate(t *testing.T) {
	for took, late := range map[time.Duration]bool{time.Second: false, 14 * time.Minute: false, 16 * time.Minute: true, -time.Second: true} {
		f, failed := new(fakeServer), false
		s := openFake(t, f)
		ref, err := s.Put(t.Context(), []byte("blob"))
		if err != nil {
			t.Fatal(err)
		}
		var slept atomic.Int64
		s.SetClock(func() time.Time { return time.Unix(1e9, slept.Load()) })
		f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodDelete && !failed { // a failure is no sleep: it is tried again
				failed = true
				answer(w, http.StatusTooManyRequests, "TooManyRequests", "reduce your request rate")
				return true
			}
			if r.Header.Get("X-Amz-Copy-Source") == "" {
				return false
			}
			slept.Store(int64(took))
			_, _ = io.WriteString(w, copyResult)
			return true
		})
		err = s.Discard(t.Context(), ref)
		keys, _ := f.state()
		if late != (err != nil) || late != (len(keys) == 1) || late && !strings.Contains(err.Error(), "stays where it is") {
			t.Errorf("%v between the steps: %v, and there is %v", took, err, keys)
		}
	}
}

// discardWith discards a blob on a server that answers its copies so, and returns how many
// these were and what is left.
func discardWith(t *testing.T, copied func(w http.ResponseWriter, nth int)) (copies int, keys []string, err error) {
	t.Helper()
	f := new(fakeServer)
	s := openFake(t, f)
	ref, err := s.Put(t.Context(), []byte("blob"))
	if err != nil {
		t.Fatal(err)
	}
	f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("X-Amz-Copy-Source") == "" {
			return false
		}
		copies++
		copied(w, copies)
		return true
	})
	err = s.Discard(t.Context(), ref)
	keys, _ = f.state()
	return copies, keys, err
}

// A server that breaks while it copies a blob which another sweep takes away is
// asked again, more often than the client asks by itself.
func TestDiscardIsPatient(t *testing.T) {
	for failures, gone := range map[int]bool{4: false, 5: true, 100: false} {
		copies, keys, err := discardWith(t, func(w http.ResponseWriter, nth int) {
			switch {
			case nth <= failures:
				answer(w, http.StatusInternalServerError, "InternalError", "we encountered an internal error")
			case gone:
				answer(w, http.StatusNotFound, "NoSuchKey", "there is none")
			default:
				_, _ = io.WriteString(w, copyResult)
			}
		})
		stays := gone || failures == 100
		if (failures == 100) != (err != nil) || stays != (len(keys) == 1) || copies > 9 {
			t.Errorf("%d failures: %v after %d copies, and there is %v", failures, err, copies, keys)
		}
	}
}

// A server that keeps objects as files may refuse a write because its directory
// went away with the last file in it: the write is sent again, and never taken for
// a name that another has changed.
func TestDirectoryGone(t *testing.T) {
	for _, failures := range []int{2, 100} {
		f := new(fakeServer)
		s := openFake(t, f)
		writes := map[string]int{}
		f.breakWith(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || failures == 100 && strings.Contains(r.URL.Path, "/probes/") {
				return false
			}
			if writes[r.URL.Path]++; writes[r.URL.Path] > failures {
				return false
			}
			answer(w, http.StatusConflict, "ExistingObjectIsDirectory", "Existing Object is a directory.")
			return true
		})
		_, put := s.Put(t.Context(), []byte("blob"))
		_, set := s.SetName(t.Context(), store.Search, "name", []byte("value"), "")
		if failed := failures == 100; failed != (put != nil) || failed != (set != nil) || errors.Is(set, store.ErrConflict) {
			t.Errorf("%d failures: put %v, set name %v", failures, put, set)
		}
	}
}

// A full disk does not pass by asking again.
func TestDiscardOnAFullDisk(t *testing.T) {
	for status, code := range map[int]string{
		http.StatusInsufficientStorage: "XMinioStorageFull", http.StatusNotImplemented: "NotImplemented",
	} {
		copies, _, err := discardWith(t, func(w http.ResponseWriter, _ int) { answer(w, status, code, "it cannot be done") })
		if err == nil || copies != 1 {
			t.Errorf("%s: %v after %d copies", code, err, copies)
		}
	}
}
