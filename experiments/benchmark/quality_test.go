package benchmark

import "testing"

func TestQuality(t *testing.T) {
	s := paper(t)
	t.Logf("%-26s %5s %6s %5s | %6s %8s %7s | %6s %8s %7s", "task", "rows", "failed", "pairs", "R²", "Spearman", "ceiling", "R²", "Spearman", "ceiling")
	for _, task := range s.Tasks() {
		r, err := s.Record(task)
		if err != nil {
			t.Fatal(err)
		}
		q, err := Assess(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-26s %5d %6d %5d | %6.3f %8.3f %7.3f | %6.3f %8.3f %7.3f", task, q.Rows, q.Failed, q.Pairs,
			q.R2[0], q.Spearman[0], q.Ceiling[0], q.R2[1], q.Spearman[1], q.Ceiling[1])
	}
}
