package metrics

// Band is the spread of one learning curve over several seeds at one number of
// trials.
type Band struct {
	Trials int `json:"trials"`
	// Estimate is the mean over seeds and its 2 s.e.m. across seeds.
	Estimate
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// Bands summarises the learning curves of equal searches with different seeds:
// value picks what is summarised, e.g. the test accuracy. A band spans the
// numbers of trials for which every curve has a point, so that it never jumps
// because a seed joins or leaves; nil where there is no such number.
func Bands(curves [][]Point, value func(Point) float64) []Band {
	if len(curves) == 0 {
		return nil
	}
	first, last := 0, int(^uint(0)>>1)
	for _, c := range curves {
		if len(c) == 0 {
			return nil
		}
		first, last = max(first, c[0].Trials), min(last, c[len(c)-1].Trials)
	}
	var bands []Band
	values := make([]float64, len(curves))
	for t := first; t <= last; t++ {
		b := Band{Trials: t}
		for i, c := range curves {
			v := value(c[t-c[0].Trials]) // a curve has a point for every trial
			values[i] = v
			if i == 0 {
				b.Min, b.Max = v, v
			}
			b.Min, b.Max = min(b.Min, v), max(b.Max, v)
		}
		b.Estimate = Mean(values)
		bands = append(bands, b)
	}
	return bands
}
