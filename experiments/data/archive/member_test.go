package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"tnaml/experiments/data/archive/archivetest"
)

func TestMember(t *testing.T) {
	two := archivetest.Zip("v/", "", "v/a.txt", "A", "b.txt", "B", "__MACOSX/v/._a.txt", "x")
	twice := archivetest.Zip("a.txt", "top", "v/a.txt", "A", "w/b.txt", "B", "v/b.txt", "b")
	again := archivetest.Zip("a.txt", "1", "v/b.txt", "B", "a.txt", "2", "v/a.txt", "3")
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprintf("%02d.txt", i), "")
	}
	for _, c := range []struct {
		zip          []byte
		member, want string // what it holds, or what the error says after "!"
	}{
		{two, "v/a.txt", "A"},
		{two, "a.txt", "A"}, // repacked in a folder, it is the same file
		{two, "./b.txt", "B"},
		{two, "c.txt", `!x.zip: there is no file "c.txt" in the archive; there are: b.txt, v/a.txt`},
		{two, "", "!say which of them: b.txt, v/a.txt"},
		{archivetest.Zip("only.vec", "1"), "", "1"},
		{twice, "a.txt", "top"},
		{twice, "b.txt", `!2 files "b.txt" are in the archive, give the path of one`},
		{archivetest.Zip(many...), "x", "!09.txt, and 20 more"},
		{archivetest.Zip(), "x", "!there is no file in the archive"},
		{again, "a.txt", `!x.zip: 2 files of the one path "a.txt" are in the archive`},
		{again, "v/b.txt", "B"},
		{again, "b.txt", "B"},
		{archivetest.Zip("a.txt", "1", "./a.txt", "2"), "", `!2 files of the one path "a.txt"`},
		{[]byte("no archive at all"), "x", "!x.zip: the directory at the end of its 17 bytes"},
	} {
		got := ""
		e, err := Member(bytes.NewReader(c.zip), int64(len(c.zip)), "x.zip", c.member)
		if err == nil {
			var r io.ReadCloser
			if r, err = e.Open(); err == nil {
				var b []byte
				b, err = io.ReadAll(r)
				got = string(b)
				r.Close()
			}
		}
		var choice *ChoiceError
		if mends := strings.Contains(c.want, "there are") || strings.Contains(c.want, "say which") || strings.Contains(c.want, "path of one") ||
			strings.Contains(c.want, "more"); errors.As(err, &choice) != mends {
			t.Errorf("%q: another choice mends %v: %v", c.member, err, !mends)
		}
		says, bad := strings.CutPrefix(c.want, "!")
		if bad != (err != nil) || bad && !strings.Contains(err.Error(), says) || !bad && got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.member, got, err, c.want)
		}
	}
}
