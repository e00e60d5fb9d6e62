package catalog

import (
	"slices"
	"strings"
	"testing"
)

// What newcomers are told to pull is there, in each language of the paper's tasks.
func TestPublishedVectors(t *testing.T) {
	sets := map[string]bool{}
	for _, d := range Datasets() {
		for _, s := range d.Sources {
			for _, f := range s.Files {
				sets[f.Name] = true
			}
		}
	}
	languages, members := map[string]bool{}, map[string]bool{}
	var names []string
	for _, v := range PublishedVectors() {
		names = append(names, v.Name)
		languages[v.Language] = true
		if sets[v.File.Name] {
			t.Errorf("%s: a data set has a file %s too, and there is one directory of downloads", v.Name, v.File.Name)
		}
		if size, _ := v.File.Bytes(); size == 0 || len(v.File.URLs) == 0 {
			t.Errorf("%s: %s has no size or no address", v.Name, v.File.Name)
		}
		if v.File.Size == 0 && v.File.MaxSize == 0 && v.File.About > 1<<30 {
			t.Errorf("%s: %s is of about %d bytes, near the downloader's own bound: give it one", v.Name, v.File.Name, v.File.About)
		}
		if place := v.File.Name + "/" + v.Member; members[place] {
			t.Errorf("%s: %s is two modules'", v.Name, place)
		} else {
			members[place] = true
		}
		if !strings.HasSuffix(v.Name, "-"+strings.TrimSuffix(v.Source(v.Tokens)[strings.LastIndex(v.Source(v.Tokens), ", ")+2:], " dimensions")) {
			t.Errorf("%s: the name does not end with the length of the vectors: %s", v.Name, v.Source(v.Tokens))
		}
		if bytes := 4 * v.Dim * v.Kept(); bytes > 500e6 {
			t.Errorf("%s: a module of %d bytes: keep fewer tokens", v.Name, bytes)
		}
	}
	for _, want := range []string{"glove-6b-50", "glove-6b-100", "glove-6b-200", "glove-6b-300", "glove-twitter-100", "fasttext-wiki-news-300",
		"fasttext-es-300"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among %q", want, names)
		}
	}
	if !languages["en"] || !languages["es"] {
		t.Errorf("languages %v", languages)
	}
}

func TestVectorsSource(t *testing.T) {
	v := Vectors{Title: "A (B, 2000)", Dim: 50, Tokens: 3000}
	for _, c := range []struct {
		top, tokens int
		want        string
		kept        int
	}{
		{0, 3000, "A (B, 2000), 50 dimensions", 3000},
		{2000, 2000, "A (B, 2000), 50 dimensions, the first 2,000 of 3,000 tokens", 2000},
		{2000, 1990, "A (B, 2000), 50 dimensions, 1,990 of 3,000 tokens", 2000}, // the file ended before
		{0, 2990, "A (B, 2000), 50 dimensions, 2,990 of 3,000 tokens", 3000},
		{5000, 3000, "A (B, 2000), 50 dimensions", 3000},
		{5000, 5000, "A (B, 2000), 50 dimensions", 3000}, // more than there were once
	} {
		if v.Top = c.top; v.Source(c.tokens) != c.want || v.Kept() != c.kept {
			t.Errorf("%+v: %q, kept %d", c, v.Source(c.tokens), v.Kept())
		}
	}
}

// A catalogue with a mistake in it is refused, and the message says which.
func TestParseVectorsRefuses(t *testing.T) {
	const good = `- name: a-5
  title: A
  language: en
  dim: 5
  tokens: 10
  homepage: https://a.example
  licence: CC0
  citation: "@misc{a, title={A}}"
  file: {name: a.zip, urls: [{url: "https://a.example/a.zip", tried: never}]}
  member: a.txt
`
	if _, err := ParseVectors([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"name: a-5\n", "nam: a-5\n", "nam"},
		{"name: a-5\n", "name: A b\n", "small letters"},
		{"title: A", "title: \"\"", "no title"},
		{"language: en", "language: \"\"", "no language"},
		{"licence: CC0", "licence: \"\"", "no licence"},
		{"title={A}", "title={A}\\n", "BibTeX"},
		{"dim: 5", "dim: 0", "length 0"},
		{"tokens: 10", "tokens: -1", "-1 tokens"},
		{"tokens: 10", "tokens: 10\n  top: 10", "0 for all"},
		{"tokens: 10", "tokens: 10\n  top: -1", "0 for all"},
		{"member: a.txt", "member: \"\"", "goes with a zip archive"},
		{"name: a.zip", "name: a.gz", "goes with a zip archive"},
		{"name: a.zip", "name: ../a.zip", "a name of letters"},
		{"name: a.zip", "name: a.zip, sha256: 00", "64 small"},
		{"tried: never", "tried: once", "tried"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if _, err := ParseVectors([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.new, err, c.want)
		}
	}
	other := strings.NewReplacer("a-5", "b-5", "https://a.example/a.zip", "https://b.example/a.zip").Replace(good)
	if _, err := ParseVectors([]byte(good + good + other)); err == nil || !strings.Contains(err.Error(), `"a-5" are there twice`) ||
		!strings.Contains(err.Error(), `"b-5": file "a.zip" is there twice and differs`) {
		t.Errorf("twice: %v", err)
	}
}
