package controller

import "slices"

// Grown says where a choice of a grown controller comes from.
type Grown struct {
	// Choice is the choice of the old controller that it is, −1: none.
	Choice int
	// Options are those of that choice that its options are, −1 for new ones; of a new
	// choice only their number counts.
	Options []int
}

// Grow returns a controller, with the same tasks, of other choices: what it knows of
// theirs is carried over as it is.
//
//   - Its steps are the old one's, in the order it learned them in, without those of
//     choices that are gone, and then those of new choices, in their order. A step of a
//     choice that was known thus has the distribution it had, among the options that it
//     had, as long as the steps before it are the old ones: where no choice is gone, all
//     of them. After one that is gone, a step sees the action of the step before that.
//   - A known option keeps its rows: its head's, its bias, its embedding. A new one has
//     the mean of all that the choice had: its probability is the geometric mean of
//     theirs. Options that are gone leave theirs to the others, in proportion.
//   - A new choice begins even, its head being zero. Its embeddings, and those of what
//     was the last step, which had none, are the mean of all embeddings of actions.
//
// Grown into what it is, a controller is an equal one.
func (c *Controller) Grow(choices []Grown) *Controller {
	cfg := c.config
	cfg.Options, cfg.Order = nil, nil
	old := map[int]int{} // a choice of the old controller's in the new
	for i, g := range choices {
		cfg.Options = append(cfg.Options, len(g.Options))
		if g.Choice >= 0 {
			old[g.Choice] = i
		}
	}
	var from []int // the old step of each step, −1: none
	for t := range c.config.Options {
		if i, ok := old[c.config.choice(t)]; ok {
			cfg.Order, from = append(cfg.Order, i), append(from, t)
		}
	}
	for i, g := range choices {
		if g.Choice < 0 {
			cfg.Order, from = append(cfg.Order, i), append(from, -1)
		}
	}
	d := blank(cfg)
	if slices.IsSorted(cfg.Order) {
		d.config.Order = nil
	}
	for i := range d.firstAction - 2*len(d.heads) { // start and cells
		copy(d.params[i].Value, c.params[i].Value)
	}
	embedding := cfg.ActionEmbedding
	known := c.params[c.firstAction : len(c.config.Options)-1+c.firstAction]
	var every []float64
	for _, p := range known {
		every = append(every, p.Value...)
	}
	usual := meanRow(every, embedding)
	for t, step := range from {
		options := choices[cfg.Order[t]].Options
		head := d.heads[t]
		if step >= 0 {
			weights, bias := c.params[c.heads[step].weights].Value, c.params[c.heads[step].bias].Value
			growRows(d.params[head.weights].Value, weights, meanRow(weights, cfg.Hidden+cfg.input()), options)
			growRows(d.params[head.bias].Value, bias, meanRow(bias, 1), options)
		}
		if t == len(from)-1 {
			continue
		}
		to := d.params[d.firstAction+t].Value
		if step >= 0 && step < len(known) {
			growRows(to, known[step].Value, meanRow(known[step].Value, embedding), options)
		} else {
			growRows(to, nil, usual, make([]int, len(options)))
		}
	}
	for task := range c.tasks {
		d.AddTask(0)
		d.SetTaskEmbedding(task, c.TaskEmbedding(task))
	}
	d.SetTaskRate(c.taskRate)
	return d
}

// growRows fills rows from the old ones of the options, or with the mean. Without old
// rows all have the mean.
func growRows(to, old, mean []float64, options []int) {
	n := len(mean)
	for i, o := range options {
		if o < 0 || old == nil {
			copy(to[i*n:], mean)
		} else {
			copy(to[i*n:][:n], old[o*n:])
		}
	}
}

// meanRow is the mean of rows of a length, zero where there are none.
func meanRow(rows []float64, n int) []float64 {
	mean := make([]float64, n)
	for i, v := range rows {
		mean[i%n] += v / float64(len(rows)/n)
	}
	return mean
}
