package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tnaml/experiments/limit"
	"tnaml/experiments/space"
)

// study is one of a journal's studies.
type study struct {
	name      string
	line      int
	direction int
	task      string
	several   bool // objectives
	zero      bool // its trials' steps begin with 0
	deleted   bool
}

// journalTrial is a trial of a journal, as far as it has got.
type journalTrial struct {
	study  int
	line   int
	state  int
	value  *figure
	params map[string]any
	attrs  map[string]any
	curve  map[int]float64
}

// operation is a line of Optuna's journal.
type operation struct {
	Op            *int                       `json:"op_code"`
	StudyName     string                     `json:"study_name"`
	Directions    []int                      `json:"directions"`
	Study         int                        `json:"study_id"`
	Trial         int                        `json:"trial_id"`
	State         *int                       `json:"state"`
	Value         *figure                    `json:"value"`
	Values        []*figure                  `json:"values"`
	Distributions map[string]json.RawMessage `json:"distributions"`
	Params        map[string]float64         `json:"params"`
	UserAttrs     map[string]any             `json:"user_attrs"`
	UserAttr      map[string]any             `json:"user_attr"`
	ParamName     string                     `json:"param_name"`
	ParamValue    float64                    `json:"param_value_internal"`
	Distribution  json.RawMessage            `json:"distribution"`
	Curve         map[int]*figure            `json:"intermediate_values"`
	Step          int                        `json:"step"`
	Intermediate  *figure                    `json:"intermediate_value"`
}

// figure is a number that Python has written, which need not be finite: see parse.
type figure float64

// UnmarshalJSON implements json.Unmarshaler.
func (f *figure) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if *f = figure(v); errors.Is(err, strconv.ErrRange) {
		err = nil // infinite
	}
	return err
}

// optuna replays a journal as Optuna does. A study's task is its attribute task, or else
// its name.
func (in *reader) optuna() {
	in.checkColumns()
	var studies []study
	var trials []journalTrial
	named := map[string]bool{} // studies that are there
	reach := func(t journalTrial, step int, v *figure) {
		if studies[t.study].zero = studies[t.study].zero || step == 0; v != nil { // null is no number
			t.curve[step] = float64(*v)
		}
	}
	full := false
	in.lines(func(line int, b []byte, whole bool) {
		if full {
			return
		}
		var o operation
		err := parse(b, &o)
		if err != nil || o.Op == nil {
			if whole { // else it is being written; Optuna passes it over too
				in.bad(line, "no operation of Optuna's journal: %s", wrongJSON(err))
			}
			return
		}
		if full = len(trials) > maxTrials || len(studies) > maxTrials; full {
			in.bad(line, "more than %d trials or studies: split the journal", maxTrials)
			return
		}
		ofStudy := func() *study { // nil of one that was deleted: Optuna passes over what comes after
			if o.Study < 0 || o.Study >= len(studies) {
				in.bad(line, "there is no study %d", o.Study)
				return nil
			}
			if studies[o.Study].deleted {
				return nil
			}
			return &studies[o.Study]
		}
		ofTrial := func() *journalTrial {
			if o.Trial < 0 || o.Trial >= len(trials) {
				in.bad(line, "there is no trial %d", o.Trial)
				return nil
			}
			if s := trials[o.Trial].state; s != optunaRunning && s != optunaWaiting {
				return nil // it has ended: Optuna lets nothing be changed
			}
			return &trials[o.Trial]
		}
		switch *o.Op {
		case opCreateStudy:
			if named[o.StudyName] {
				return
			}
			named[o.StudyName] = true
			s := study{name: o.StudyName, line: line, several: len(o.Directions) != 1}
			if !s.several {
				s.direction = o.Directions[0]
			}
			studies = append(studies, s)
		case opDeleteStudy:
			if s := ofStudy(); s != nil {
				s.deleted = true
				delete(named, s.name)
			}
		case opStudyUserAttr:
			if s := ofStudy(); s != nil && o.UserAttr[attrTask] != nil {
				s.task = text(o.UserAttr[attrTask])
			}
		case opCreateTrial:
			if ofStudy() == nil {
				return
			}
			t := journalTrial{study: o.Study, line: line, params: map[string]any{}, attrs: map[string]any{}, value: o.Value,
				curve: map[int]float64{}}
			if o.State != nil {
				t.state = *o.State
			}
			if len(o.Values) == 1 {
				t.value = o.Values[0]
			}
			for _, name := range slices.Sorted(maps.Keys(o.Params)) {
				t.params[name] = in.external(line, name, o.Distributions[name], o.Params[name])
			}
			maps.Copy(t.attrs, o.UserAttrs)
			for step, v := range o.Curve {
				reach(t, step, v)
			}
			trials = append(trials, t)
		case opTrialParam:
			if t := ofTrial(); t != nil {
				t.params[o.ParamName] = in.external(line, o.ParamName, o.Distribution, o.ParamValue)
			}
		case opTrialState:
			if t := ofTrial(); t != nil && o.State != nil {
				if t.state, t.line = *o.State, line; len(o.Values) == 1 {
					t.value = o.Values[0]
				}
			}
		case opTrialUserAttr:
			if t := ofTrial(); t != nil {
				maps.Copy(t.attrs, o.UserAttr)
			}
		case opTrialIntermediate:
			if t := ofTrial(); t != nil {
				reach(*t, o.Step, o.Intermediate)
			}
		case opStudySystemAttr, opTrialSystemAttr:
		default:
			in.bad(line, "the operation %d is not known", *o.Op)
		}
	})
	in.studies(studies, trials)
}

// studies takes the trials of the studies that are asked for.
func (in *reader) studies(studies []study, trials []journalTrial) {
	var known []string
	taken := map[int]bool{}
	for i, s := range studies {
		if s.deleted {
			continue
		}
		known = append(known, s.name)
		taken[i] = in.o.Study == "" || in.o.Study == s.name
	}
	maps.DeleteFunc(taken, func(_ int, is bool) bool { return !is })
	if len(taken) == 0 && in.problems == 0 {
		if len(known) == 0 {
			in.bad(0, "the journal has no studies")
			return
		}
		some, cut := limit.List(known, 300)
		in.bad(0, "there is no study %q (there are: %s%s)", in.o.Study, strings.Join(some, ", "), map[bool]string{true: ", …"}[cut])
		return
	}
	if len(taken) > 1 && in.o.Task != "" {
		in.bad(0, "several studies (%s) cannot be trials of one task: choose one with --study, or leave --task out", strings.Join(known, ", "))
	}
	want := optunaMaximize
	if in.o.Space.Objective.Direction == space.Minimise {
		want = optunaMinimize
	}
	for i := range studies {
		s := &studies[i]
		switch {
		case !taken[i]:
		case s.several:
			in.bad(s.line, "the study %q has several objectives: a search has one; choose another study with --study, or write the trials "+
				"as CSV (trials_dataframe) and name one objective with --columns %s=values_0", s.name, in.o.Space.Objective.Metric)
		case s.direction != want:
			in.bad(s.line, "the study %q is to %s its value, the space's objective is to %s %s: name a space with that direction", s.name,
				map[int]space.Direction{optunaMinimize: space.Minimise, optunaMaximize: space.Maximise}[s.direction], in.o.Space.Objective.Direction,
				in.o.Space.Objective.Metric)
		}
	}
	if in.problems > 0 {
		return
	}
	names, params, complete := map[string]bool{"value": true}, false, false
	for _, t := range trials {
		if !taken[t.study] {
			continue
		}
		complete = complete || t.state == optunaComplete
		for name := range t.params {
			names[choicePrefix+name], params = true, true
		}
		for name, v := range t.attrs {
			if _, measured := v.(float64); measured {
				names[metricPrefix+strings.TrimPrefix(name, metricPrefix)] = true
			}
		}
	}
	if !complete {
		in.unmeasured(names)
	}
	if params {
		if in.columns(slices.Sorted(maps.Keys(names))); in.problems > 0 {
			return
		}
	}
	for _, t := range trials {
		if !taken[t.study] {
			continue
		}
		r := record{line: t.line, values: map[string]any{"task": studies[t.study].task, "state": stateName(t.state)}}
		later := 0
		if studies[t.study].zero { // ours begin with 1
			later = 1
		}
		r.curve = curveOf(t.curve, later)
		if r.values["task"] == "" {
			r.values["task"] = studies[t.study].name
		}
		for name, v := range t.params {
			r.values[choicePrefix+name] = v
		}
		for _, name := range slices.Sorted(maps.Keys(t.attrs)) {
			v := t.attrs[name]
			switch _, measured := v.(float64); {
			case measured && strings.HasPrefix(name, metricPrefix):
				r.values[name] = v
			case slices.Contains([]string{attrTask, attrReason, attrSteps}, name):
				r.values[name] = v
			case name == attrStatus:
				if s, _, known := statusOf(text(v)); known && s != "" {
					r.values[name] = v
				}
			case slices.Contains([]string{attrTrial, attrSeed, attrCPU, attrWall}, name):
			case measured && t.attrs[metricPrefix+name] != nil:
				in.bad(t.line, "the metric %s is there twice, as the attribute %s and as %s%s", name, name, metricPrefix, name)
			case measured:
				r.values[metricPrefix+name] = v
			}
		}
		if t.value != nil {
			r.values["value"] = float64(*t.value)
			in.prefer(&r, t)
		}
		in.add(r)
	}
}

// prefer takes out what a trial's attributes say of the objective where its value is another:
// the value is what the study was about, the attribute may be of another split.
func (in *reader) prefer(r *record, t journalTrial) {
	metric := in.o.Space.Objective.Metric
	if t.state != optunaComplete || in.o.Columns[metric] != "" {
		return
	}
	for _, name := range []string{metricPrefix + "validation_" + metric, metricPrefix + metric} {
		switch v, there := r.values[name].(float64); {
		case there && v == float64(*t.value):
			return
		case there:
			delete(r.values, name)
		}
	}
}

func stateName(state int) string {
	names := []string{"running", "complete", "pruned", "fail", "waiting"}
	if state < 0 || state >= len(names) {
		return fmt.Sprint(state)
	}
	return names[state]
}

// maxDistributions bounds those that are kept.
const maxDistributions = 10_000

// external is a parameter's value, of what the journal has of it: of a categorical one the
// place among its choices.
func (in *reader) external(line int, name string, distribution json.RawMessage, internal float64) any {
	choices, known := in.choices[string(distribution)] // each trial has all of them
	if !known {
		var quoted string
		var d struct {
			Name       string
			Type       string
			Choices    []any
			Attributes struct{ Choices []any }
		}
		err := json.Unmarshal(distribution, &quoted)
		if err == nil {
			err = parse([]byte(quoted), &d)
		}
		if err != nil {
			in.bad(line, "the distribution of %q: %w", name, err)
			return nil
		}
		if d.Name == "CategoricalDistribution" || d.Type == "categorical" {
			choices = append([]any{}, append(d.Attributes.Choices, d.Choices...)...)
			for i, c := range choices {
				if c == nil { // a value like others, and not one that is missing
					choices[i] = "None"
				}
			}
		}
		if len(in.choices) < maxDistributions {
			in.choices[string(distribution)] = choices
		}
	}
	if choices == nil {
		return internal
	}
	if internal != float64(int(internal)) || internal < 0 || int(internal) >= len(choices) {
		in.bad(line, "%q has no choice %v of %d", name, internal, len(choices))
		return nil
	}
	return choices[int(internal)]
}
