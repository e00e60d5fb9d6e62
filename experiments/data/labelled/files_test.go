package labelled

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
)

func TestReadFolder(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []fileOf
		o     Options
		want  []text.Example
		notes []string
	}{
		{"a folder a class", []fileOf{{"neg/1.txt", []byte(" bad\nfilm \n")}, {"pos/1.txt", []byte("good")}, {"README.md", nil},
			{"pos/.DS_Store", nil}}, Options{},
			examplesOf("bad\nfilm", "neg", "", "good", "pos", ""), nil},
		{"as IMDB is published", []fileOf{
			{"aclImdb/README", []byte("x")}, {"aclImdb/imdb.vocab", []byte("x")}, {"aclImdb/train/urls_pos.txt", []byte("x")},
			{"aclImdb/train/labeledBow.feat", []byte("x")},
			{"aclImdb/train/pos/0_9.txt", []byte("good")}, {"aclImdb/train/neg/0_1.txt", []byte("bad")},
			{"aclImdb/train/unsup/0_0.txt", []byte("what")}, {"aclImdb/test/pos/0_9.txt", []byte("fine")},
		}, Options{}, examplesOf("fine", "pos", data.Test, "bad", "neg", data.Train, "good", "pos", data.Train),
			[]string{"3 files that lie in no folder of a class were left out, such as aclImdb/imdb.vocab",
				"1 files in folders of texts without a label"}},
		{"as 20 Newsgroups is published",
			[]fileOf{{"20news-bydate-train/alt.atheism/49960", []byte("From: a\n\nb")}, {"20news-bydate-test/sci.med/1", []byte("c")}}, Options{},
			examplesOf("c", "sci.med", data.Test, "From: a\n\nb", "alt.atheism", data.Train), nil},
		{"the split given", []fileOf{{"a/1", []byte("x")}, {"b/1", []byte("y")}}, Options{Split: "val"},
			examplesOf("x", "a", data.Validation, "y", "b", data.Validation), nil},
		{"a few files in another encoding",
			[]fileOf{{"a/1", []byte("über")}, {"a/2", []byte("sch\xf6ner Tag f\xfcr die B\xe4ren, das hei\xdft gro\xdfe Freude")},
				{"b/1", []byte("\xff\xfeh\x00i\x00")}}, Options{},
			examplesOf("über", "a", "", "schöner Tag für die Bären, das heißt große Freude", "a", "", "hi", "b", ""),
			[]string{"1 of 3 files are not UTF-8 and were read as windows-1252"}},
		{"an empty file", []fileOf{{"a/1", nil}, {"b/1", []byte("y")}}, Options{}, examplesOf("", "a", "", "y", "b", ""), nil},
	} {
		var r Report
		c.o.Report = &r
		got, err := ReadFolder(tree(c.files), "f", c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if r.Format != Folder || r.Rows != len(c.want) || r.Files != len(c.want) || len(r.Notes) != len(c.notes) {
			t.Errorf("%s: %+v", c.name, r)
			continue
		}
		for i, want := range c.notes {
			if !strings.Contains(r.Notes[i], want) {
				t.Errorf("%s: the note %q does not say %q", c.name, r.Notes[i], want)
			}
		}
	}
}

func TestReadFolderRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []fileOf
		o     Options
		want  []string
	}{
		{"nothing", nil, Options{}, []string{"f: no examples"}},
		{"no folders", []fileOf{{"1.txt", []byte("a")}}, Options{}, []string{"1.txt: the file must lie in a folder of its class"}},
		{"too deep", []fileOf{{"a/1", []byte("a")}, {"b/c/1", []byte("a")}}, Options{}, []string{"b/c/1: the file must lie", "2 folders deep"}},
		{"binary", []fileOf{{"a/1", []byte("a\nb\x00")}, {"b/1", bytes.Repeat([]byte{0, 1}, 99)}}, Options{},
			[]string{"a/1: line 2: byte 3 of the file is zero"}},
		{"damaged UTF-8", []fileOf{{"a/1", []byte("über Öl\nschön \xff")}}, Options{}, []string{"a/1: line 2: byte 8 is not valid UTF-8"}},
		{"a table", []fileOf{{"a/1", nil}}, Options{Format: CSV}, []string{"not a table in the format \"csv\""}},
		{"too much", []fileOf{{"a/1", []byte("abc")}, {"a/2", []byte("abc")}}, Options{MaxBytes: 5}, []string{"more than 5 bytes"}},
		{"unknown split", []fileOf{{"a/1", nil}}, Options{Split: "some"}, []string{`unknown split "some"`}},
	} {
		got, err := ReadFolder(tree(c.files), "f", c.o)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) || got != nil {
				t.Errorf("%s: %v; want %q", c.name, err, want)
			}
		}
		for _, b := range [][]byte{tarOf(c.files), zipOf(c.files)} {
			if _, err := ReadArchive(bytes.NewReader(b), "f", c.o); err == nil || !strings.HasPrefix(err.Error(), "f: ") ||
				!strings.Contains(err.Error(), c.want[0][strings.Index(c.want[0], "/")+1:]) {
				t.Errorf("%s, in an archive: %v", c.name, err)
			}
		}
	}
	broken := fstest.MapFS{"a/1": {Data: []byte("x"), Mode: fs.ModeSymlink}}
	if got, err := ReadFolder(broken, "f", Options{}); err == nil {
		t.Errorf("a file that cannot be opened: %v", got)
	}
	if _, err := Read(bytes.NewReader(tarOf([]fileOf{{"a/1", []byte("x")}})), "f.tsv", Options{}); err == nil ||
		!strings.Contains(err.Error(), "a tar archive, not a table") {
		t.Errorf("an archive as a table: %v", err)
	}
}

func FuzzReadArchive(f *testing.F) {
	files := filesOf(corpus(2, "train", "test"))
	f.Add(tarOf(files))
	f.Add(zipOf(files))
	f.Add(pack("gz", tarOf(files[:2])))
	f.Add(pack("zst", tarOf(files[:2])))
	f.Add(pack("zst", zipOf(files[:2])))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkRead(t, func(o Options) ([]text.Example, error) { return ReadArchive(bytes.NewReader(b), "x", o) })
	})
}

func FuzzReadFolder(f *testing.F) {
	f.Add("a/1", []byte("x"), "train/b/2", []byte("y\xff"))
	f.Add("x/test/pos/1", []byte("x\x00"), "x/train/neg/2", []byte("\xff\xfeh\x00"))
	f.Fuzz(func(t *testing.T, n1 string, b1 []byte, n2 string, b2 []byte) {
		if !fs.ValidPath(n1) || !fs.ValidPath(n2) || n1 == "." || n2 == "." {
			return
		}
		checkRead(t, func(o Options) ([]text.Example, error) {
			return ReadFolder(fstest.MapFS{n1: {Data: b1}, n2: {Data: b2}}, "x", o)
		})
	})
}
