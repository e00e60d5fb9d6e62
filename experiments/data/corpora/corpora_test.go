package corpora

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive/archivetest"
	"tnaml/experiments/data/text"
)

// file is a name and contents, of an archive's member or a source.
type file struct{ name, text string }

func source(name string, b []byte) Source { return Source{name, bytes.NewReader(b), int64(len(b))} }

// pairs are names and contents, as archivetest takes them.
func pairs(files []file) (out []string) {
	for _, f := range files {
		out = append(out, f.name, f.text)
	}
	return out
}

func zipped(files ...file) []byte { return archivetest.Zip(pairs(files)...) }
func tarred(files ...file) []byte { return archivetest.Gzip(archivetest.Tar(pairs(files)...)) }

// show is examples in one line each: split, label, text.
func show(examples []text.Example) string {
	var b strings.Builder
	for _, e := range examples {
		fmt.Fprintf(&b, "%s|%s|%s\n", e.Split, e.Label, e.Text)
	}
	return b.String()
}

func encoded(m *charmap.Charmap, s string) string {
	out, err := m.NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return out
}

// misread is what becomes of UTF-8 that a program takes for Windows-1252.
func misread(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch c {
		case 0x81, 0x8d, 0x8f, 0x90, 0x9d:
			b.WriteRune(rune(c))
		default:
			b.WriteRune(charmap.Windows1252.DecodeByte(c))
		}
	}
	return b.String()
}

func TestExamples(t *testing.T) {
	one := []Part{{}}
	for _, c := range []struct {
		name    string
		recipe  Recipe
		sources []Source
		want    string
		dropped int
	}{
		{"csv", Recipe{As: Table, Parts: one, Text: "tweet", Label: "mood", Drop: []string{"unsure", ""},
			Labels: map[string]string{"y": "yes", "n": "no"}},
			[]Source{source("a.csv", []byte("\ufeffid,mood,tweet\n1,y,\"a, \"\"b\"\"\nc\"\n2,unsure,x\n3,n,d\n4,,e\n"))},
			"|yes|a, \"b\"\nc\n|no|d\n", 2},
		{"empty label named", Recipe{As: Table, Parts: one, Labels: map[string]string{"": "no", "1": "yes"}},
			[]Source{source("a.csv", []byte("label,text\n,a\n1,b\n"))}, "|no|a\n|yes|b\n", 0},
		{"tsv in zip", Recipe{As: Table, Parts: []Part{{Member: "**/Spam"}}, Columns: []string{"label", "text"}, Delimiter: "\t", Literal: true},
			[]Source{source("a.zip", zipped(file{"readme", "x"}, file{"deep/er/Spam", "ham\t\"quoted\r\nspam\tb"}, file{"__MACOSX/Spam", "x"}))},
			"|ham|\"quoted\n|spam|b\n", 0},
		{"two tables with splits", Recipe{As: Table, Parts: []Part{{File: "a", Split: data.Train}, {File: "b", Split: data.Test}},
			Columns: []string{"label", "text"}},
			[]Source{source("b", archivetest.Gzip([]byte("y,2"))), source("a", []byte("x,1"))}, "train|x|1\ntest|y|2\n", 0},
		{"conditions", Recipe{As: Table, Parts: one,
			Where: []Condition{{Column: "text", Filled: true}, {Column: "day", From: "2015-03-19", To: "2017-07-31"}}},
			[]Source{source("a", []byte("day,label,text\n2015-03-18,a,early\n2015-03-19,a,in\n"+
				"2016-01-01,b, \n2017-07-31,b,in too\n2017-08-01,b,late\n"))}, "|a|in\n|b|in too\n", 3},
		{"carriage returns and Mac Roman", Recipe{As: Table, Parts: one, CR: true, Encoding: "macintosh", Repair: []string{"windows-1252>utf-8"}},
			[]Source{source("a", []byte("label,text\ra,don"+encoded(charmap.Macintosh, "â€™")+"t\rb,ok\r"))}, "|a|don’t\n|b|ok\n", 0},
		{"carriage returns and line feeds", Recipe{As: Table, Parts: one, CR: true},
			[]Source{source("a", []byte("label,text\r\na,b\r\nc,d\r\n"))}, "|a|b\n|c|d\n", 0},
		{"two encodings in one file", Recipe{As: Table, Parts: one, Encoding: "utf-8|windows-1252"},
			[]Source{source("a", []byte("label,text\na,é\nb,\xe9\n"))}, "|a|é\n|b|é\n", 0},
		{"folders", Recipe{As: Folders, Parts: []Part{{Member: "acl/{split}/{label}/*.txt"}}, Drop: []string{"unsup"}},
			[]Source{source("a.tgz", tarred(file{"acl/train/pos/1_9.txt", "good"}, file{"acl/train/urls.txt", "x"},
				file{"acl/test/neg/2.txt", "bad"}, file{"acl/train/unsup/0.txt", "?"},
				file{"acl/train/neg/0.txt", "awful"}, file{"acl/train/neg/._0.txt", "x"}))}, "test|neg|bad\ntrain|neg|awful\ntrain|pos|good\n", 1},
		{"folders with the split in the name",
			Recipe{As: Folders, Parts: []Part{{Member: "news-{split}/{label}/*"}}, Encoding: "iso-8859-1:1987"},
			[]Source{source("a", tarred(file{"news-test/alt.x/9", "caf\xe9 \x93"}, file{"news-train/sci.y/1", "b"}))},
			"test|alt.x|café \u0093\ntrain|sci.y|b\n", 0},
		{"a label a file", Recipe{As: Lines, Parts: []Part{{Member: "**/plot", Label: "objective"}, {Member: "**/quote", Label: "subjective"}},
			Encoding: "utf-8|windows-1252"},
			[]Source{source("a", tarred(file{"quote", "caf\xe9 .\n\n b \n"}, file{"x/plot", "a"}))},
			"|objective|a\n|subjective|café .\n|subjective|b\n", 0},
		{"labelled lines", Recipe{As: LabelledLines, Parts: one, Labels: map[string]string{"0": "neg", "1": "pos"}},
			[]Source{source("a", []byte("1 a  b\n0 c\n1  \" d\n"))}, "|pos|a  b\n|neg|c\n|pos|\" d\n", 0},
		{"paired lines", Recipe{As: PairedLines, Parts: []Part{{File: "t", Labels: "l", Split: data.Validation}},
			Labels: map[string]string{"0": "neg", "2": "pos"}},
			[]Source{source("t", []byte("a\nb\n")), source("l", []byte("2\n0\n"))}, "validation|pos|a\nvalidation|neg|b\n", 0},
		{"reviews", Recipe{As: Reviews, Parts: []Part{{Member: "**/*.txt"}}},
			[]Source{source("a.zip", zipped(file{"customer review data/b.txt",
				"* remark\n[t]title [+1]\nfeel[-2], look[+1]##so so .\n##no opinion\nscreen[+2][u],sound[+2]##great #1 .\nbad[+1],good[-1]##even\n"},
				file{"customer review data/a.txt", "x[-1]##meh"}, file{"customer review data/readme", "x[+1]##no"}))},
			"|negative|meh\n|negative|so so .\n|positive|great #1 .\n", 2},
		{"trees", Recipe{As: Trees, Parts: []Part{{Member: "trees/train.txt", Split: data.Train}},
			Labels: map[string]string{"0": "neg", "4": "pos"}, Drop: []string{"2"}},
			[]Source{source("a.zip", zipped(file{"trees/train.txt", "(4 (2 A) (3 (3 fine) (2 -LRB-)))\n(2 (2 so) (2 so))\n(0 bad)\n"}))},
			"train|pos|A fine (\ntrain|neg|bad\n", 1},
		{"brown", Recipe{As: Brown, Parts: []Part{{Member: "brown/*"}}},
			[]Source{source("a.zip", zipped(file{"brown/cats.txt", "ca01 news\ncb01 editorial\n"}, file{"brown/cb01", "1/2/cd of/in it/pps\n"},
				file{"brown/ca01", "\n\tThe/at Jury/nn-tl\n\n ./.\n"}, file{"brown/README", "x"}))},
			"|news|The Jury .\n|editorial|1/2 of it\n", 0},
		{"brown with tags", Recipe{As: Brown, Parts: []Part{{Member: "brown/*"}}, Tagged: true},
			[]Source{source("a.zip", zipped(file{"brown/cats.txt", "ca01 news\n"}, file{"brown/ca01", "The/at\nJury/nn-tl"}))},
			"|news|The/at Jury/nn-tl\n", 0},
		{"muchocine", Recipe{As: Muchocine, Parts: []Part{{Member: "**/*.xml"}}, Encoding: "windows-1252",
			Labels: map[string]string{"1": "neg", "5": "pos"}, Drop: []string{"3"}},
			[]Source{source("a.zip", zipped(file{"c/1.xml",
				"<?xml?><review author=\"a\" rank=\"5\" maxRank=\"5\">\n" +
					"<summary>s</summary><body>Qu\xe9 <b>bien</b> &ldquo;x&rdquo;\n & m\xe1s</body></review>"},
				file{"c/2.xml", "<review rank=\"3\"><body>x</body></review>"}, file{"c/3.xml", "<review rank=\"1\"><body>mal</body></review>"}))},
			"|pos|Qué <b>bien</b> “x” & más\n|neg|mal\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			examples, report, err := c.recipe.Examples(c.sources)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(examples); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if report.Examples != len(examples) || report.Dropped != c.dropped || report.Skipped != 0 {
				t.Errorf("%+v, want %d dropped", report, c.dropped)
			}
		})
	}
}

func TestExamplesRefuses(t *testing.T) {
	one := []Part{{}}
	for _, c := range []struct {
		name   string
		recipe Recipe
		source Source
		wants  []string
	}{
		{"no column", Recipe{As: Table, Parts: one, Text: "body", Where: []Condition{{Column: "day"}}}, source("a.csv", []byte("label,text\n")),
			[]string{"a.csv", `no column "body"`, `"label" "text"`, `no column "day"`}},
		{"unknown label", Recipe{As: Table, Parts: one, Labels: map[string]string{"x": "y"}}, source("a", []byte("label,text\nz,b\n")),
			[]string{"line 2", `unknown label "z"`}},
		{"no label", Recipe{As: Table, Parts: one}, source("a", []byte("label,text\n,b\n")), []string{"line 2", "no label"}},
		{"columns", Recipe{As: Table, Parts: one}, source("a", []byte("label,text\na,b,c\n")),
			[]string{"line 2: 3 columns where there should be 2", "1 of 1"}},
		{"not UTF-8", Recipe{As: Table, Parts: one}, source("a", []byte("label,text\na,\xff\n")), []string{"line 2", "UTF-8"}},
		{"many problems", Recipe{As: LabelledLines, Parts: one, Labels: map[string]string{"1": "y"}},
			source("a", []byte(strings.Repeat("0 a\n", 30))), []string{"30 of 30", "line 10", "and 20 more"}},
		{"empty", Recipe{As: Table, Parts: one}, source("a", nil), []string{"no header line"}},
		{"nothing left", Recipe{As: Table, Parts: one, Drop: []string{"a"}}, source("a", []byte("label,text\na,b\n")),
			[]string{"no examples", "1 left out"}},
		{"zip for a table", Recipe{As: Table, Parts: one}, source("a", zipped(file{"x", "y"})),
			[]string{"a zip archive where a plain file was expected"}},
		{"a link for a table", Recipe{As: Table, Parts: []Part{{Member: "x"}}}, source("a", archivetest.ZipOf("x", fs.ModeSymlink|0o644, "../x")),
			[]string{"a: x: ", "no regular file"}},
		{"plain for a zip", Recipe{As: Table, Parts: []Part{{Member: "x"}}}, source("a", []byte("label,text\n")), []string{"a: ", "zip"}},
		{"no member", Recipe{As: Table, Parts: []Part{{Member: "x"}}}, source("a", zipped(file{"y", ""})), []string{`no member "x"`}},
		{"no members", Recipe{As: Folders, Parts: []Part{{Member: "{label}/x"}}}, source("a", tarred(file{"y", ""})), []string{"no members"}},
		{"cut off", Recipe{As: Folders, Parts: []Part{{Member: "{label}/*"}}}, source("a", tarred(file{"y/x", strings.Repeat("a", 2000)})[:40]),
			[]string{"a: "}},
		{"trees", Recipe{As: Trees, Parts: one}, source("a", []byte("(1 (2 a)\n1 a\n(1 a))\n()\n(1)\n")),
			[]string{"5 of 5", "line 1", "line 2", "line 3", "line 4", "line 5"}},
		{"no genres", Recipe{As: Brown, Parts: []Part{{Member: "brown/*"}}}, source("a", zipped(file{"brown/ca01", "x"})), []string{"no genres"}},
		{"no rank", Recipe{As: Muchocine, Parts: one}, source("a", []byte("<review><body>x</body></review>")), []string{"no rank"}},
		{"pairs", Recipe{As: PairedLines, Parts: []Part{{File: "a", Labels: "a"}}}, source("a", []byte("x\x00\xff")), []string{"UTF-8"}},
		{"no source", Recipe{As: Table, Parts: []Part{{File: "b"}}}, source("a", nil), []string{`no file "b" among ["a"]`}},
		{"images", Recipe{As: IDX, Parts: []Part{{Labels: "l"}}}, source("a", nil), []string{"holds no texts"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := c.recipe.Examples([]Source{c.source})
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.wants {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in: %v", w, err)
				}
			}
		})
	}
}

// A few bad rows among many are left out and reported; public files have them.
func TestTolerance(t *testing.T) {
	b := []byte("label,text\n" + strings.Repeat("a,b\n", 1000) + "a,b,c\n")
	_, report, err := Recipe{As: Table, Parts: []Part{{}}}.Examples([]Source{source("x.csv", b)})
	if err != nil || report.Skipped != 1 || report.Examples != 1000 ||
		!slices.Equal(report.Problems, []string{"x.csv: line 1002: 3 columns where there should be 2"}) {
		t.Errorf("%+v, %v", report, err)
	}
	b = append(b, "a\na\na\n"...)
	if _, _, err := (Recipe{As: Table, Parts: []Part{{}}}).Examples([]Source{source("x.csv", b)}); !errors.Is(err, ErrLayout) {
		t.Errorf("too many: %v", err)
	}
}

func TestRepair(t *testing.T) {
	once, err := parseRepair([]string{"windows-1252>utf-8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"plain", "don’t — “so”…", "☺️👍 é", "a”"} {
		if got := repair(misread(s), once); got != s {
			t.Errorf("%q became %q, should be %q", misread(s), got, s)
		}
	}
	for _, s := range []string{"café", "â", "Zoë über", "漢字", "â€_"} { // not damaged, or beyond repair
		if got := repair(s, once); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	mac, err := parseRepair([]string{"windows-1252+macintosh>utf-8"})
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string]string{ // as they are in the files of CrowdFlower
		"this â€œear wormâ€ù wonâ€™t go": "this “ear worm” won’t go", "I didn'tâ€_but": "I didn't…but", "_Ÿ’œâœˆ #M": "💜✈ #M",
		"away _Ÿ˜¡ I": "away 😡 I", "caf_ snake_case _x": "caf_ snake_case _x", "Ã‡ekdar": "Çekdar", "JapÃ_n": "JapÃ_n", "_Ÿ": "_Ÿ",
		"ça è": "ça è",
	} {
		if got := repair(s, mac); got != want {
			t.Errorf("%q became %q, should be %q", s, got, want)
		}
	}
	twice, err := parseRepair([]string{"windows-1251>macintosh", "windows-1252>utf-8"})
	if err != nil {
		t.Fatal(err)
	}
	if got := repair("240.61 ‰ЫУ the best", twice); got != "240.61 — the best" {
		t.Errorf("%q", got)
	}
	for _, s := range []string{"", "x", "utf-8>utf-8", "windows-1252>klingon", "windows-1252"} {
		if _, err := parseRepair([]string{s}); err == nil {
			t.Errorf("step %q was taken", s)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name, label, split string
		ok                          bool
	}{
		{"a/*.txt", "a/b.txt", "", "", true},
		{"a/*.txt", "a/b/c.txt", "", "", false},
		{"**/x", "x", "", "", true},
		{"**/x", "a/b/x", "", "", true},
		{"**/a/x", "x", "", "", false},
		{"{split}/{label}/*", "train/pos/1", "pos", "train", true},
		{"n-{split}/{label}/*", "n-test/a.b/1", "a.b", "test", true},
		{"n-{split}/{label}/*", "n-/a.b/1", "", "", false},
		{"n-{split}/{label}/*", "m-test/a.b/1", "", "", false},
	} {
		label, split, ok := match(c.pattern, c.name)
		if ok != c.ok || ok && (label != c.label || split != c.split) {
			t.Errorf("%s, %s: %q %q %v", c.pattern, c.name, label, split, ok)
		}
	}
}

func FuzzParseTree(f *testing.F) {
	for _, s := range []string{"(4 (2 A) (3 (3 fine) (2 -LRB-)))", "(1 (2 a)", ")(", "(1 a))", "(((", "(2 a b)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		label, words, err := parseTree(s)
		if err == nil && (label == "" || len(words) == 0) {
			t.Errorf("%q: label %q, words %q", s, label, words)
		}
	})
}

func FuzzExamples(f *testing.F) {
	f.Add([]byte("label,text\na,b\n"), uint8(0))
	f.Add(zipped(file{"brown/cats.txt", "ca01 news"}, file{"brown/ca01", "a/b"}), uint8(1))
	f.Add([]byte("a[+1]##b\n"), uint8(2))
	f.Add(tarred(file{"x/y/z", "a"}), uint8(3))
	f.Add([]byte("<review rank=\"1\"><body>x</body>"), uint8(4))
	f.Add([]byte("1 a\n"), uint8(5))
	recipes := []Recipe{
		{As: Table, Parts: []Part{{}}, CR: true, Encoding: "macintosh", Repair: []string{"windows-1252>utf-8"}},
		{As: Brown, Parts: []Part{{Member: "brown/*"}}}, {As: Reviews, Parts: []Part{{}}},
		{As: Folders, Parts: []Part{{Member: "{split}/{label}/*"}}, Encoding: "utf-8|windows-1252"}, {As: Muchocine, Parts: []Part{{}}},
		{As: LabelledLines, Parts: []Part{{}}},
		{As: Table, Parts: []Part{{Member: "**/x"}}, Columns: []string{"label", "text"}, Delimiter: "\t", Literal: true},
		{As: Trees, Parts: []Part{{}}},
	}
	f.Fuzz(func(t *testing.T, b []byte, k uint8) {
		examples, _, err := recipes[int(k)%len(recipes)].Examples([]Source{source("x", b)})
		if err != nil {
			return
		}
		for _, e := range examples {
			if e.Label == "" || !strings.HasPrefix(e.Text, strings.TrimSpace(e.Text)) {
				t.Errorf("%+v", e)
			}
		}
	})
}

func FuzzRepair(f *testing.F) {
	for _, s := range []string{"plain", "â€œear wormâ€ù", "_Ÿ˜¡ I", "‰ЫУ", "café", "\u009d", "漢"} {
		f.Add(s)
	}
	var all [][]conversion
	for _, steps := range [][]string{{"windows-1252>utf-8"}, {savedAsMac + ">utf-8"}, {"windows-1251>macintosh", "windows-1252>utf-8"}} {
		c, err := parseRepair(steps)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, c)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ascii := strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
		for _, steps := range all {
			out := repair(s, steps)
			if utf8.ValidString(s) && !utf8.ValidString(out) || ascii && out != s {
				t.Errorf("%q became %q", s, out)
			}
		}
	})
}
