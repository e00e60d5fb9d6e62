package controller

import (
	"fmt"
	"math"
	"slices"

	"tnaml/nn/safetensors"
)

// header is the part of an encoded controller that is JSON.
type header struct {
	Config
	Tasks int `json:"tasks"`
}

// PutArrays stores the controller in a container: each parameter as an F64
// array under prefix and its name, and the metadata prefix+"config".
func (c *Controller) PutArrays(f *safetensors.File, prefix string) {
	f.PutJSON(prefix+"config", header{c.config, c.tasks})
	for _, p := range c.params {
		safetensors.Put(f, prefix+p.Name, slices.Clone(p.Value), p.Shape...)
	}
}

// FromFile reads what PutArrays stored.
func FromFile(f *safetensors.File, prefix string) (*Controller, error) {
	var h header
	if err := f.GetJSON(prefix+"config", &h); err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	cfg, err := h.Config.WithDefaults()
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	// Every array is there with its shape before anything is allocated for it:
	// the file's own size bounds what a hostile one can ask for.
	if h.Tasks < 0 || cfg.task() > 0 && h.Tasks > len(f.Names()) {
		return nil, fmt.Errorf("controller: %d tasks, but not their arrays", h.Tasks)
	}
	arrays := layout(cfg)
	if cfg.task() > 0 {
		for i := range h.Tasks {
			arrays = append(arrays, cfg.taskArray(i))
		}
	}
	for _, a := range arrays {
		v, _, err := safetensors.Get[float64](f, prefix+a.name, a.shape...)
		if err != nil {
			return nil, fmt.Errorf("controller: %w", err)
		}
		for _, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("controller: array %q holds %v", a.name, x)
			}
		}
	}
	c := blank(cfg)
	c.tasks = h.Tasks
	for _, a := range arrays[len(c.params):] {
		c.params = append(c.params, a.parameter())
	}
	for i, p := range c.params {
		v, _, err := safetensors.Get[float64](f, prefix+arrays[i].name, arrays[i].shape...)
		if err != nil {
			return nil, fmt.Errorf("controller: %w", err)
		}
		copy(p.Value, v)
	}
	return c, nil
}
