package store_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"tnaml/activities/store"
)

// Whatever bit of a name's value is flipped, in the bucket or on the way, the value is
// not handed out, and not written over.
func TestNamesAreVerified(t *testing.T) {
	f := &fakeServer{}
	s := openFake(t, f)
	ctx := t.Context()
	for _, name := range []string{"n", "twin"} {
		if _, err := s.SetName(ctx, store.Search, name, []byte(`{"status":"completed","of":"`+name+`"}`), ""); err != nil {
			t.Fatal(err)
		}
	}
	const key = "names/search/n"
	good, twin := bytes.Clone(f.objects[key]), bytes.Clone(f.objects["names/search/twin"])
	damage := map[string][]byte{"cut": good[:len(good)-4], "empty": {}, "another name's": twin}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 4
		damage["flipped in "+string(good[i:])] = bad
	}
	for what, bad := range damage {
		f.objects[key] = bad
		value, _, err := s.GetName(ctx, store.Search, "n")
		if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), `search "n"`) {
			t.Fatalf("%s: %s, %v", what, value, err)
		}
		err = store.Update(ctx, s, store.Search, "n", func([]byte) ([]byte, error) { return []byte("{}"), nil })
		if !errors.Is(err, store.ErrCorrupt) || !bytes.Equal(f.objects[key], bad) {
			t.Errorf("%s: an update of what is damaged: %v", what, err)
		}
	}
	f.objects[key] = good
	reads := 0
	f.breakWith(func(w http.ResponseWriter, r *http.Request) bool { // the first answer only
		if reads++; r.Method != http.MethodGet || reads > 1 {
			return false
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = w.Write(bytes.Replace(good, []byte("completed"), []byte("complated"), 1))
		return true
	})
	if value, _, err := s.GetName(ctx, store.Search, "n"); err != nil || !strings.Contains(string(value), "completed") || reads != 2 {
		t.Errorf("flipped on the way: %s, %v after %d reads", value, err, reads)
	}
}
