package policygradient

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"tnaml/nn/safetensors"
)

// BaselineConfig says how rewards become advantages; zero values mean the
// defaults.
type BaselineConfig struct {
	// Decay is the paper's α, 0.01.
	Decay float64 `json:"decay"`
	// Floor is the smallest σ that an advantage is divided by, 0.001: a tenth
	// of a point of accuracy. It matters where all rewards so far are equal.
	Floor float64 `json:"floor"`
	// Uncorrected leaves the averages as the paper's formulas give them from
	// the first reward on: see Baseline.
	Uncorrected bool `json:"uncorrected"`
}

// WithDefaults fills in the defaults and reports everything that is wrong.
func (c BaselineConfig) WithDefaults() (BaselineConfig, error) {
	if c.Decay == 0 {
		c.Decay = 0.01
	}
	if c.Floor == 0 {
		c.Floor = 0.001
	}
	var errs []error
	if !(c.Decay > 0 && c.Decay <= 1) {
		errs = append(errs, fmt.Errorf("decay %v must lie in (0, 1]", c.Decay))
	}
	if !(c.Floor > 0) || math.IsInf(c.Floor, 0) {
		errs = append(errs, fmt.Errorf("floor %v must be positive", c.Floor))
	}
	return c, errors.Join(errs...)
}

// Baseline turns rewards into normalised advantages, for each task by itself
// (Wong et al., 2018, §2.2), in this order:
//
//	b_t  = (1−α) b_{t−1} + α R
//	σ²_t = (1−α) σ²_{t−1} + α (R − b_t)²
//	A'   = (R − b_t)/σ_t
//
// The paper leaves the start open. Taken literally from b_1 = R_1 and σ²_1 = 0
// (Uncorrected), b keeps most of the first reward for a hundred trials: after
// a first trial that diverged, whatever is tried next looks good. So the
// weights are corrected for the start, as Adam corrects its moments: b and σ²
// are divided by 1 − (1−α)^n, n being the number of rewards. Then b_1 = R_1,
// early on b is about the mean of the rewards so far, and later the correction
// vanishes.
type Baseline struct {
	config BaselineConfig
	tasks  map[int]*moments
}

// moments are a task's moving averages, not corrected.
type moments struct {
	n              int
	mean, variance float64
}

// NewBaseline returns a baseline without rewards.
func NewBaseline(c BaselineConfig) (*Baseline, error) {
	c, err := c.WithDefaults()
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	return &Baseline{c, map[int]*moments{}}, nil
}

// Advantage absorbs a task's reward and returns its normalised advantage. The
// first reward's is 0.
func (b *Baseline) Advantage(task int, reward float64) float64 {
	m := b.tasks[task]
	if m == nil {
		m = &moments{}
		b.tasks[task] = m
		if b.config.Uncorrected {
			m.mean = reward
		}
	}
	m.n++
	m.mean += b.config.Decay * (reward - m.mean)
	mean, _, _ := b.Moments(task)
	d := reward - mean
	m.variance += b.config.Decay * (d*d - m.variance)
	_, sigma, _ := b.Moments(task)
	return d / max(sigma, b.config.Floor)
}

// Moments returns a task's b and σ, and the number of its rewards.
func (b *Baseline) Moments(task int) (mean, sigma float64, n int) {
	m := b.tasks[task]
	if m == nil {
		return 0, 0, 0
	}
	weight := 1.0
	if !b.config.Uncorrected {
		weight = 1 - math.Pow(1-b.config.Decay, float64(m.n))
	}
	return m.mean / weight, math.Sqrt(m.variance / weight), m.n
}

// PutArrays stores the state: one array of b, σ² and n for each task.
func (b *Baseline) PutArrays(f *safetensors.File, prefix string) {
	for task, m := range b.tasks { // the container sorts by name
		safetensors.Put(f, prefix+strconv.Itoa(task), []float64{m.mean, m.variance, float64(m.n)})
	}
}

// GetArrays restores what PutArrays stored.
func (b *Baseline) GetArrays(f *safetensors.File, prefix string) error {
	b.tasks = map[int]*moments{}
	for _, name := range f.Names() {
		suffix, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		task, err := strconv.Atoi(suffix)
		if err != nil {
			return fmt.Errorf("baseline: array %q is no task's", name)
		}
		v, _, err := safetensors.Get[float64](f, name, 3)
		if err != nil {
			return fmt.Errorf("baseline: %w", err)
		}
		b.tasks[task] = &moments{mean: v[0], variance: v[1], n: int(v[2])}
	}
	return nil
}
