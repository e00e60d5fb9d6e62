package data

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Options says how to build a task. The zero value of each field but Name is
// its default. Those of vocabulary and tokens mean nothing to an image task.
type Options struct {
	// Name is the task's catalogue name.
	Name string `json:"name"`
	// Seed of the random split; 0 means 1.
	Seed uint64 `json:"seed,omitempty"`
	// Validation and Test are the fractions cut off by the random split; 0
	// means 0.1 each. Test is not used where the source gives a test split, nor
	// is Validation where it gives a validation split.
	Validation float64 `json:"validation,omitempty"`
	Test       float64 `json:"test,omitempty"`
	// Random makes the splits without regard to the classes, as the paper does
	// (§4.1); the default gives each class its share of every split.
	Random bool `json:"random,omitempty"`
	// MaxVocabulary bounds the vocabulary; 0 means 32,768 tokens.
	MaxVocabulary int `json:"max_vocabulary,omitempty"`
	// MinCount is how often a token must occur in the training split for the
	// wide tower to see it; 0 means 2.
	MinCount int `json:"min_count,omitempty"`
	// MaxTokens cuts a document after so many tokens; 0 means 512.
	MaxTokens int `json:"max_tokens,omitempty"`
	// KeepCase leaves letters as they are; the default is lower case.
	KeepCase bool `json:"keep_case,omitempty"`
	// Source says in words where the examples come from, and Licence under
	// which terms; both go to the card.
	Source  string `json:"source,omitempty"`
	Licence string `json:"licence,omitempty"`
	// SourceDigest is the SHA-256 of the file imported, in hexadecimal.
	SourceDigest string `json:"source_digest,omitempty"`
}

// Validate reports what is out of range, whatever the kind of task.
func (o Options) Validate() error {
	_, err := o.OfTexts()
	return err
}

// OfTexts fills in the defaults of the options of a text task and reports what is
// out of range.
func (o Options) OfTexts() (Options, error) {
	o, err := o.common()
	errs := []error{err}
	def := func(v *int, d int, name string) {
		if *v == 0 {
			*v = d
		}
		if *v < 0 {
			errs = append(errs, fmt.Errorf("%s of %d must be positive", name, *v))
		}
	}
	def(&o.MaxVocabulary, 32768, "max vocabulary")
	def(&o.MinCount, 2, "min count")
	def(&o.MaxTokens, 512, "max tokens")
	return o, errors.Join(errs...)
}

// OfExamples is OfTexts for tasks of other examples: the options of vocabulary and
// tokens are cleared.
func (o Options) OfExamples() (Options, error) {
	o, err := o.common()
	o.MaxVocabulary, o.MinCount, o.MaxTokens, o.KeepCase = 0, 0, 0, false
	return o, err
}

// Unsplit is OfTexts for tasks that are no examples: nothing is split.
func (o Options) Unsplit() (Options, error) {
	o, err := o.OfExamples()
	o.Seed, o.Validation, o.Test, o.Random = 0, 0, 0, false
	return o, err
}

// common fills in the defaults of the options of all tasks of examples, the
// split's, and reports what is out of range.
func (o Options) common() (Options, error) {
	var errs []error
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Validation == 0 {
		o.Validation = 0.1
	}
	if o.Test == 0 {
		o.Test = 0.1
	}
	if !(o.Validation > 0 && o.Test > 0 && o.Validation+o.Test < 1) {
		errs = append(errs, fmt.Errorf("validation fraction %v and test fraction %v must be positive and leave something to train on",
			o.Validation, o.Test))
	}
	for _, f := range []struct{ name, value string }{
		{"name", o.Name}, {"source", o.Source}, {"licence", o.Licence}, {"source digest", o.SourceDigest},
	} {
		if !utf8.ValidString(f.value) {
			errs = append(errs, fmt.Errorf("the %s %q is not UTF-8", f.name, f.value))
		}
	}
	if o.Name == "" {
		errs = append(errs, errors.New("the task has no name"))
	}
	return o, errors.Join(errs...)
}
