// Package embedding provides embedding modules: pretrained token vectors under
// a name, the first choice of the search space, and their training.
package embedding

// Module is a table of pretrained token vectors.
type Module struct {
	// Name is the catalogue name, e.g. "godoc-64".
	Name string `json:"name"`
	// Language is a BCP 47 tag, e.g. "en".
	Language string `json:"language"`
	// Source says in words what it was made from and how.
	Source string `json:"source"`
	// Dim is the length of a vector.
	Dim int `json:"dim"`
	// Length, if positive, is the length that Standardise gave the vectors, before
	// Weigh: what a word has whose frequency is next to nothing.
	Length float64 `json:"length,omitempty"`
	// Subword, if not nil, makes vectors of words that are no tokens.
	Subword *Subword `json:"subword,omitempty"`
	// Tokens are the rows' tokens, as the task tokeniser gives them, unique.
	Tokens []string `json:"-"`
	// Frequencies are the tokens' shares of all words of a text, or nil where the
	// order of the tokens says all that is known: the k-th then occurs in
	// proportion to 1/k (Zipf's law).
	Frequencies []float64 `json:"-"`
	// Vectors is len(Tokens) × Dim, row-major.
	Vectors []float32 `json:"-"`
}
