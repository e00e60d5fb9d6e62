package store

import "testing"

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a/b", ".", "%", "é", "a.b"} {
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
