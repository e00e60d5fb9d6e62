package labelled

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
)

// Each set of real data is read and built, and its card agrees with what is
// known of it.
func TestRealData(t *testing.T) {
	root := os.Getenv("TNAML_DATA")
	if root == "" {
		root = "../../../../shared/data" // beside a checkout
	}
	for _, c := range []struct {
		name              string
		examples, classes int
	}{
		{"sms_spam", 5574, 2}, {"airline", 14640, 3}, {"corp_messaging", 3118, 4}, {"spanish_tweets", 3033, 3}, {"mpqa_opinion", 10603, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := os.Open(filepath.Join(root, "text", c.name, "data.tsv.gz"))
			if errors.Is(err, os.ErrNotExist) {
				t.Skipf("real data are not there (set TNAML_DATA to their directory): %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = file.Close() }()
			examples, err := Read(file, "data.tsv.gz", Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := text.Build(examples, data.Options{Name: c.name})
			if err != nil {
				t.Fatal(err)
			}
			if b.Card.Examples+b.Card.Empty != c.examples || len(b.Labels) != c.classes {
				t.Errorf("%d examples, %d classes; want %d and %d", b.Card.Examples+b.Card.Empty, len(b.Labels), c.examples, c.classes)
			}
			if !b.Card.GivenSplit && (b.Card.Leakage != 0 || b.Card.Test != int(math.Round(0.1*float64(b.Card.Examples)))) {
				t.Errorf("a random split of %d has %d test examples, %d texts on two sides", b.Card.Examples, b.Card.Test, b.Card.Leakage)
			}
			if b.Card.Coverage < 0.7 {
				t.Errorf("only %.2f of the test tokens are in the wide vocabulary", b.Card.Coverage)
			}
		})
	}
}
