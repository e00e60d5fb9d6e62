package metrics

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets: Demšar (2006), Table 6.
// He does not correct for the ties: χ² = 9.28 and F = 3.69.
var demsar = [][]float64{
	{.763, .768, .771, .798}, {.599, .591, .590, .569}, {.954, .971, .968, .967}, {.628, .661, .654, .657}, {.882, .888, .886, .898},
	{.936, .931, .916, .931}, {.661, .668, .609, .685}, {.583, .583, .563, .625}, {.775, .838, .866, .875}, {1, 1, 1, 1},
	{.940, .962, .965, .962}, {.619, .666, .614, .669}, {.972, .981, .9751, .975}, {.957, .978, .946, .970},
}

func near(t *testing.T, what string, want, got any, margin float64) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, margin)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestRanks(t *testing.T) {
	equal(t, "ties", [][]float64{{2, 2, 4, 2}, {4, 3, 2, 1}}, Ranks([][]float64{{.5, .5, .1, .5}, {1, 2, 3, 4}}))
	near(t, "Table 6", []float64{3.143, 2.000, 2.893, 1.964}, MeanRanks(demsar), 5e-4)
	panics(t, "ragged", func() { Ranks([][]float64{{1, 2}, {1}}) })
}

// scipy 1.10.1: friedmanchisquare(*S.T), then F and f.sf(F, 3, 39) by the formula.
func TestFriedman(t *testing.T) {
	chi2, p := Friedman(demsar)
	near(t, "χ²", []float64{10.228346456692925, 0.016721580328441323}, []float64{chi2, p}, 1e-6)
	f, p := ImanDavenport(demsar)
	near(t, "F", []float64{4.1851301115241695, 0.011620659515310954}, []float64{f, p}, 1e-6)
	// By hand: ranks 1, 2, 3 on both tasks; 12·2/(3·4)·(1 + 0 + 1) = 4, one order of six.
	agreed := [][]float64{{3, 2, 1}, {9, 8, 7}}
	chi2, p = Friedman(agreed)
	equal(t, "agreed", []float64{4, 1. / 6}, []float64{chi2, p})
	tied := [][]float64{{3, 1, 1}, {2, 0, 0}, {9, 5, 5}} // each one of three orders
	if f, p := ImanDavenport(tied); !math.IsInf(f, 1) || math.Abs(p-1./9) > 1e-12 {
		t.Errorf("tied: %v, %v", f, p)
	}
	if _, p := ImanDavenport([][]float64{{1, 0}, {1, 0}, {1, 1}}); math.Abs(p-.5) > 1e-12 {
		t.Errorf("one tie of two: %v", p)
	}
	f, p = ImanDavenport(agreed)
	equal(t, "agreed", []float64{math.Inf(1), 1. / 6}, []float64{f, p})
	for _, nothing := range [][][]float64{nil, {{1}}, {{2, 2, 2}, {1, 1, 1}}} {
		chi2, p = Friedman(nothing)
		f, q := ImanDavenport(nothing)
		equal(t, "nothing to tell apart", []float64{0, 1, 0, 1}, []float64{chi2, p, f, q})
	}
}

// Where χ² is not Friedman's distribution p is exact: by the tables of Siegel and Castellan
// (1988), three decimals, and by the binomial distribution.
func TestFriedmanOfFew(t *testing.T) {
	repeat := func(n int, row ...float64) (out [][]float64) {
		for range n {
			out = append(out, row)
		}
		return out
	}
	for _, c := range []struct {
		name    string
		scores  [][]float64
		chi2, p float64
	}{
		{"3 methods, 4 tasks", append(repeat(3, 3, 2, 1), []float64{2, 3, 1}), 6.5, .042},
		{"3 methods, 3 tasks", repeat(3, 3, 2, 1), 6, .028},
		{"4 methods, 3 tasks", append(repeat(2, 4, 3, 2, 1), []float64{3, 4, 1, 2}), 7.4, .033},
		{"4 methods, 2 tasks", repeat(2, 4, 3, 2, 1), 6, .042},
		{"2 methods, 7 of 8", append(repeat(7, 1, 0), []float64{0, 1}), 4.5, 2 * 9. / 256},
		{"2 methods, 12 of 13 and a tie", append(repeat(12, 0, 1), []float64{1, 0}, []float64{1, 1}), 121. / 13, 2 * 14. / 8192},
		{"one task says nothing", repeat(1, 6, 5, 4, 3, 2, 1), 5, 1},
		{"2 methods, 51 to 50", append(repeat(51, 0, 1), repeat(50, 1, 0)...), 1. / 101, 1},
		{"2 methods, level", append(repeat(2, 0, 1), repeat(2, 1, 0)...), 0, 1},
	} {
		chi2, p := Friedman(c.scores)
		near(t, c.name, []float64{c.chi2, c.p}, []float64{chi2, p}, 5e-4)
		if _, q := ImanDavenport(c.scores); q != p {
			t.Errorf("%s: by F %v, by χ² %v", c.name, q, p)
		}
	}
	// With ties, by hand: each task one of three orders, all agree in 3 of 27.
	if _, p := Friedman([][]float64{{3, 1, 1}, {2, 0, 0}, {9, 5, 5}}); math.Abs(p-1./9) > 1e-12 {
		t.Errorf("tied: %v", p)
	}
	// Beyond the tables it is that of χ².
	chi2, p := Friedman(repeat(6, 5, 4, 3, 2, 1))
	near(t, "6 tasks", []float64{24, 13 * math.Exp(-12)}, []float64{chi2, p}, 1e-12)
}

// scipy 1.10.1: wilcoxon(d), exact of few and with method "approx" of many; the one with
// ties by counting its 2⁸ signs.
func TestWilcoxon(t *testing.T) {
	var twentyFive, many []float64
	third, fifth, tenth := .3, .2, .1 // subtracted at run time
	for i := 1; i <= 25; i++ {
		sign := 1
		if i == 3 || i == 7 || i == 8 || i == 20 {
			sign = -1
		}
		twentyFive = append(twentyFive, float64(sign*i))
	}
	for i := range 40 {
		sign := 1
		if i%3 == 0 {
			sign = -1
		}
		many = append(many, float64(sign*(i%7+1)))
	}
	for _, c := range []struct {
		d    []float64
		w, p float64
	}{
		{nil, 0, 1}, {[]float64{0, 0}, 0, 1}, {[]float64{5}, 0, 1},
		{[]float64{1, 2, 3, 4, 5}, 0, 2. / 32},
		{[]float64{1.5, -0.4, 2.2, 3.1, 0.7, -1.1, 4.0, 2.9}, 4, 0.0546875},
		{[]float64{0, 1.5, -0.4, 2.2, 0, 3.1, 0.7, -1.1, 4.0, 2.9}, 4, 0.0546875},
		{[]float64{1, 1, 2, -2, 3, -1, 4, 4}, 6.5, 34. / 256},
		{[]float64{third - fifth, tenth - fifth, 2}, 1.5, .75}, // the first two are of one size, to rounding
		{twentyFive, 38, 0.0003764033317565918},
		{many, 297, 0.1278669508312702},
		{append([]float64{0, 0, 0}, many...), 297, 0.1278669508312702},
	} {
		w, p := Wilcoxon(c.d)
		near(t, "w and p", []float64{c.w, c.p}, []float64{w, p}, 1e-6)
	}
}

func TestHolm(t *testing.T) {
	// By hand: .01·4, .02·3, max(.06, .025·2), .5.
	equal(t, "adjusted", []float64{.06, .5, .04, .06}, Holm([]float64{.02, .5, .01, .025}))
	equal(t, "at most 1", []float64{1, 1}, Holm([]float64{.7, .6}))
	equal(t, "none", []float64{}, Holm(nil))
}

// Demšar (2006), Table 5(a), prints three decimals; scipy 1.10.1 has more:
// studentized_range.ppf(1−α, k, inf)/√2.
func TestNemenyi(t *testing.T) {
	for i, q := range []float64{1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164} {
		k := float64(i + 2)
		near(t, "Table 5", q, NemenyiDifference(i+2, 1, .05)/math.Sqrt(k*(k+1)/6), 1e-3)
	}
	near(t, "more decimals", []float64{1.959964, 3.163684, 2.919889}, []float64{
		NemenyiDifference(2, 1, .05), NemenyiDifference(10, 1, .05) / math.Sqrt(110./6), NemenyiDifference(10, 1, .1) / math.Sqrt(110./6),
	}, 1e-6)
	near(t, "§3.2.2", 1.25, NemenyiDifference(4, 14, .05), .005)
	panics(t, "one method", func() { NemenyiDifference(1, 5, .05) })
}

// At the level .10 the difference is 1.12, which tells C4.5 (3.143) from C4.5+m (2.000)
// and C4.5+m+cf (1.964), and no other two: Demšar (2006), §3.2.2.
func TestGroups(t *testing.T) {
	equal(t, "Table 6", [][]int{{3, 1, 2}, {2, 0}}, Groups(MeanRanks(demsar), NemenyiDifference(4, 14, .10)))
	equal(t, "all apart", [][]int(nil), Groups([]float64{1, 2, 3}, 1))
	equal(t, "a chain", [][]int{{0, 2, 1}, {1, 3}}, Groups([]float64{1, 2, 1.5, 2.9}, 1.05))
	equal(t, "all one", [][]int{{1, 0}}, Groups([]float64{2, 1}, 3))
}
