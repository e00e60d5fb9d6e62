// Package child is the child model: a deep tower (embedding module, hidden
// layers, softmax logits) and a wide tower straight to the logits, trained
// jointly by Proximal Adagrad (Wong et al., 2018, §4; Cheng et al., 2016). Of a
// text, the deep tower takes the mean of its token vectors and the wide tower
// its one-hot tokens and n-grams of tokens, or weighted features of words and
// characters (Config.WideFeatures); of an image, the features of a frozen image module and
// the pixels.
package child

import "tnaml/nn/sparse"

// Activation is a hidden layer's activation function.
type Activation string

// The six activations of the search space.
const (
	ReLU      Activation = "relu"
	ReLU6     Activation = "relu6"
	LeakyReLU Activation = "leaky_relu"
	Swish     Activation = "swish"
	Sigmoid   Activation = "sigmoid"
	Tanh      Activation = "tanh"
)

// Normalisation is applied between a hidden layer's linear map and activation.
type Normalisation string

// The three normalisations of the search space.
const (
	NoNorm    Normalisation = "none"
	BatchNorm Normalisation = "batch"
	LayerNorm Normalisation = "layer"
)

// Features name what the wide tower of a text model sees in the place of tokens: what
// the data counts, in Data.WideFeatures.
type Features string

// The features of the search space: n-grams of up to so many words, of 2 to 5
// characters within words, and both.
const (
	Words1     Features = "words1"
	Words2     Features = "words2"
	Words3     Features = "words3"
	Characters Features = "characters"
	Both       Features = "both" // pairs of words and characters
)

// RowNormalisation says to which length the wide tower's features of a document are brought.
type RowNormalisation string

// The normalisations of rows.
const (
	NoRowNorm RowNormalisation = "none"
	L2        RowNormalisation = "l2" // length 1
)

// Solver is what trains the wide tower.
type Solver string

// The solvers.
const (
	// Adagrad trains it jointly with the deep tower.
	Adagrad Solver = "adagrad"
	// Dual solves it first: see solveWide.
	Dual Solver = "dual"
)

// Loss is what training makes small.
type Loss string

// The losses.
const (
	// Softmax is the cross-entropy of the softmax of the logits.
	Softmax Loss = "softmax"
	// SquaredHinge is that of each class against the rest: max(0, 1 − y·logit)², y = ±1.
	SquaredHinge Loss = "squared_hinge"
)

// ClassWeights is how much the examples of a class count.
type ClassWeights string

// The class weights.
const (
	NoClassWeights ClassWeights = "none"
	// Balanced has an example count in inverse proportion to the number of those of
	// its class: examples / (classes × examples of the class).
	Balanced ClassWeights = "balanced"
)

// Pooling is what the deep tower makes of a text's token vectors.
type Pooling string

// The poolings.
const (
	// Mean has each token count as often as it occurs.
	Mean Pooling = "mean"
	// SIF weighs it by a/(a + p), where p is how frequent the token is in the task's
	// training and validation texts and a = 0.001 ("smooth inverse frequency"; Arora, Liang
	// and Ma, 2017); the common component of the means is left in.
	SIF Pooling = "sif"
	// Max takes the largest value of each dimension.
	Max Pooling = "max"
	// Attention has each token count by a learnt query: see attention. The wide tower's
	// vectors (Config.WideVectors) are then the mean.
	Attention Pooling = "attention"
)

// Config is one child model: architecture and hyperparameters.
type Config struct {
	// FineTune trains the embedding table with the deep tower; otherwise the
	// table is frozen and document vectors are computed once.
	FineTune bool `json:"fine_tune"`
	// HiddenLayers is the number of hidden layers, 0 to 5; with 0 the mean
	// token vector feeds the logits.
	HiddenLayers int `json:"hidden_layers"`
	// HiddenSize is the width of every hidden layer.
	HiddenSize    int           `json:"hidden_size"`
	Activation    Activation    `json:"activation"`
	Normalisation Normalisation `json:"normalisation"`
	// Dropout is the probability with which a hidden unit is dropped.
	Dropout float64 `json:"dropout"`
	// DeepLearningRate and DeepRegularisation (L2) are the deep tower's.
	DeepLearningRate   float64 `json:"deep_learning_rate"`
	DeepRegularisation float64 `json:"deep_regularisation"`
	// WideLearningRate and WideRegularisation (L1) are the wide tower's.
	WideLearningRate   float64 `json:"wide_learning_rate"`
	WideRegularisation float64 `json:"wide_regularisation"`
	// Steps is the number of training steps of BatchSize examples.
	Steps int `json:"steps"`
	// BatchSize is the number of examples in a step; 0 means the paper's 100.
	BatchSize int `json:"batch_size,omitempty"`
	// WideStart is the share of naive Bayes' weights from which the wide tower of
	// a text model starts; 0 means DefaultWideStart, −1 that it starts from zero.
	WideStart float64 `json:"wide_start,omitempty"`
	// WideNGrams is the length of the longest n-grams of tokens that the wide
	// tower sees; 0 and 1 mean the tokens alone, as in the paper. It must be
	// that of the data (Data.WideNGrams).
	WideNGrams int `json:"wide_ngrams,omitempty"`
	// WideFeatures is what the wide tower sees in the place of tokens and n-grams; ""
	// means these. It must be that of the data (Data.WideFeatures).
	WideFeatures Features `json:"wide_features,omitempty"`
	// WideWeighting is what is made of the features' counts, "" meaning binary; term
	// frequencies are 1 + ln(count).
	WideWeighting sparse.Weight `json:"wide_weighting,omitempty"`
	// WideNormalisation is that of a document's weighted features; "" means none.
	WideNormalisation RowNormalisation `json:"wide_normalisation,omitempty"`
	// WideSolver trains the wide tower; "" means Adagrad. With Dual, WideCost is the cost C
	// of an example's squared hinge loss, 0 meaning 1, and the wide learning rate,
	// regularisation and start do nothing.
	WideSolver Solver  `json:"wide_solver,omitempty"`
	WideCost   float64 `json:"wide_cost,omitempty"`
	// WideShare is the share of its logits that a tower solved first has in the model
	// when the deep tower's training starts, which trains the share too; 0 means all.
	WideShare float64 `json:"wide_share,omitempty"`
	// WideVectors has the solved wide tower see the documents' vectors beside the features,
	// brought to this length, of a module that is not tuned; 0 leaves them to the deep tower.
	WideVectors float64 `json:"wide_vectors,omitempty"`
	// WideBayes adds naive Bayes' weights of the features of words to the solved wide
	// tower's, in shares that stacking finds; it is the smoothing α, 0 meaning without.
	WideBayes float64 `json:"wide_bayes,omitempty"`
	// Loss is the training's; "" means Softmax.
	Loss Loss `json:"loss,omitempty"`
	// Pooling is that of the token vectors; "" means Mean.
	Pooling Pooling `json:"pooling,omitempty"`
	// ClassWeights are those of the loss; "" means none.
	ClassWeights ClassWeights `json:"class_weights,omitempty"`
}

// Examples is a read-only set of encoded documents in compressed sparse row
// form: document i holds the token ids IDs[Offsets[i]:Offsets[i+1]], each once
// and ascending, with its number of occurrences in Counts. Ids index the
// task's vocabulary.
type Examples struct {
	Offsets []int32
	IDs     []int32
	Counts  []float32
	Labels  []int32
	// Pixels are the images, n × Data.Pixels, where the examples are images: the
	// documents are then empty.
	Pixels []uint8
	// Wide is what the wide tower sees, where that is more than the tokens; nil
	// means the tokens alone. With Data.WideFeatures it holds the counts of the
	// features. Else it has no values, since all are 1, and the columns are the rows of
	// the wide tower: those below Data.WideVocabulary are tokens, Data.NGrams more are
	// n-grams.
	Wide *sparse.Matrix
}

// Len returns the number of documents.
func (e *Examples) Len() int { return len(e.Labels) }

// Data is what a child model is trained and evaluated on. It is shared
// read-only between trials.
type Data struct {
	Train, Validation, Test Examples
	// Classes is the number of labels.
	Classes int
	// Vocabulary is the number of tokens, the rows of the embedding table.
	Vocabulary int
	// WideVocabulary is the number of leading tokens that the wide tower sees.
	WideVocabulary int
	// NGrams is the number of n-grams of tokens that the wide tower sees besides,
	// and WideNGrams the length of the longest, 0 or 1 without any.
	NGrams     int
	WideNGrams int
	// WideFeatures is what is counted in Examples.Wide for the wide tower, and Features
	// the number of these; "" and 0: tokens and n-grams.
	WideFeatures Features
	Features     int
	// WordFeatures marks the features that are n-grams of words; nil: all are.
	WordFeatures []bool
	// Pixels is the number of values of an image that the wide tower sees, 0 for
	// texts.
	Pixels int
	// Taught says that the training split has the validation examples too: see WithValidation.
	Taught bool
}

// Table is an embedding module restricted to a task's vocabulary. Of images, and of
// texts whose vectors come from elsewhere (Options.Documents), it says only how long a
// vector is: it has no tokens.
type Table struct {
	// Dim is the length of a token vector.
	Dim int
	// Vectors is Vocabulary × Dim, row-major.
	Vectors []float32
	// Known marks the tokens that have a vector. The others count neither in
	// the sum nor in the length of a document's mean.
	Known []bool
}

// alone says that the deep tower takes vectors of texts that no tokens make up.
func (t *Table) alone(d *Data) bool {
	return d.Pixels == 0 && d.Vocabulary > 0 && t.Dim > 0 && len(t.Vectors) == 0 && len(t.Known) == 0
}

// Status says how the training of a child model ended.
type Status string

// A trial's own failures are results, told to the strategy with reward 0.
const (
	// OK is a trained and evaluated model.
	OK Status = "ok"
	// Diverged is a model whose loss or weights stopped being finite.
	Diverged Status = "diverged"
	// OverMemory is a model that would need more memory than the limit.
	OverMemory Status = "over_memory"
	// Pruned is a model whose training Options.Curve ended.
	Pruned Status = "pruned"
)

// Outcome is what training and evaluating one child model gave. It is a
// function of the request: what depends on the machine is not in it.
type Outcome struct {
	Status Status `json:"status"`
	// Reason says in words why Status is not OK.
	Reason     string  `json:"reason,omitempty"`
	Validation Metrics `json:"validation"`
	Test       Metrics `json:"test"`
	// ValidationRight and TestRight say which examples of the splits the model has
	// right, a bit for each, the first the lowest of its byte.
	ValidationRight []byte `json:"-"`
	TestRight       []byte `json:"-"`
	// Temperature divides the logits in what the model predicts: that with which the
	// log loss on the validation split is least (Guo et al., 2017). The metrics, which
	// but for the log loss do not depend on it, are those without it.
	Temperature float64 `json:"-"`
	// ValidationCalibration and TestCalibration are of the splits.
	ValidationCalibration Calibration `json:"-"`
	TestCalibration       Calibration `json:"-"`
	// Loss is the mean training loss over the last 100 steps or fewer.
	Loss float64 `json:"loss"`
	// Parameters is the number of trainable weights.
	Parameters int `json:"parameters"`
	// Steps is the number of training steps taken: the one that diverged is
	// counted, a model over memory takes none.
	Steps int `json:"steps"`
}
