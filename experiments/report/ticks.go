package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// ticks labels an axis at round numbers (1, 2 or 5 times a power of ten), at
// most nine times. One whose steps are lost in the rounding of its values has none.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	const most = 8 // steps
	raw := (high - low) / most
	if !(raw > 1e-13*max(math.Abs(low), math.Abs(high))) || math.IsInf(raw, 0) {
		return nil
	}
	power := math.Floor(math.Log10(raw))
	step := math.Pow(10, power)
	for _, f := range []float64{1, 2, 5, 10} {
		if f*step >= raw*(1-1e-9) {
			step *= f
			break
		}
	}
	digits := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	var out []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step; i++ {
		value := i*step + 0 // no negative zero
		label := strconv.FormatFloat(value, 'f', digits, 64)
		if digits > 6 || max(math.Abs(low), math.Abs(high)) >= 1e7 {
			label = strconv.FormatFloat(value, 'g', 6, 64) // or the labels leave no room for the plot
		}
		out = append(out, plot.Tick{Value: value, Label: minus(label)})
	}
	return out
}
