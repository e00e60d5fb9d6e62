package embedding

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// Three documents: "a a b", "a", "b c". By hand: a occurs 3 times, as (2, 1, 0),
// b twice, as (1, 0, 1), c once.
func TestWordsByDocumentsByHand(t *testing.T) {
	c := &counted{words: []string{"a", "b", "c"}, counts: []int{3, 2, 1}, offsets: []int{0, 3, 4, 6}, ids: []int32{0, 0, 1, 0, 1, 2}}
	a := 1 + (2./3*math.Log(2./3)+1./3*math.Log(1./3))/math.Log(3)
	b := 1 - math.Log(2)/math.Log(3)
	want := mat.NewDense(3, 3, []float64{
		a * math.Log(3), a * math.Log(2), 0,
		b * math.Log(2), 0, b * math.Log(2),
		0, 0, math.Log(2),
	})
	if got := dense(wordsByDocuments(c)); !mat.EqualApprox(got, want, 1e-6) {
		t.Errorf("got\n%v\nwant\n%v", mat.Formatted(got), mat.Formatted(want))
	}
}
