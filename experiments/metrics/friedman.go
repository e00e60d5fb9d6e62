package metrics

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Friedman tests whether methods differ in their ranks over tasks (scores are tasks ×
// methods, as in Ranks): χ², corrected for ties, and p, the probability of one so large
// where they do not differ. Of two methods p is that of the sign test, two-sided; of three
// to five on as few tasks as there are tables for it is exact too, over all orders of each
// task's ranks (both textbook: Siegel and Castellan, 1988); else that of χ² with k−1 degrees
// of freedom, which is too small for two methods and too large for many on few tasks.
// Without anything to tell apart p is 1.
func Friedman(scores [][]float64) (chi2, p float64) {
	chi2 = friedman(scores)
	if chi2 == 0 || len(scores) < 2 { // of one task any ranks will do
		return chi2, 1
	}
	if p, ok := exactRanks(scores); ok {
		return chi2, p
	}
	return chi2, distuv.ChiSquared{K: float64(len(scores[0])) - 1}.Survival(chi2)
}

// friedman is χ², 0 where there is nothing to tell apart.
func friedman(scores [][]float64) float64 {
	n := float64(len(scores))
	means := MeanRanks(scores)
	k := float64(len(means))
	if k < 2 {
		return 0
	}
	between, ties := 0.0, 0.0
	for _, m := range means {
		d := m - (k+1)/2
		between += d * d
	}
	for _, row := range scores {
		_, t := midranks(row, cmp.Compare[float64], sameMean)
		ties += t
	}
	spread := 1 - ties/(n*k*(k*k-1))
	if spread <= 0 {
		return 0 // all methods are equal on all tasks
	}
	return 12 * n / (k * (k + 1)) * between / spread
}

// ImanDavenport is Friedman's test by the statistic F = (n−1)χ²/(n(k−1) − χ²), with k−1
// and (k−1)(n−1) degrees of freedom, which is less conservative (Iman and Davenport,
// 1980; Demšar, 2006, §3.2.2); where Friedman's p is exact it is the same, for F grows with
// χ². F is infinite where all tasks agree. p is no less than the chance that they do, where
// each task's ranks are a permutation of its own: the product of ∏tᵢ!/k!, tᵢ being how many
// methods share a rank, over all tasks but one, the least. F makes nothing of it for few
// tasks.
func ImanDavenport(scores [][]float64) (f, p float64) {
	chi2 := friedman(scores)
	n := float64(len(scores))
	if n < 2 || len(scores[0]) < 2 {
		return 0, 1
	}
	k := float64(len(scores[0]))
	agree, least := 1.0, 1.0
	for _, row := range scores {
		same := permutations(row)
		agree, least = agree*same, min(least, same)
	}
	agree /= least // any ranks will do for the first
	f, p = math.Inf(1), agree
	if rest := n*(k-1) - chi2; rest > 1e-9*n*k {
		f = (n - 1) * chi2 / rest
		p = max(agree, distuv.F{D1: k - 1, D2: (k - 1) * (n - 1)}.Survival(f))
	}
	if exact, ok := exactRanks(scores); ok {
		p = exact
	}
	return f, p
}

// permutations is the chance that a random order of a task's scores has the ranks that
// they have.
func permutations(row []float64) float64 {
	sorted, same := slices.Sorted(slices.Values(row)), 1.0
	for i, run := 1, 1.0; i < len(sorted); i++ {
		if run++; !sameMean(sorted[i], sorted[i-1]) {
			run = 1
		}
		same *= run / float64(i+1)
	}
	return same
}

// tabled is up to how many tasks there are tables of Friedman's χ² for so many methods.
var tabled = map[int]int{3: 13, 4: 8, 5: 5}

// exactRanks is the exact probability that rank sums differ as much or more where no method
// is better; false for so many tasks or methods that this is left to χ² or F.
func exactRanks(scores [][]float64) (p float64, ok bool) {
	if len(scores) == 0 {
		return 0, false
	}
	methods := len(scores[0])
	if methods == 2 {
		return signTest(scores), true
	}
	if len(scores) > tabled[methods] {
		return 0, false
	}
	// The ways to sums of twice the ranks, which are whole numbers; methods being alike,
	// sums are sorted. The first task's order is one of those that are alike.
	type sums [5]int
	ways, observed := map[sums]float64{{}: 1}, make([]int, methods)
	for i, ranks := range Ranks(scores) {
		twice := make([]int, methods)
		for m, r := range ranks {
			twice[m] = int(2 * r)
			observed[m] += twice[m]
		}
		next := map[sums]float64{}
		for at, n := range ways {
			if i == 0 {
				slices.Sort(twice)
				next[sums(append(twice, make([]int, len(at)-methods)...))] = 1
				break
			}
			permute(twice, func() {
				sum := at
				for m, r := range twice {
					sum[m] += r
				}
				slices.Sort(sum[:methods])
				next[sum] += n
			})
		}
		ways = next
	}
	spread := func(v []int) (total int) {
		for _, s := range v {
			total += s * s
		}
		return total
	}
	least := spread(observed)
	all, far := 0.0, 0.0
	for at, n := range ways { // whole numbers: their order says nothing
		all += n
		if spread(at[:methods]) >= least {
			far += n
		}
	}
	return far / all, true
}

// permute calls do with each order of v, which has its own again then; v is not empty.
func permute(v []int, do func()) {
	var from func(at int)
	from = func(at int) {
		if at == len(v)-1 {
			do()
			return
		}
		for i := at; i < len(v); i++ {
			v[at], v[i] = v[i], v[at]
			from(at + 1)
			v[at], v[i] = v[i], v[at]
		}
	}
	from(0)
}

// signTest is the sign test of two methods, two-sided: on tasks where they are equal it
// says nothing.
func signTest(scores [][]float64) float64 {
	wins, losses := 0, 0
	for _, row := range Ranks(scores) {
		switch cmp.Compare(row[1], row[0]) {
		case 1:
			wins++
		case -1:
			losses++
		}
	}
	if wins == losses {
		return 1
	}
	return min(1, 2*distuv.Binomial{N: float64(wins + losses), P: .5}.CDF(float64(min(wins, losses))))
}
