package archive

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"tnaml/experiments/data/archive/archivetest"
)

func TestMember(t *testing.T) {
	two := archivetest.Zip("v/", "", "v/a.txt", "A", "b.txt", "B", "__MACOSX/v/._a.txt", "x")
	twice := archivetest.Zip("a.txt", "top", "v/a.txt", "A", "w/b.txt", "B", "v/b.txt", "b")
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
		says, bad := strings.CutPrefix(c.want, "!")
		if bad != (err != nil) || bad && !strings.Contains(err.Error(), says) || !bad && got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.member, got, err, c.want)
		}
	}
}
