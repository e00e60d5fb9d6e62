package embedding

import (
	"errors"
	"fmt"
	"math"
)

// Method is a way to train a module.
type Method string

const (
	// SGNS is skip-gram with negative sampling (Mikolov et al., 2013).
	SGNS Method = "sgns"
	// SVD is a truncated singular value decomposition of the matrix of
	// positive pointwise mutual information (Levy, Goldberg and Dagan, 2015).
	SVD Method = "svd"
	// LSA is latent semantic analysis: a truncated singular value decomposition
	// of the words × documents matrix (Deerwester et al., 1990). The window
	// does not matter to it, the cut into documents does.
	LSA Method = "lsa"
)

// TrainOptions says how to train a module. The zero value of each field but
// Name is its default.
type TrainOptions struct {
	// Name, Language and Source go to the module; the way it was trained is
	// added to Source.
	Name     string `json:"name"`
	Language string `json:"language,omitempty"`
	Source   string `json:"source,omitempty"`
	// Method is SVD by default: on a few million words it is better and faster.
	Method Method `json:"method,omitempty"`
	// Dim is the length of a vector; 0 means 64.
	Dim int `json:"dim,omitempty"`
	// Window is the largest distance of a context word; 0 means 5.
	Window int `json:"window,omitempty"`
	// MinCount is how often a word must occur; 0 means 5.
	MinCount int `json:"min_count,omitempty"`
	// MaxVocabulary bounds the number of words; 0 means 32,768.
	MaxVocabulary int    `json:"max_vocabulary,omitempty"`
	Seed          uint64 `json:"seed,omitempty"`
	// Negative is the number of negative samples a pair (SGNS); 0 means 5.
	Negative int `json:"negative,omitempty"`
	// Epochs is the number of passes over the corpus (SGNS); 0 means 5.
	Epochs int `json:"epochs,omitempty"`
	// Subsample is the frequency above which words are dropped at random;
	// 0 means 1e-4.
	Subsample float64 `json:"subsample,omitempty"`
	// LearningRate is that of the first step (SGNS), falling linearly to
	// nearly 0; 0 means 0.05, with which one pass gave better vectors than with
	// word2vec's 0.025.
	LearningRate float64 `json:"learning_rate,omitempty"`
	// Subword, if not nil, gives vectors to character n-grams: trained beside the
	// words (SGNS), or fitted to theirs (see Module.FitSubword).
	Subword *Subword `json:"subword,omitempty"`
	// Variant is what is done to the vectors in the end.
	Variant
	// Progress is called now and then with the share done, in [0, 1]. It must
	// not change anything; an error of it ends the training and is returned.
	Progress func(done float64) error `json:"-"`
}

// maxWindow is far more than a context ever is, and keeps counts of pairs small.
const maxWindow = 1000

// Validate reports what is out of range, whatever the corpus.
func (o TrainOptions) Validate() error {
	_, err := o.withDefaults()
	return err
}

func (o TrainOptions) withDefaults() (TrainOptions, error) {
	var errs []error
	def := func(v *int, d int, name string) {
		if *v == 0 {
			*v = d
		}
		if *v < 0 {
			errs = append(errs, fmt.Errorf("%s of %d must be positive", name, *v))
		}
	}
	def(&o.Dim, 64, "dim")
	def(&o.Window, 5, "window")
	if o.Window > maxWindow {
		errs = append(errs, fmt.Errorf("window of %d is over %d", o.Window, maxWindow))
	}
	def(&o.MinCount, 5, "min count")
	def(&o.MaxVocabulary, 32768, "max vocabulary")
	def(&o.Negative, 5, "negative")
	def(&o.Epochs, 5, "epochs")
	if o.Subsample == 0 {
		o.Subsample = 1e-4
	}
	if o.LearningRate == 0 {
		o.LearningRate = 0.05
	}
	if err := o.Variant.validate(o.Dim); err != nil {
		errs = append(errs, err)
	}
	if !(o.Subsample > 0) || !(o.LearningRate > 0) {
		errs = append(errs, fmt.Errorf("subsample %v and learning rate %v must be positive", o.Subsample, o.LearningRate))
	}
	if o.Method == "" {
		o.Method = SVD
	}
	if o.Method != SVD && o.Method != SGNS && o.Method != LSA {
		errs = append(errs, fmt.Errorf("unknown method %q (known: %s, %s, %s)", o.Method, SVD, LSA, SGNS))
	}
	if o.Subword != nil {
		s, err := o.Subword.withDefaults()
		if err != nil {
			errs = append(errs, err)
		}
		o.Subword = s
	}
	if o.Progress == nil {
		o.Progress = func(float64) error { return nil }
	}
	if o.Name == "" {
		errs = append(errs, errors.New("the module has no name"))
	}
	return o, errors.Join(errs...)
}

// Train trains a module on a corpus. Equal arguments give equal modules, bit
// for bit on one instruction set, on any number of processors.
//
// It is an error when the corpus has fewer words that occur often enough than
// a vector has elements.
func Train(c *Corpus, o TrainOptions) (*Module, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", o.Name, err)
	}
	k, err := count(c, o.MinCount, o.MaxVocabulary)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", o.Name, err)
	}
	if len(k.words) <= o.Dim {
		return nil, fmt.Errorf("module %s: %d words occur %d times or more, too few for vectors of length %d; give more text, or a smaller dim",
			o.Name, len(k.words), o.MinCount, o.Dim)
	}
	if o.Method == LSA && c.Documents() <= o.Dim {
		return nil, fmt.Errorf("module %s: %d documents are too few for vectors of length %d; "+
			"give more text, a document a line, or use method %s", o.Name, c.Documents(), o.Dim, SVD)
	}
	if o.Method == SVD && k.counts[0] > math.MaxInt32/(o.Window*(o.Window+1)) {
		return nil, fmt.Errorf("module %s: %q occurs %d times, too often to count pairs in 32 bits; use less text, a smaller window or method %s",
			o.Name, k.words[0], k.counts[0], SGNS)
	}
	m := &Module{Name: o.Name, Language: o.Language, Dim: o.Dim, Tokens: k.words}
	how := ""
	switch o.Method {
	case SGNS:
		var buckets []float32
		m.Vectors, buckets, err = trainSGNS(k, o)
		how = fmt.Sprintf("skip-gram with negative sampling, window %d, %d negatives, %d epochs", o.Window, o.Negative, o.Epochs)
		if s := o.Subword; s != nil {
			m.Subword = s
			s.Vectors = buckets
			how += ", " + s.String()
		}
	case LSA:
		m.Vectors, err = trainLSA(k, o)
		how = fmt.Sprintf("latent semantic analysis of %d documents", c.Documents())
	case SVD:
		m.Vectors, err = trainSVD(k, o)
		how = fmt.Sprintf("PPMI and truncated SVD, window %d", o.Window)
	}
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", o.Name, err)
	}
	if o.Method != SGNS && o.Subword != nil {
		o.Fit = o.Subword
	}
	counts := make([]float64, len(k.counts))
	for i, n := range k.counts {
		counts[i] = float64(n)
	}
	also, err := o.Variant.apply(m, counts)
	if err != nil {
		return nil, err
	}
	how += also
	m.Source = how + fmt.Sprintf(", %d words of text, seed %d", len(c.IDs), o.Seed)
	if o.Source != "" {
		m.Source = o.Source + "; " + m.Source
	}
	if err := o.Progress(1); err != nil {
		return nil, fmt.Errorf("module %s: %w", o.Name, err)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}
