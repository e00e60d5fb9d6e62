package controller

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"tnaml/nn/optimizer"
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
	// The arrays of the file bound what is allocated for it.
	if !f.Has(prefix+"head/"+strconv.Itoa(len(cfg.Options)-1)+"/bias") || h.Tasks < 0 || h.Tasks > len(f.Names()) && cfg.task() > 0 {
		return nil, fmt.Errorf("controller: arrays of %d choices and %d tasks are not all there", len(cfg.Options), h.Tasks)
	}
	w, _, err := safetensors.Get[float64](f, prefix+"cell/"+strconv.Itoa(cfg.Layers-1)+"/weights", 4*cfg.Hidden, -1)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	if _, _, err := safetensors.Get[float64](f, prefix+"head/0/weights", cfg.Options[0], cfg.Hidden+cfg.input()); err != nil || len(w) == 0 {
		return nil, fmt.Errorf("controller: shape and arrays differ: %w", err)
	}
	c := blank(cfg)
	for i := range h.Tasks {
		n := cfg.task()
		c.addTask(optimizer.Parameter{Name: "task/" + strconv.Itoa(i), Shape: []int{n}, Value: make([]float64, n), Gradient: make([]float64, n)})
	}
	for _, p := range c.params {
		v, _, err := safetensors.Get[float64](f, prefix+p.Name, p.Shape...)
		if err != nil {
			return nil, fmt.Errorf("controller: %w", err)
		}
		for _, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("controller: array %q holds %v", p.Name, x)
			}
		}
		copy(p.Value, v)
	}
	return c, nil
}
