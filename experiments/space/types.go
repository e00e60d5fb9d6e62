// Package space is the search space as data: an ordered list of choices, each
// with its options, and their meaning as a child model.
package space

// Choice names. A text space has each of them once, in this order, which is
// the order in which the controller takes its actions (Wong et al., 2018, §4).
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

// Space is a search space.
type Space struct {
	Name string `json:"name" yaml:"name"`
	// Description says where the options come from.
	Description string   `json:"description,omitempty" yaml:"description,omitempty"`
	Choices     []Choice `json:"choices" yaml:"choices"`
	// WideStart is no choice but the same for all child models: the share of naive
	// Bayes' weights from which the wide tower starts (child.Config.WideStart). 0
	// means the trainer's default, −1 that it starts from zero.
	WideStart float64 `json:"wide_start,omitempty" yaml:"wide_start,omitempty"`
	// WideNGrams is no choice either: the length of the longest n-grams of tokens
	// that the wide tower of a text model sees (child.Config.WideNGrams). 0 means
	// DefaultWideNGrams, 1 the tokens alone, as in the paper. Expand fills it in: a
	// search that has 0 began before there were n-grams, and goes on with tokens
	// alone.
	WideNGrams int `json:"wide_ngrams,omitempty" yaml:"wide_ngrams,omitempty"`
}

// DefaultWideNGrams has the wide tower see pairs of tokens: see
// experiments/README.md, "What the wide tower sees".
const DefaultWideNGrams = 2

// Choice is one design decision with its options.
type Choice struct {
	Name string `json:"name" yaml:"name"`
	// Options are scalars: string, bool, int64 or float64, all of the type
	// that the choice asks for. The options of Module are module names; before
	// a search starts, the single option "*" is expanded to all the modules in
	// the catalogue, sorted.
	Options []any `json:"options" yaml:"options,flow"`
}
