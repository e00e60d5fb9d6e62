package corpora

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"tnaml/experiments/data/labelled"
)

// savedByMac is what becomes of a text whose UTF-8 a program takes for
// Windows-1252 and saves as Mac Roman, in the characters of Mac Roman.
func savedByMac(s string) string {
	var b strings.Builder
	for _, r := range misread(s) {
		c, ok := charmap.Macintosh.EncodeRune(r)
		switch {
		case r >= 0x80 && r < 0xa0:
			c = byte(r)
		case !ok:
			c = '_'
		}
		b.WriteRune(charmap.Macintosh.DecodeByte(c))
	}
	return b.String()
}

// Of the real tweets beyond ASCII, most survive the way that CrowdFlower's
// files have taken.
func TestRealRepair(t *testing.T) {
	dir := os.Getenv("TNAML_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	steps, err := parseRepair([]string{savedAsMac + ">utf-8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"airline", "disasters", "corp_messaging", "political_bias"} {
		path := filepath.Join(dir, "text", name, "data.tsv.gz")
		f, err := os.Open(path)
		if err != nil {
			t.Skipf("the data set is not there: %v (TNAML_DATA)", err)
		}
		examples, err := labelled.Read(f, path, labelled.Options{})
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		damaged, whole := 0, 0
		for _, e := range examples {
			if bad := savedByMac(e.Text); bad != e.Text {
				damaged++
				if repair(bad, steps) == e.Text {
					whole++
				}
			} else if got := repair(e.Text, steps); got != e.Text {
				t.Errorf("%s: %q was whole and became %q", name, e.Text, got)
			}
		}
		t.Logf("%s: %d of %d damaged texts repaired", name, whole, damaged)
		if damaged == 0 || float64(whole) < .8*float64(damaged) {
			t.Errorf("%s: %d of %d damaged texts repaired", name, whole, damaged)
		}
	}
}
