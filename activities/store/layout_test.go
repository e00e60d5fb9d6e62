package store

import (
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	for name, want := range map[string]string{
		"sms_spam": "sms_spam", "a/b": "a%2Fb", "v1.2": "v1.2", ".": "%2E", "..": "%2E.", ".hidden": "%2Ehidden",
		"100%": "100%25", "größe": "gr%C3%B6%C3%9Fe", "a b\n": "a%20b%0A", "\xff": "%FF",
	} {
		if key, err := nameKey(Dataset, name); key != "names/dataset/"+want || err != nil {
			t.Errorf("%q: %s, %v", name, key, err)
		}
	}
	for _, kind := range []Kind{"", "a/b", "..", "Data", "a%"} {
		if _, err := nameKey(kind, "n"); err == nil {
			t.Errorf("kind %q was taken", kind)
		}
	}
	if key, err := blobKey(RefOf([]byte("abc"))); key != "objects/sha256/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" ||
		err != nil {
		t.Errorf("%s, %v", key, err)
	}
}

func TestSizeLimit(t *testing.T) {
	if err := checkSize(5 << 30); err != nil {
		t.Error(err)
	}
	if err := checkSize(5<<30 + 1); err == nil || !strings.Contains(err.Error(), "larger than one PUT") {
		t.Error(err)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a/b", ".", "%", "%2", "%2f", "%41", "é", "a.b", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if back, err := unescape(escape(s)); err != nil || back != s {
			t.Errorf("%q became %q, %v", s, back, err)
		}
		if back, err := unescape(s); err == nil && escape(back) != s {
			t.Errorf("%q is not the escape of %q", s, back)
		}
	})
}
