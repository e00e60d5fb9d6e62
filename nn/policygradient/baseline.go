package policygradient

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tnaml/nn/safetensors"
)

// BaselineConfig says how rewards become advantages; zero values mean the
// defaults, and 0 is not to be given for them in JSON.
type BaselineConfig struct {
	// Decay is the paper's α, 0.01.
	Decay float64 `json:"decay" strict:"nonzero"`
	// Floor is the smallest σ that an advantage is divided by, 0.001: a tenth
	// of a point of accuracy. It matters where all rewards so far are equal. RSPG, which
	// has a σ of its own, takes it too.
	Floor float64 `json:"floor" strict:"nonzero"`
	// InitialVariance is σ² before a task's first reward; the default, nil, is 0.01.
	InitialVariance *float64 `json:"initial_variance,omitempty"`
	// Corrected takes the start out of both averages: see Baseline.
	Corrected bool `json:"corrected"`
}

// WithDefaults fills in the defaults and reports everything that is wrong.
func (c BaselineConfig) WithDefaults() (BaselineConfig, error) {
	if c.Decay == 0 {
		c.Decay = 0.01
	}
	if c.Floor == 0 {
		c.Floor = 0.001
	}
	if c.InitialVariance == nil && !c.Corrected {
		c.InitialVariance = new(0.01)
	}
	var errs []error
	if c.Corrected && c.InitialVariance != nil {
		errs = append(errs, errors.New("corrected averages start from nothing: they take no initial_variance"))
	}
	if v := c.InitialVariance; v != nil {
		errs = append(errs, within("initial_variance", *v, 0, mostScale*mostScale))
	}
	// From less on, 1 − α is so near to 1 that what is left of an average's start is no number
	// to correct by.
	errs = append(errs, within("decay", c.Decay, 1e-6, 1), within("floor", c.Floor, least, mostScale))
	return c, errors.Join(errs...)
}

// Baseline turns rewards into normalised advantages, for each task by itself
// (Wong et al., 2018, §2.2): the averages absorb the reward first, then it is
// compared with them.
//
//	b_t  = (1−α) b_{t−1} + α R,         b_0 = the first reward
//	σ²_t = (1−α) σ²_{t−1} + α (R − b_t)², σ²_0 = InitialVariance
//	A'   = (R − b_t)/max(σ_t, Floor)
//
// The paper leaves the start open. The first reward's advantage is 0, and so is that of a
// reward that differs from b by no more than rounding (even). With
// σ²_0 = 0 the second reward's would be ±1/√α = ±10 whatever it is; 0.01, a
// standard deviation of ten points of accuracy, is what random models show.
//
// b keeps most of the first reward for a hundred trials: where that trial
// diverged, all that is tried next looks good. Corrected divides both averages
// by 1 − (1−α)ⁿ after n rewards, as Adam corrects its moments, and starts both
// from 0: b is then about the mean of the rewards so far, b_1 the first of
// them, and the correction vanishes with time. On the tests' bandit the two
// learn alike, but after a first reward of 0 the uncorrected baseline needs
// 790 trials in place of 550 (Adam, 1e-3).
//
// Restored under another α, the averages go on from where they are: the weight that
// is left of their start is the product of (1−α) over the rewards, each by the α that
// it was absorbed with. Under another InitialVariance or Corrected they are what they
// would be if they had begun as these say, the deviations (R − b_t)² being those from
// the b that was.
type Baseline struct {
	config BaselineConfig
	tasks  map[int]*moments
}

// moments are a task's moving averages, not corrected.
type moments struct {
	n              int
	mean, variance float64
	first          float64 // reward
	// left is what the averages' start weighed after since rewards; those after it have
	// been absorbed with the present α.
	left  float64
	since int
}

// start is what a task's averages began with.
func (c BaselineConfig) start(first float64) (mean, variance float64) {
	if c.Corrected {
		return 0, 0
	}
	return first, *c.InitialVariance
}

// remains is the weight of the averages' start, in them.
func (m *moments) remains(decay float64) float64 {
	return m.left * math.Pow(1-decay, float64(m.n-m.since))
}

// under turns moments of one configuration into those of another.
func (m *moments) under(old, now BaselineConfig) {
	left := m.remains(old.Decay)
	if now.Decay != old.Decay {
		m.left, m.since = left, m.n
	}
	oldMean, oldVariance := old.start(m.first)
	mean, variance := now.start(m.first)
	if mean != oldMean {
		m.mean += left * (mean - oldMean)
	}
	if variance != oldVariance {
		m.variance = max(0, m.variance+left*(variance-oldVariance)) // rounding
	}
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
		m = &moments{first: reward, left: 1}
		m.mean, m.variance = b.config.start(reward)
		b.tasks[task] = m
	}
	m.n++
	m.mean += b.config.Decay * (reward - m.mean)
	mean, _, _ := b.Moments(task)
	d := reward - mean
	if m.n == 1 || b.config.even(reward, mean) {
		d = 0
	}
	m.variance += b.config.Decay * (d*d - m.variance)
	_, sigma, _ := b.Moments(task)
	return d / max(sigma, b.config.Floor)
}

// even says that a reward is b but for rounding: an optimiser that divides a gradient by its
// size takes a whole step on a difference of an ulp. An average stands still where α of what
// it lacks is less than half an ulp: within 1/(2α) ulps of a reward that comes again and
// again. Four times that, since sums and the weight that corrects them are rounded too: of
// an α of 0.01 200 ulps, some 4·10⁻¹⁴ of the reward.
func (c BaselineConfig) even(reward, mean float64) bool {
	const ulp = 0x1p-52 // of 1
	return math.Abs(reward-mean) <= 2*ulp/c.Decay*math.Abs(reward)
}

// Moments returns a task's b and σ, and the number of its rewards.
func (b *Baseline) Moments(task int) (mean, sigma float64, n int) {
	m := b.tasks[task]
	if m == nil {
		return 0, 0, 0
	}
	weight := 1.0
	if b.config.Corrected {
		weight = 1 - m.remains(b.config.Decay)
	}
	return m.mean / weight, math.Sqrt(m.variance / weight), m.n
}

// Reset forgets a task's rewards.
func (b *Baseline) Reset(task int) { delete(b.tasks, task) }

// PutArrays stores the state: the configuration, and for each task an array of its
// averages, not corrected, the number of its rewards, the first of them, what is left of
// the averages' start, and since how many rewards the present α holds.
func (b *Baseline) PutArrays(f *safetensors.File, prefix string) {
	f.PutJSON(prefix+"config", b.config)
	for task, m := range b.tasks { // the container sorts by name
		safetensors.Put(f, prefix+strconv.Itoa(task), []float64{m.mean, m.variance, float64(m.n), m.first, m.left, float64(m.since)})
	}
}

// GetArrays restores what PutArrays stored, perhaps of a baseline of another
// configuration.
func (b *Baseline) GetArrays(f *safetensors.File, prefix string) error {
	var stored BaselineConfig
	if err := f.GetJSON(prefix+"config", &stored); err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	old, err := stored.WithDefaults()
	if err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	b.tasks = map[int]*moments{}
	for _, name := range f.Names() {
		suffix, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		task, err := strconv.Atoi(suffix)
		if err != nil || suffix != strconv.Itoa(task) || task < 0 {
			return fmt.Errorf("baseline: array %q is no task's", name)
		}
		v, _, err := safetensors.Get[float64](f, name, 6)
		if err != nil {
			return fmt.Errorf("baseline: %w", err)
		}
		m := &moments{mean: v[0], variance: v[1], first: v[3], left: v[4]}
		notFinite := func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }
		if slices.ContainsFunc(v, notFinite) || v[1] < 0 || v[2] < 1 || v[2] > 1<<53 || v[4] < 0 || v[4] > 1 || v[5] < 0 || v[5] > v[2] {
			return fmt.Errorf("baseline: array %q holds %v", name, v)
		}
		m.n, m.since = int(v[2]), int(v[5])
		m.under(old, b.config)
		b.tasks[task] = m
	}
	return nil
}
