package archive

import (
	"errors"
	"testing"
)

func TestPlaces(t *testing.T) {
	type want struct {
		name, class, split string
	}
	const loose = "!" // the class of a file that lies in none
	for _, c := range []struct {
		name  string
		files []want
	}{
		{"a folder a class", []want{{"pos/1.txt", "pos", ""}, {"neg/1.txt", "neg", ""}}},
		{"folders around", []want{{"a/b/pos/1", "pos", ""}, {"a/b/neg/1", "neg", ""}, {"a/readme", loose, ""}, {"top", loose, ""}}},
		{"splits", []want{{"x/train/pos/1", "pos", "train"}, {"x/Dev/pos/1", "pos", "validation"}, {"x/testing/neg/1", "neg", "test"}}},
		{"one split", []want{{"x/train/pos/1", "pos", "train"}, {"x/train/neg/1", "neg", "train"}}},
		{"splits within longer names", []want{{"20news-bydate-train/alt/1", "alt", "train"}, {"20news-bydate-test/sci/1", "sci", "test"}}},
		{"a folder around with the word test", []want{{"my-test-data/pos/1", "pos", ""}, {"my-test-data/neg/1", "neg", ""}}},
		{"IMDB", []want{{"aclImdb/README", loose, ""}, {"aclImdb/train/pos/1", "pos", "train"}, {"aclImdb/train/urls_neg.txt", loose, ""},
			{"aclImdb/test/neg/1", "neg", "test"}}},
		{"a class named after a split", []want{{"test/1", "test", ""}, {"exam/1", "exam", ""}}},
		{"too deep", []want{{"a/1", "a", ""}, {"b/c/d/1", loose, ""}}},
		{"one class only", []want{{"pos/1", "pos", ""}}},
		{"no folder", []want{{"1", loose, ""}}},
	} {
		var names []string
		for _, f := range c.files {
			names = append(names, f.name)
		}
		for i, p := range Places(names) {
			w := c.files[i]
			if w.class == loose {
				if !errors.Is(p.Err, ErrLoose) {
					t.Errorf("%s: %s is %+v, not loose", c.name, w.name, p)
				}
				continue
			}
			if p != (Place{Class: w.class, Split: w.split}) {
				t.Errorf("%s: %s is %+v, want %+v", c.name, w.name, p, w)
			}
		}
	}
	if p := Places([]string{"\xff/1"}); p[0].Err == nil || errors.Is(p[0].Err, ErrLoose) {
		t.Errorf("a class that is not UTF-8: %+v", p)
	}
}

func TestSplitOf(t *testing.T) {
	for name, want := range map[string]string{
		"train": "train", "VAL": "validation", "imdb_test.tsv.gz": "test", "train-00000-of-00001.parquet": "train",
		"20news-bydate-train":   "train",
		"training_training.csv": "train", "latest": "", "train_test.csv": "", "": "", "contest": "", "test2": "",
	} {
		if got := SplitOf(name); got != want {
			t.Errorf("%q means %q, want %q", name, got, want)
		}
	}
}
