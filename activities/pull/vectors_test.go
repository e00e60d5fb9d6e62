package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tnaml/activities/download"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data/archive/archivetest"
)

// published are entries of the catalogue as small as the files made here: of no known
// size and digest, and with few tokens.
func published(t *testing.T, tokens int, names ...string) []catalog.Vectors {
	t.Helper()
	var out []catalog.Vectors
	for _, name := range names {
		all := catalog.PublishedVectors()
		i := slices.IndexFunc(all, func(v catalog.Vectors) bool { return v.Name == name })
		if i < 0 {
			t.Fatalf("no vectors %q", name)
		}
		v := all[i]
		v.Tokens, v.Top = tokens, 0
		v.File.URLs, v.File.Size, v.File.SHA256 = nil, 0, ""
		out = append(out, v)
	}
	return out
}

// glove is GloVe's text form: tokens t0, t1, … of vectors of one number all through.
func glove(tokens, dim int) string {
	var b strings.Builder
	for i := range tokens {
		fmt.Fprintf(&b, "t%d%s\n", i, strings.Repeat(fmt.Sprintf(" %d.5", i), dim))
	}
	return b.String()
}

// gloveZip is glove.6B.zip in small.
func gloveZip(tokens int, dims ...int) []byte {
	var pairs []string
	for _, dim := range dims {
		pairs = append(pairs, fmt.Sprintf("glove.6B.%dd.txt", dim), glove(tokens, dim))
	}
	return archivetest.Zip(pairs...)
}

// Vectors become modules, of zip archives, gzip and with word2vec's header; modules of
// one archive are made of one download, which then goes.
func TestRunVectors(t *testing.T) {
	b := newBench(t, map[string][]byte{
		"glove.6B.zip":              gloveZip(20, 50, 100, 200, 300),
		"wiki-news-300d-1M.vec.zip": archivetest.Zip("wiki-news-300d-1M.vec", "20 300\n"+glove(20, 300)),
		"cc.es.300.vec.gz":          archivetest.Gzip([]byte("20 300\n" + glove(20, 300))),
		"glove.twitter.27B.zip":     []byte("no archive"),
	})
	vectors := published(t, 20, "glove-6b-50", "glove-6b-100", "fasttext-wiki-news-300", "fasttext-es-300")
	vectors[1].Top = 7
	out := b.RunVectors(t.Context(), vectors)
	for i, want := range []struct {
		tokens, dim      int
		language, source string
	}{
		{20, 50, "en", "GloVe 6B (Pennington, Socher and Manning, 2014), Wikipedia 2014 and Gigaword 5, 50 dimensions"},
		{7, 100, "en", vectors[1].Title + ", 100 dimensions, the first 7 of 20 tokens"},
		{20, 300, "en", vectors[2].Title + ", 300 dimensions"},
		{20, 300, "es", vectors[3].Title + ", 300 dimensions"},
	} {
		if out[i].Status != Stored {
			t.Errorf("%s: %s: %s", out[i].Name, out[i].Status, out[i].Error)
			continue
		}
		m, ref, err := library.LoadModule(t.Context(), b.Store, vectors[i].Name)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Tokens) != want.tokens || m.Dim != want.dim || m.Language != want.language || m.Source != want.source || ref != out[i].Ref ||
			out[i].Module == nil || out[i].Module.Tokens != want.tokens || len(out[i].Notes) != 0 {
			t.Errorf("%s: %d tokens of length %d, %s, %q; outcome %+v", m.Name, len(m.Tokens), m.Dim, m.Language, m.Source, out[i])
		}
		if m.Tokens[6] != "t6" || m.Vectors[6*m.Dim] != 6.5 || m.Vectors[7*m.Dim-1] != 6.5 {
			t.Errorf("%s: token 6 is %s with %v", m.Name, m.Tokens[6], m.Vectors[6*m.Dim:7*m.Dim])
		}
	}
	if b.asked["glove.6B.zip"] != 1 {
		t.Errorf("the archive was asked for %d times", b.asked["glove.6B.zip"])
	}
	if left := b.left(); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
	// What is there is left alone, and nothing is asked for; with Overwrite it is made anew.
	if out = b.RunVectors(t.Context(), vectors[:1]); out[0].Status != There || b.asked["glove.6B.zip"] != 1 {
		t.Errorf("again: %+v, asked %v", out, b.asked)
	}
	b.Overwrite, b.Keep = true, true
	vectors[0].Top = 5
	if out = b.RunVectors(t.Context(), vectors[:1]); out[0].Status != Stored || out[0].Module.Tokens != 5 ||
		!slices.Equal(b.left(), []string{"glove.6B.zip"}) {
		t.Errorf("overwritten: %+v, left %q", out, b.left())
	}
	if out = b.RunVectors(t.Context(), published(t, 20, "glove-twitter-25")); out[0].Status != Failed ||
		!strings.Contains(out[0].Error, "glove.twitter.27B.zip") {
		t.Errorf("no archive: %+v", out)
	}
}

// An archive without one of the members, or with another's vectors in it, is told
// of, keeps no other module back, and does not stay as if all were well.
func TestVectorsMissing(t *testing.T) {
	b := newBench(t, map[string][]byte{"glove.6B.zip": archivetest.Zip("glove.6B.50d.txt", glove(9, 50),
		"glove.6B.200d.txt", glove(9, 20),
		"glove.6B.300d.txt", "the 1 2 x\n")})
	bad := published(t, 9, "glove-6b-100", "glove-6b-200", "glove-6b-300")
	all := append(slices.Clone(bad), published(t, 18, "glove-6b-50")...)
	out := b.RunVectors(t.Context(), all)
	for i, want := range []string{
		`there is no file "glove.6B.100d.txt" in the archive; there are: glove.6B.200d.txt, glove.6B.300d.txt, glove.6B.50d.txt`,
		"glove.6B.zip: glove.6B.200d.txt: vectors of length 20, 200 is expected",
		"glove.6B.zip: glove.6B.300d.txt: vectors glove-6b-300: line 1: number 3",
	} {
		if out[i].Status != Failed || !strings.Contains(out[i].Error, want) {
			t.Errorf("%s: %s, %s; want %s", out[i].Name, out[i].Status, out[i].Error, want)
		}
	}
	if out[3].Status != Stored || len(out[3].Notes) != 1 ||
		!strings.Contains(out[3].Notes[0], "has 9 tokens, 18 are expected: is it whole?") {
		t.Errorf("%+v", out[3])
	}
	if left := b.left(); len(left) != 0 || b.asked["glove.6B.zip"] != 1 {
		t.Errorf("left over: %q, asked %v", left, b.asked)
	}
	// Where nothing came of the archive, it is set aside: the next pull gets it anew.
	out = b.RunVectors(t.Context(), bad)
	if left := b.left(); !slices.Equal(left, []string{"glove.6B.zip.bad"}) {
		t.Errorf("left over: %q", left)
	}
	for _, o := range out {
		if want := filepath.Join(b.Client.Dir, "glove.6B.zip.bad"); !slices.Equal(o.Aside, []string{want}) || o.InTheWay != nil {
			t.Errorf("set aside: %+v", o)
		}
	}
	b.mu.Lock()
	b.files["glove.6B.zip"] = gloveZip(9, 100, 200, 300)
	b.mu.Unlock()
	for _, o := range b.RunVectors(t.Context(), bad) {
		if o.Status != Stored {
			t.Errorf("%+v", o)
		}
	}
	// Where one could be stored and another not, the download stays for that one.
	b.Store, b.Overwrite = refuses{b.Store, bad[1].Name}, true
	bad[1].Top = 3 // another module than there is
	out = b.RunVectors(t.Context(), bad[:2])
	if out[0].Status != Stored || out[1].Status != Failed || !slices.Contains(b.left(), "glove.6B.zip") {
		t.Errorf("%+v, left %q", out, b.left())
	}
}

// A file that has no address, or cannot be had, is taken from where a person put it, and
// stays there.
func TestVectorsByHand(t *testing.T) {
	b := newBench(t, map[string][]byte{})
	b.Client.Mirror = ""
	vectors := published(t, 9, "glove-6b-50")
	out := b.RunVectors(t.Context(), vectors)
	if out[0].Status != ByHand {
		t.Errorf("%+v", out)
	}
	hint := VectorsHint(&vectors[0], b.Client.Dir)
	for _, want := range []string{"Get glove.6B.zip from the links of https://nlp.stanford.edu/projects/glove/", "Put it into " + b.Client.Dir,
		"starter module pull glove-6b-50"} {
		if !strings.Contains(hint, want) {
			t.Errorf("%q is not in: %s", want, hint)
		}
	}
	if err := os.WriteFile(filepath.Join(b.Client.Dir, "glove.6B.zip"), gloveZip(9, 50), 0o600); err != nil {
		t.Fatal(err)
	}
	if out = b.RunVectors(t.Context(), vectors); out[0].Status != Stored || !slices.Equal(b.left(), []string{"glove.6B.zip"}) {
		t.Errorf("%+v, left %q", out, b.left())
	}
	// A file that a person put there and that cannot be read is that person's.
	if err := os.WriteFile(filepath.Join(b.Client.Dir, "glove.6B.zip"), bytes.Repeat([]byte("x"), 99), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Overwrite = true
	for _, mirror := range []string{"", "http://127.0.0.1:1"} {
		b.Client.Mirror = mirror
		var inTheWay []string // where it could be downloaded
		if mirror != "" {
			inTheWay = []string{filepath.Join(b.Client.Dir, "glove.6B.zip")}
		}
		if out = b.RunVectors(t.Context(), vectors); out[0].Status != Failed || !slices.Equal(b.left(), []string{"glove.6B.zip"}) ||
			!slices.Equal(out[0].InTheWay, inTheWay) || out[0].Files != nil || out[0].Aside != nil {
			t.Errorf("%+v, left %q", out, b.left())
		}
	}
}

// mark is what stands beside a download that is to go with the next pull.
func (b *bench) mark(name string) string {
	mark, err := os.ReadFile(filepath.Join(b.Client.Dir, name+".kept"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Error(err)
	}
	return string(mark)
}

// What is interrupted before it looked at its files needs them as much: a download of
// theirs stays for the next pull, which takes it, and goes with it.
func TestInterruptedBeforeItsFile(t *testing.T) {
	for _, keep := range []bool{false, true} {
		b := newBench(t, map[string][]byte{"glove.6B.zip": gloveZip(9, 50, 100),
			"cc.es.300.vec.gz": archivetest.Gzip([]byte("9 300\n" + glove(9, 300)))})
		three := published(t, 9, "glove-6b-50", "fasttext-es-300", "glove-6b-100")
		b.Parallel = 1
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		// The second holds the one slot until the first is settled, so the third comes after that.
		settled := make(chan struct{})
		b.Client.Progress = func(p download.Progress) {
			if p.File == "cc.es.300.vec.gz" {
				<-settled
			}
		}
		b.Tell = func(e Event) {
			if e.Set == three[0].Name && e.Outcome != nil {
				cancel()
				close(settled)
			}
		}
		out := b.RunVectors(ctx, three)
		if out[0].Status != Stored || out[2].Status != Failed || len(out[2].Files) != 0 || !slices.Contains(b.left(), "glove.6B.zip") ||
			b.mark("glove.6B.zip") != out[0].Files[0].SHA256 {
			t.Fatalf("%+v, left %q, marked %q", out, b.left(), b.mark("glove.6B.zip"))
		}
		b.Tell, b.Client.Progress, b.Keep = nil, nil, keep
		out = b.RunVectors(t.Context(), three)
		if out[0].Status != There || out[1].Status != Stored || out[2].Status != Stored || b.asked["glove.6B.zip"] != 1 ||
			slices.Contains(b.left(), "glove.6B.zip") != keep || b.mark("glove.6B.zip") != "" {
			t.Errorf("keep %v: %+v, asked %v, left %q, marked %q", keep, out, b.asked, b.left(), b.mark("glove.6B.zip"))
		}
	}
}

// An interrupt while a file is read says nothing of the file: it stays, marked, under
// its name. One that cannot be read is set aside, and its mark goes.
func TestInterruptedReading(t *testing.T) {
	b := newBench(t, map[string][]byte{"glove.6B.zip": gloveZip(9, 50)})
	file := published(t, 9, "glove-6b-50")[0].File
	for _, interrupted := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out := b.run(ctx, []item{{store.Module, "x", []source{{[]catalog.PublishedFile{file},
			func(context.Context, *Puller, []Piece) (Outcome, error) {
				if interrupted {
					cancel()
				}
				return Outcome{}, &unreadable{errors.New("cut off")}
			}}}}})
		want, marked := []string{"glove.6B.zip"}, true
		if !interrupted {
			want, marked = []string{"glove.6B.zip.bad"}, false
		}
		if out[0].Status != Failed || !slices.Equal(b.left(), want) || (b.mark("glove.6B.zip") != "") != marked {
			t.Errorf("interrupted %v: %+v, left %q, marked %q", interrupted, out, b.left(), b.mark("glove.6B.zip"))
		}
	}
}

// Another pull may remove a file that waits for its set to be built, or before that: it is
// read all the same, or got again.
func TestRemovedByAnother(t *testing.T) {
	b := newBench(t, map[string][]byte{"glove.6B.zip": gloveZip(9, 50, 100)})
	path := filepath.Join(b.Client.Dir, "glove.6B.zip")
	b.got = &gets{}
	for i, v := range published(t, 9, "glove-6b-50", "glove-6b-100") {
		var held *os.File
		it := vectors(&v)
		build := it.sources[0].build
		it.sources[0].build = func(ctx context.Context, p *Puller, pieces []Piece) (Outcome, error) {
			held = pieces[0].file
			return build(ctx, p, pieces)
		}
		out := b.one(t.Context(), it, func() func() {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
			return func() {}
		})
		if out.Status != Stored || b.asked["glove.6B.zip"] != i+1 {
			t.Errorf("%+v, asked %v", out, b.asked)
		}
		if err := held.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s is still open: %v", v.Name, err)
		}
	}
}

// What came before an interrupt stays for the next pull, the last file too.
func TestInterruptedAfterAFile(t *testing.T) {
	b := newBench(t, map[string][]byte{"glove.6B.zip": gloveZip(9, 50)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.got = &gets{}
	file := published(t, 9, "glove-6b-50")[0].File
	if r := b.get(ctx, download.File{Name: file.Name}); r.err != nil {
		t.Fatal(r.err)
	}
	cancel()
	pieces, err := b.Puller.files(ctx, []catalog.PublishedFile{file, file})
	defer release(pieces)
	if !errors.Is(err, context.Canceled) || len(pieces) != 1 || pieces[0].Name != file.Name {
		t.Errorf("%+v, %v", pieces, err)
	}
}

// Vectors of which most are missing are not what was published.
func TestVectorsCutOff(t *testing.T) {
	for tokens, want := range map[int]Status{4: Failed, 5: Stored} {
		b := newBench(t, map[string][]byte{"glove.6B.zip": gloveZip(tokens, 50)})
		out := b.RunVectors(t.Context(), published(t, 9, "glove-6b-50"))
		if out[0].Status != want {
			t.Fatalf("%d tokens: %+v", tokens, out)
		}
		if want == Failed {
			if !strings.Contains(out[0].Error, "has 4 tokens, 9 are expected") || !slices.Equal(b.left(), []string{"glove.6B.zip.bad"}) {
				t.Errorf("%+v, left %q", out, b.left())
			}
		} else if m, _, err := library.LoadModule(t.Context(), b.Store, "glove-6b-50"); err != nil ||
			!strings.HasSuffix(m.Source, "50 dimensions, 5 of 9 tokens") || len(out[0].Notes) != 1 {
			t.Errorf("%+v, %v, %+v", m, err, out)
		}
	}
}
