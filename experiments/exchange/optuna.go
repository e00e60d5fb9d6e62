package exchange

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// The operations of Optuna's journal (optuna.storages.JournalFileStorage of 3.1 to 4),
// one JSON object a line.
const (
	opCreateStudy = iota
	opDeleteStudy
	opStudyUserAttr
	opStudySystemAttr
	opCreateTrial
	opTrialParam
	opTrialState
	opTrialIntermediate
	opTrialUserAttr
	opTrialSystemAttr
)

// The states of Optuna's trials.
const (
	optunaRunning = iota
	optunaComplete
	optunaPruned
	optunaFail
	optunaWaiting
)

// The directions of Optuna's studies.
const (
	optunaMinimize = 1
	optunaMaximize = 2
)

// worker is who Optuna's journal says has written it. A process knows its own by another
// name, so that what it cannot take of ours is passed over.
const worker = "tnaml"

// Attributes of Optuna's studies and trials that are not metrics.
const (
	attrSearch   = "search"
	attrStrategy = "strategy"
	attrTask     = "task"
	attrSpace    = "space"
	attrMetric   = "metric"
	attrTrial    = "trial"
	attrSeed     = "seed"
	attrSteps    = "steps"
	attrStatus   = "status"
	attrReason   = "reason"
	attrCPU      = "cpu_seconds"
	attrWall     = "wall_seconds"
	attrModel    = "model"
)

// created is the operation that creates a trial which has ended.
type created struct {
	Op            int                        `json:"op_code"`
	Worker        string                     `json:"worker_id"`
	Study         int                        `json:"study_id"`
	Started       *string                    `json:"datetime_start"`
	State         int                        `json:"state"`
	Value         *float64                   `json:"value"`
	Values        []float64                  `json:"values"`
	Distributions map[string]json.RawMessage `json:"distributions"`
	Params        map[string]int64           `json:"params"`
	Attributes    map[string]any             `json:"user_attrs"`
	System        map[string]any             `json:"system_attrs"`
	Curve         map[string]float64         `json:"intermediate_values"`
}

// WriteOptuna writes ledgers as Optuna's journal: a study for each task, of the search's
// name where it has one task and SEARCH/TASK where it has several, each trial with all its
// metrics as user attributes, metric.NAME, and its curve as intermediate values. A choice
// is a CategoricalDistribution of its options, so that each comes back as it was, or, of whole numbers at one distance, an IntDistribution.
func WriteOptuna(w io.Writer, ledgers []Ledger) error {
	out := bufio.NewWriter(w)
	line := func(v any) error {
		b, err := json.Marshal(v)
		if err == nil {
			_, err = out.Write(append(b, '\n'))
		}
		return err
	}
	study := 0
	for i := range ledgers {
		if err := writeStudies(&ledgers[i], study, line); err != nil {
			return fmt.Errorf("writing the trials of %s: %w", ledgers[i].Name, err)
		}
		study += len(ledgers[i].Config.Tasks)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the trials: %w", err)
	}
	return nil
}

// writeStudies writes a ledger's studies, the first of which has a number.
func writeStudies(l *Ledger, first int, line func(any) error) error {
	objective := l.Config.Space.Objective
	direction := optunaMaximize
	if objective.Direction == space.Minimise {
		direction = optunaMinimize
	}
	for k, task := range l.Config.Tasks {
		op := func(op int, field string, value any, more ...any) error {
			fields := map[string]any{"op_code": op, "worker_id": worker, field: value}
			for i := 0; i+1 < len(more); i += 2 {
				fields[more[i].(string)] = more[i+1]
			}
			return line(fields)
		}
		name := l.Name
		if len(l.Config.Tasks) > 1 {
			name += "/" + task.Name
		}
		if err := op(opCreateStudy, "study_name", name, "directions", []int{direction}); err != nil {
			return err
		}
		for _, a := range [][2]any{
			{attrSearch, l.Name}, {attrStrategy, l.Strategy}, {attrTask, task.Name}, {attrSpace, l.Config.Space.Name},
			{attrMetric, objective.Metric},
			{attrSeed, l.Config.Seed},
		} {
			if err := op(opStudyUserAttr, "study_id", first+k, "user_attr", map[string]any{a[0].(string): a[1]}); err != nil {
				return err
			}
		}
		names := map[string]any{"study:metric_names": []string{objective.Metric}}
		if err := op(opStudySystemAttr, "study_id", first+k, "system_attr", names); err != nil {
			return err
		}
	}
	distributions, internal := distributionsOf(&l.Config.Space)
	costs := costsOf(l)
	for _, t := range l.Trials {
		c := created{Op: opCreateTrial, Worker: worker, Study: first + t.Task, State: stateOf(t), Distributions: distributions,
			Params: map[string]int64{}, Attributes: attributesOf(l, t, costs), System: map[string]any{}, Curve: map[string]float64{}}
		for _, p := range t.Curve {
			c.Curve[strconv.Itoa(p.Step)] = p.Value
		}
		if bounds := l.Config.Space.Constraints; len(bounds) > 0 && !t.Status.Failure() {
			beyond, missing := trainer.Violation(t.Metrics, bounds)
			c.System["constraints"] = []float64{beyond + float64(len(missing))} // above 0 is infeasible
		}
		if !t.Status.Failure() {
			c.Value = &t.Validation
		}
		for k, choice := range l.Config.Space.Choices {
			c.Params[choice.Name] = internal[k][t.Actions[k]]
		}
		if err := line(c); err != nil {
			return err
		}
	}
	return nil
}

func stateOf(t search.Trial) int {
	switch t.Status {
	case trainer.OK, trainer.Infeasible:
		return optunaComplete
	case trainer.Pruned:
		return optunaPruned
	}
	return optunaFail
}

// attributesOf are what is known of a trial beside its value. Metrics may have any names,
// those of ours too.
func attributesOf(l *Ledger, t search.Trial, costs map[int]search.Cost) map[string]any {
	out := map[string]any{}
	for name, v := range t.Metrics {
		out[metricPrefix+name] = v
	}
	out[attrTrial], out[attrTask], out[attrSteps] = t.Trial, l.Config.Tasks[t.Task].Name, t.Steps
	out[attrSeed], out[attrStatus] = l.Config.TrialSeed(t.Trial), t.Status
	for name, text := range map[string]string{attrReason: t.Reason, attrModel: t.Model} {
		if text != "" {
			out[name] = text
		}
	}
	if c, ok := costs[t.Trial]; ok {
		out[attrCPU], out[attrWall] = c.CPUSeconds, c.WallSeconds
	}
	return out
}

// distributionsOf are Optuna's distributions of a space's choices, each as the text that
// the journal holds, and what each option is in it.
func distributionsOf(sp *space.Space) (named map[string]json.RawMessage, internal [][]int64) {
	named = map[string]json.RawMessage{}
	for _, c := range sp.Choices {
		text, values := distributionOf(c.Options)
		quoted, err := json.Marshal(text)
		if err != nil {
			panic(err) // text
		}
		named[c.Name], internal = quoted, append(internal, values)
	}
	return named, internal
}

func distributionOf(options []any) (text string, internal []int64) {
	if low, step, ok := evenly(options); ok {
		for k := range options {
			internal = append(internal, low+int64(k)*step)
		}
		return fmt.Sprintf(`{"name": "IntDistribution", "attributes": {"log": false, "step": %d, "low": %d, "high": %d}}`,
			step, low, internal[len(internal)-1]), internal
	}
	var words []string
	for k, o := range options {
		word := space.Literal(o)
		if f, ok := o.(float64); ok { // which stays one in Python
			if word = strconv.FormatFloat(f, 'g', -1, 64); !strings.ContainsAny(word, ".e") {
				word += ".0"
			}
		}
		words, internal = append(words, word), append(internal, int64(k))
	}
	return fmt.Sprintf(`{"name": "CategoricalDistribution", "attributes": {"choices": [%s]}}`, strings.Join(words, ", ")), internal
}

// exact is how great a whole number may be that Optuna, which has floats, takes as it is.
const exact = 1 << 53

// evenly says that options are whole numbers, each by a step greater than the one before.
func evenly(options []any) (low, step int64, ok bool) {
	for k, o := range options {
		v, whole := o.(int64)
		switch {
		case !whole || v > exact || v < -exact:
			return 0, 0, false
		case k == 0:
			low = v
		case k == 1:
			step = v - low
		}
		if k > 0 && (step <= 0 || v != low+int64(k)*step) {
			return 0, 0, false
		}
	}
	return low, step, len(options) > 1
}
