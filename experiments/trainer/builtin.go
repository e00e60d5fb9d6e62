package trainer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"tnaml/experiments/space"
	"tnaml/nn/child"
	"tnaml/nn/sparse"
)

// The choices of the trainer builtin (Wong et al., 2018, §4).
const (
	Module             = "module"
	FineTune           = "fine_tune"
	HiddenLayers       = "hidden_layers"
	HiddenSize         = "hidden_size"
	Activation         = "activation"
	Normalisation      = "normalisation"
	Dropout            = "dropout"
	DeepLearningRate   = "deep_learning_rate"
	DeepRegularisation = "deep_regularisation"
	WideLearningRate   = "wide_learning_rate"
	WideRegularisation = "wide_regularisation"
	Steps              = "steps"
)

// The choices of the trainer builtin that a space may leave out: the models are then the
// paper's in that respect.
const (
	WideFeatures      = "wide_features"
	WideWeighting     = "wide_weighting"
	WideNormalisation = "wide_normalisation"
	WideSolver        = "wide_solver"
	WideCost          = "wide_cost"
	WideShare         = "wide_share"
	WideVectors       = "wide_vectors"
	WideBayes         = "wide_bayes"
	Loss              = "loss"
	ClassWeights      = "class_weights"
	Pooling           = "pooling"
)

// AllModules is the module option that stands for the whole catalogue.
const AllModules = "*"

// The metrics of the trainer builtin.
const (
	Accuracy = "accuracy"
	MacroF1  = "macro_f1"
	LogLoss  = "log_loss"
	AUC      = "auc"
	// CalibrationError is that of the probabilities that a model predicts,
	// RawCalibrationError that before its temperature.
	CalibrationError    = "calibration_error"
	RawCalibrationError = "raw_calibration_error"
)

// Parameters is the name under which any trainer may report the number of a
// model's weights.
const Parameters = "parameters"

// TrainingLoss is the mean loss of the last training steps, of no split.
const TrainingLoss = "training_loss"

// Temperature is what the logits are divided by in what a model predicts, of no split.
const Temperature = "temperature"

// Builtin is the definition of the trainer builtin: the child models of texts
// and images (nn/child). Its space has each of the paper's twelve choices once, and any
// of the others.
type Builtin struct{}

// BuiltinSettings are what a space sets for all its child models.
type BuiltinSettings struct {
	// WideStart is the share of naive Bayes' weights from which the wide tower of a
	// text model starts; 0 means child.DefaultWideStart, −1 that it starts from zero.
	WideStart float64 `json:"wide_start,omitempty"`
	// WideNGrams is the length of the longest n-grams of tokens that the wide tower
	// sees; 0 means DefaultWideNGrams, 1 the tokens alone, as in the paper.
	WideNGrams int `json:"wide_ngrams,omitempty"`
	// Reshuffle has each trial draw its validation split anew, by its seed, of the
	// training and validation examples (child.Reshuffle). A trial then keeps no bits of
	// its validation examples (Right): they are its own.
	Reshuffle bool `json:"reshuffle,omitempty"`
}

// DefaultWideNGrams has the wide tower see pairs of tokens: see
// experiments/README.md, "What the wide tower sees".
const DefaultWideNGrams = 2

// meaning is what the trainer knows of a choice: the type of its options, and
// what an option does to a child model.
type meaning struct {
	name string
	kind string // of the options, for people
	// apply sets the option, unless it is of another type; nil for the module, which
	// is not the child's own.
	apply func(c *child.Config, v any) bool
	// optional is a choice that a space may leave out.
	optional bool
}

func word(set func(c *child.Config, v string)) func(*child.Config, any) bool {
	return func(c *child.Config, v any) bool {
		s, ok := v.(string)
		if ok {
			set(c, s)
		}
		return ok
	}
}

func whole(set func(c *child.Config, v int)) func(*child.Config, any) bool {
	return func(c *child.Config, v any) bool {
		f, ok := real64(v)
		if ok = ok && f == math.Trunc(f) && math.Abs(f) < 1<<53; ok {
			set(c, int(f))
		}
		return ok
	}
}

func real(set func(c *child.Config, v float64)) func(*child.Config, any) bool {
	return func(c *child.Config, v any) bool {
		f, ok := real64(v)
		if ok {
			set(c, f)
		}
		return ok
	}
}

func real64(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// meanings are the choices, the paper's in the order in which its controller takes
// them.
var meanings = []meaning{
	{Module, "a module's name", nil, false},
	{FineTune, "true or false", func(c *child.Config, v any) (ok bool) { c.FineTune, ok = v.(bool); return ok }, false},
	{HiddenLayers, "an integer", whole(func(c *child.Config, v int) { c.HiddenLayers = v }), false},
	{HiddenSize, "an integer", whole(func(c *child.Config, v int) { c.HiddenSize = v }), false},
	{Activation, "a word", word(func(c *child.Config, v string) { c.Activation = child.Activation(v) }), false},
	{Normalisation, "a word", word(func(c *child.Config, v string) { c.Normalisation = child.Normalisation(v) }), false},
	{Dropout, "a number", real(func(c *child.Config, v float64) { c.Dropout = v }), false},
	{DeepLearningRate, "a number", real(func(c *child.Config, v float64) { c.DeepLearningRate = v }), false},
	{DeepRegularisation, "a number", real(func(c *child.Config, v float64) { c.DeepRegularisation = v }), false},
	{WideLearningRate, "a number", real(func(c *child.Config, v float64) { c.WideLearningRate = v }), false},
	{WideRegularisation, "a number", real(func(c *child.Config, v float64) { c.WideRegularisation = v }), false},
	{Steps, "an integer", whole(func(c *child.Config, v int) { c.Steps = v }), false},
	{WideFeatures, "a word", word(func(c *child.Config, v string) { c.WideFeatures = child.Features(v) }), true},
	{WideWeighting, "a word", word(func(c *child.Config, v string) { c.WideWeighting = sparse.Weight(v) }), true},
	{WideNormalisation, "a word", word(func(c *child.Config, v string) { c.WideNormalisation = child.RowNormalisation(v) }), true},
	{WideSolver, "a word", word(func(c *child.Config, v string) { c.WideSolver = child.Solver(v) }), true},
	{WideCost, "a number", real(func(c *child.Config, v float64) { c.WideCost = v }), true},
	{WideShare, "a number", real(func(c *child.Config, v float64) { c.WideShare = v }), true},
	{WideVectors, "a number", real(func(c *child.Config, v float64) { c.WideVectors = v }), true},
	{WideBayes, "a number", real(func(c *child.Config, v float64) { c.WideBayes = v }), true},
	{Loss, "a word", word(func(c *child.Config, v string) { c.Loss = child.Loss(v) }), true},
	{Pooling, "a word", word(func(c *child.Config, v string) { c.Pooling = child.Pooling(v) }), true},
	{ClassWeights, "a word", word(func(c *child.Config, v string) { c.ClassWeights = child.ClassWeights(v) }), true},
}

// plain is a child model that is valid whichever one option is changed: the
// background against which each option is checked.
func plain() child.Config {
	return child.Config{
		HiddenLayers: 1, HiddenSize: 8, Activation: child.ReLU, Normalisation: child.NoNorm,
		DeepLearningRate: .1, WideLearningRate: .1, Steps: 1,
	}
}

// Name is the trainer's name.
func (Builtin) Name() string { return space.DefaultTrainer }

// Takes says that texts and images can be trained on.
func (Builtin) Takes(kind string) bool { return kind == "text" || kind == "image" }

// Metrics lists what is reported of the validation and the test split.
func (Builtin) Metrics() []Metric {
	return []Metric{
		{Accuracy, space.Maximise, "fraction of examples whose most probable class is theirs"},
		{MacroF1, space.Maximise, "F1 of the classes, unweighted mean"},
		{LogLoss, space.Minimise, "mean negative logarithm of the probability of an example's class, natural"},
		{AUC, space.Maximise, "area under the ROC curve, of two classes"},
		{CalibrationError, space.Minimise, "expected calibration error, 15 bins, after temperature scaling on the validation split"},
	}
}

// Check reports choices missing, unknown or such as no child model can have, and
// settings and objectives that are not the trainer's.
func (b Builtin) Check(sp *space.Space) []space.Problem {
	out := checkMetrics(b, sp, Parameters, TrainingLoss, Temperature)
	cfg := plain()
	if err := applySettings(sp.Settings, &cfg); err != nil {
		out = append(out, space.In("settings", "settings of the trainer %s: %w", b.Name(), err))
	} else if err := cfg.Validate(); err != nil {
		out = append(out, space.In("settings", "%w", err))
	}
	var names []string
	for _, m := range meanings {
		names = append(names, m.name)
	}
	for i := range sp.Choices {
		at := slices.Index(names, sp.Choices[i].Name)
		if at < 0 {
			out = append(out, space.InChoice(i, -1, "unknown choice %q (known: %s)", sp.Choices[i].Name, strings.Join(names, ", ")))
			continue
		}
		out = append(out, meanings[at].check(sp, i)...)
	}
	tuned := sp.Choice(FineTune)
	for i, c := range sp.Choices {
		at := slices.Index(names, c.Name)
		if at < 0 || meanings[at].apply == nil || tuned == nil || !slices.Contains(tuned.Options, any(true)) {
			continue
		}
		for k, o := range c.Options {
			cfg := plain()
			cfg.WideSolver = child.Dual // which sees vectors
			if meanings[at].apply(&cfg, o) && cfg.Frozen() {
				out = append(out, space.InChoice(i, k, "choice %q: option %v needs a module that stays: take the option true out of %q", c.Name, o,
					FineTune))
			}
		}
	}
	for _, m := range meanings {
		if !m.optional && sp.Choice(m.name) == nil {
			out = append(out, space.In("choices", "choice %q is missing; to fix it, give it a single option", m.name))
		}
	}
	return out
}

func (m meaning) check(sp *space.Space, i int) (out []space.Problem) {
	c := &sp.Choices[i]
	for k, o := range c.Options {
		cfg := plain()
		_, text := o.(string)
		switch {
		case m.apply == nil && !text, m.apply != nil && !m.apply(&cfg, o):
			out = append(out, space.InChoice(i, k, "choice %q: option %v must be %s", c.Name, o, m.kind))
			continue
		case m.apply == nil && o == any(AllModules) && len(c.Options) > 1:
			out = append(out, space.InChoice(i, k, "choice %q: %q stands for all modules and must stand alone", c.Name, AllModules))
		}
		if err := cfg.Validate(); err != nil {
			out = append(out, space.InChoice(i, k, "choice %q: option %v: %w", c.Name, o, err))
		}
	}
	return out
}

// applySettings sets what a space sets for all its child models.
func applySettings(settings json.RawMessage, cfg *child.Config) error {
	s, err := parseSettings(settings)
	if err != nil {
		return err
	}
	cfg.WideStart = s.WideStart
	if s.WideNGrams != 1 { // the tokens alone are 0 to the child model
		cfg.WideNGrams = s.WideNGrams
	}
	return nil
}

func parseSettings(settings json.RawMessage) (s BuiltinSettings, err error) {
	if len(settings) == 0 {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(settings))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("%s (known: wide_start, wide_ngrams, reshuffle)", strings.TrimPrefix(err.Error(), "json: "))
	}
	return s, nil
}

// Reshuffles says that settings have each trial draw a validation split of its own.
func (Builtin) Reshuffles(settings json.RawMessage) bool {
	s, err := parseSettings(settings)
	return err == nil && s.Reshuffle
}

// Reshuffled are settings with Reshuffle.
func (Builtin) Reshuffled(settings json.RawMessage) (json.RawMessage, error) {
	s, err := parseSettings(settings)
	if err != nil {
		return nil, err
	}
	s.Reshuffle = true
	return json.Marshal(s)
}

// Settings are a space's settings with their defaults.
func (Builtin) Settings(sp *space.Space) (BuiltinSettings, error) {
	s, err := parseSettings(sp.Settings)
	if s.WideNGrams == 0 {
		s.WideNGrams = DefaultWideNGrams
	}
	return s, err
}

// Fill replaces the module option "*" by all modules of the catalogue, sorted,
// and fills in settings and objective. It is an error when the catalogue is empty
// or lacks a module that the space names, and when modules of images are to be
// tuned.
func (b Builtin) Fill(sp *space.Space, kind string, catalogue []string) (space.Space, error) {
	out := fill(b, sp)
	settings, err := b.Settings(sp)
	if err != nil {
		return out, err
	}
	if out.Settings, err = json.Marshal(settings); err != nil {
		return out, err
	}
	if c := sp.Choice(FineTune); kind == "image" && c != nil && slices.Contains(c.Options, any(true)) {
		return out, fmt.Errorf("space %q offers to fine-tune the module, but image modules are frozen: "+
			"take the space \"image\", or one in which %s has the option false alone", sp.Name, FineTune)
	}
	if kind == "image" {
		for _, name := range []string{WideFeatures, WideSolver, Pooling} {
			if sp.Choice(name) != nil {
				return out, fmt.Errorf("space %q has the choice %q, but images have pixels and no tokens: take the space \"image\"", sp.Name, name)
			}
		}
	}
	c := out.Choice(Module)
	if c == nil {
		return out, fmt.Errorf("space %q has no choice %q", sp.Name, Module)
	}
	sorted := slices.Sorted(slices.Values(catalogue))
	if slices.Equal(c.Options, []any{AllModules}) {
		if len(sorted) == 0 {
			published := ""
			if kind == "text" {
				published = "get published vectors with `starter module pull`, "
			}
			return out, fmt.Errorf("there is no %s module to choose from: %sadd one with `starter module add`, "+
				"or make the catalogue's with `starter module build`", kind, published)
		}
		c.Options = c.Options[:0]
		for _, name := range sorted {
			c.Options = append(c.Options, name)
		}
		return out, nil
	}
	var missing []string
	for _, name := range b.Modules(sp) {
		if !slices.Contains(sorted, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return out, fmt.Errorf("space %q: no module %s in the catalogue (there are: %s)",
			sp.Name, strings.Join(missing, ", "), strings.Join(sorted, ", "))
	}
	return out, nil
}

// Modules lists the modules that a space offers.
func (Builtin) Modules(sp *space.Space) (out []string) {
	if c := sp.Choice(Module); c != nil {
		for _, o := range c.Options {
			out = append(out, fmt.Sprint(o))
		}
	}
	return out
}

// Child returns the child model that choices design under a space's settings, and
// the name of its module.
func (Builtin) Child(choices map[string]any, settings json.RawMessage) (cfg child.Config, module string, err error) {
	var errs []error
	for _, m := range meanings {
		v, ok := choices[m.name]
		switch {
		case !ok && m.optional:
		case !ok:
			errs = append(errs, fmt.Errorf("no choice %q", m.name))
		case m.apply == nil:
			if module, ok = v.(string); !ok {
				errs = append(errs, fmt.Errorf("choice %q: option %v must be %s", m.name, v, m.kind))
			}
		case !m.apply(&cfg, v):
			errs = append(errs, fmt.Errorf("choice %q: option %v must be %s", m.name, v, m.kind))
		}
	}
	for _, name := range sortedNames(choices) {
		if !slices.ContainsFunc(meanings, func(m meaning) bool { return m.name == name }) {
			errs = append(errs, fmt.Errorf("unknown choice %q", name))
		}
	}
	if err := errors.Join(append(errs, applySettings(settings, &cfg))...); err != nil {
		return cfg, module, err
	}
	return cfg, module, cfg.Validate()
}

// Words describes a child model, e.g. "wiki-128 tuned · 2x128 swish batch norm ·
// dropout 0.2 · deep 0.03 L2 0.0001 · wide 0.1 · 400 steps".
func (b Builtin) Words(choices map[string]any) string {
	cfg, module, err := b.Child(choices, nil)
	if err != nil {
		return words(choices)
	}
	var s strings.Builder
	s.WriteString(module)
	if cfg.FineTune {
		s.WriteString(" tuned")
	}
	if cfg.Pooling != "" && cfg.Pooling != child.Mean {
		fmt.Fprintf(&s, " %s", cfg.Pooling)
	}
	if cfg.HiddenLayers == 0 {
		s.WriteString(" · no hidden layer")
	} else {
		fmt.Fprintf(&s, " · %dx%d %s", cfg.HiddenLayers, cfg.HiddenSize, cfg.Activation)
		if cfg.Normalisation != child.NoNorm {
			fmt.Fprintf(&s, " %s norm", cfg.Normalisation)
		}
		if cfg.Dropout > 0 {
			fmt.Fprintf(&s, " · dropout %v", cfg.Dropout)
		}
	}
	fmt.Fprintf(&s, " · deep %v", cfg.DeepLearningRate)
	if cfg.DeepRegularisation > 0 {
		fmt.Fprintf(&s, " L2 %v", cfg.DeepRegularisation)
	}
	s.WriteString(" · wide")
	for _, v := range []string{string(cfg.WideFeatures), string(cfg.WideWeighting)} {
		if v != "" {
			fmt.Fprintf(&s, " %s", v)
		}
	}
	if cfg.WideNormalisation == child.L2 {
		s.WriteString(" normalised")
	}
	if cfg.WideSolver == child.Dual {
		fmt.Fprintf(&s, " dual C %v", cfg.WideCost)
		if cfg.WideShare > 0 && cfg.WideShare < 1 {
			fmt.Fprintf(&s, " share %v", cfg.WideShare)
		}
		if cfg.WideVectors > 0 {
			fmt.Fprintf(&s, " vectors %v", cfg.WideVectors)
		}
		if cfg.WideBayes > 0 {
			fmt.Fprintf(&s, " bayes %v", cfg.WideBayes)
		}
	} else {
		fmt.Fprintf(&s, " %v", cfg.WideLearningRate)
		if cfg.WideRegularisation > 0 {
			fmt.Fprintf(&s, " L1 %v", cfg.WideRegularisation)
		}
	}
	if cfg.Loss == child.SquaredHinge {
		s.WriteString(" · squared hinge")
	}
	if cfg.ClassWeights == child.Balanced {
		s.WriteString(" · balanced classes")
	}
	fmt.Fprintf(&s, " · %d steps", cfg.Steps)
	return s.String()
}
