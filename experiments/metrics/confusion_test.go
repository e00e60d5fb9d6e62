package metrics

import "testing"

// Seven examples of three classes, one of which the model never names.
func TestConfusionByHand(t *testing.T) {
	c := NewConfusion([]string{"a", "b", "c", "none"}, []int32{0, 0, 0, 1, 1, 2, 2}, []int32{0, 0, 1, 1, 0, 0, 0})
	equal(t, "counts", [][]int{{2, 1, 0, 0}, {1, 1, 0, 0}, {2, 0, 0, 0}, {0, 0, 0, 0}}, c.Counts)
	equal(t, "classes", []Class{{"a", 3, 5, 2}, {"b", 2, 2, 1}, {"c", 2, 0, 0}, {"none", 0, 0, 0}}, c.Classes())
	a, never, none := c.Classes()[0], c.Classes()[2], c.Classes()[3]
	equal(t, "a", []float64{2. / 5, 2. / 3, 4. / 8}, []float64{a.Precision(), a.Recall(), a.F1()})
	equal(t, "c", []float64{0, 0, 0}, []float64{never.Precision(), never.Recall(), never.F1()})
	equal(t, "none", []float64{0, 0, 0}, []float64{none.Precision(), none.Recall(), none.F1()})
	equal(t, "pairs", []Pair{{"c", "a", 2}, {"a", "b", 1}}, c.Pairs(2))
	equal(t, "examples", 7, c.Examples())
}
