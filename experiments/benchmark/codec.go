package benchmark

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"

	"tnaml/experiments/trainer"
	"tnaml/nn/safetensors"
)

// kind is that of the container.
const kind = "record"

// maxRecord bounds a record's container, in bytes.
const maxRecord = 256 << 20

// The arrays of the container.
const (
	trialArray      = "trial"
	actionsArray    = "actions"
	statusArray     = "status"
	stepsArray      = "steps"
	cpuArray        = "cpu_seconds"
	metricsArray    = "metrics"
	validationArray = "right_validation"
	testArray       = "right_test"
)

// columns is the part of the container that is JSON, besides the provenance.
type columns struct {
	// Statuses and Metrics name what the arrays of these names hold.
	Statuses []trainer.Status `json:"statuses"`
	Metrics  []string         `json:"metrics"`
	// Examples are the sizes of the two splits; absent where it is not known which
	// examples the models have right.
	Examples *[2]int `json:"examples,omitempty"`
}

// Encode returns a record as a file. Equal records give equal bytes; everything wrong
// with one is reported together.
func Encode(r *Record) ([]byte, error) {
	sorted := Record{r.Provenance, slices.Clone(r.Rows)}
	slices.SortFunc(sorted.Rows, func(a, b Row) int { return a.Trial - b.Trial })
	if err := sorted.check(); err != nil {
		return nil, err
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return w.EncodeAll(sorted.container().Encode(), nil), nil
}

// container is a checked record with its rows in order.
func (r *Record) container() *safetensors.File {
	rows := len(r.Rows)
	c := columns{Statuses: trainer.Statuses()}
	for _, row := range r.Rows {
		for name := range row.Metrics {
			if !slices.Contains(c.Metrics, name) {
				c.Metrics = append(c.Metrics, name)
			}
		}
		if row.Right != nil {
			c.Examples = &[2]int{row.Right.Validation.N, row.Right.Test.N}
		}
	}
	slices.Sort(c.Metrics)
	trials, status, steps, cpu := make([]int32, rows), make([]uint8, rows), make([]int32, rows), make([]float64, rows)
	metrics := make([]float64, 0, rows*len(c.Metrics))
	var actions []uint8
	var right [2][]uint8
	for i, row := range r.Rows {
		trials[i], steps[i], cpu[i] = int32(row.Trial), int32(row.Steps), row.CPUSeconds
		status[i] = uint8(slices.Index(c.Statuses, row.Status))
		for _, a := range row.Actions {
			actions = append(actions, uint8(a))
		}
		if c.Examples != nil {
			bits := row.Right
			if bits == nil {
				bits = &trainer.Right{}
				bits.Validation.Packed, bits.Test.Packed = make([]byte, bytesOf(c.Examples[0])), make([]byte, bytesOf(c.Examples[1]))
			}
			right[0], right[1] = append(right[0], bits.Validation.Packed...), append(right[1], bits.Test.Packed...)
		}
	}
	for _, name := range c.Metrics { // a metric's values together: they are alike
		for _, row := range r.Rows {
			v, ok := row.Metrics[name]
			if !ok {
				v = math.NaN()
			}
			metrics = append(metrics, v)
		}
	}
	f := safetensors.New(kind)
	f.PutJSON("provenance", r.Provenance)
	f.PutJSON("columns", c)
	safetensors.Put(f, trialArray, trials)
	safetensors.Put(f, actionsArray, actions, rows, len(r.Space().Choices))
	safetensors.Put(f, statusArray, status)
	safetensors.Put(f, stepsArray, steps)
	safetensors.Put(f, cpuArray, cpu)
	safetensors.Put(f, metricsArray, metrics, len(c.Metrics), rows)
	if c.Examples != nil {
		safetensors.Put(f, validationArray, right[0], rows, bytesOf(c.Examples[0]))
		safetensors.Put(f, testArray, right[1], rows, bytesOf(c.Examples[1]))
	}
	return f
}

// check reports what no record has.
func (c *columns) check() error {
	var errs []error
	if c.Examples != nil && (min(c.Examples[0], c.Examples[1]) < 0 || max(c.Examples[0], c.Examples[1]) > math.MaxInt32) {
		errs = append(errs, fmt.Errorf("splits of %d and %d examples", c.Examples[0], c.Examples[1]))
	}
	for i, name := range c.Metrics {
		if slices.Contains(c.Metrics[:i], name) {
			errs = append(errs, fmt.Errorf("the metric %q is there twice", name))
		}
	}
	return errors.Join(errs...)
}

// bytesOf is how many bytes so many bits take.
func bytesOf(bits int) int { return (bits + 7) / 8 }

// Decode reads what Encode wrote. Everything wrong is reported together.
func Decode(b []byte) (*Record, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRecord))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	plain, err := d.DecodeAll(b, nil)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return decodeContainer(plain)
}

func decodeContainer(b []byte) (*Record, error) {
	f, err := safetensors.DecodeKind(b, kind)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	var c columns
	r := &Record{}
	if err := errors.Join(f.GetJSON("provenance", &r.Provenance), f.GetJSON("columns", &c), c.check()); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	trials, _, err := safetensors.Get[int32](f, trialArray, -1)
	rows, choices := len(trials), len(r.Space().Choices)
	var errs [6]error
	var right [2][]uint8
	actions, _, errActions := safetensors.Get[uint8](f, actionsArray, rows, choices)
	status, _, errStatus := safetensors.Get[uint8](f, statusArray, rows)
	steps, _, errSteps := safetensors.Get[int32](f, stepsArray, rows)
	cpu, _, errCPU := safetensors.Get[float64](f, cpuArray, rows)
	metrics, _, errMetrics := safetensors.Get[float64](f, metricsArray, len(c.Metrics), rows)
	errs = [...]error{errActions, errStatus, errSteps, errCPU, errMetrics, nil}
	if c.Examples != nil {
		var e [2]error
		right[0], _, e[0] = safetensors.Get[uint8](f, validationArray, rows, bytesOf(c.Examples[0]))
		right[1], _, e[1] = safetensors.Get[uint8](f, testArray, rows, bytesOf(c.Examples[1]))
		errs[5] = errors.Join(e[:]...)
	}
	if err := errors.Join(append(errs[:], err)...); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	for i := range rows {
		row := Row{Trial: int(trials[i]), Steps: int(steps[i]), CPUSeconds: cpu[i], Actions: make([]int, choices)}
		for k := range choices {
			row.Actions[k] = int(actions[i*choices+k])
		}
		if int(status[i]) < len(c.Statuses) {
			row.Status = c.Statuses[status[i]]
		}
		for k, name := range c.Metrics {
			if v := metrics[k*rows+i]; !math.IsNaN(v) {
				if row.Metrics == nil {
					row.Metrics = map[string]float64{}
				}
				row.Metrics[name] = v
			}
		}
		row.Validation, row.Test = row.objective(r.Space().Objective)
		if c.Examples != nil && row.Status == trainer.OK {
			bits := func(split int) trainer.Bits {
				n := bytesOf(c.Examples[split])
				return trainer.Bits{N: c.Examples[split], Packed: right[split][i*n : (i+1)*n : (i+1)*n]}
			}
			row.Right = &trainer.Right{Validation: bits(0), Test: bits(1)}
		}
		r.Rows = append(r.Rows, row)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}
