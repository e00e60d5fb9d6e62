package elastic

import "errors"

// The server makes some of these as it starts, whatever store it asks: all can be made and combined.
// What they would become for Elasticsearch is not there.

// Query is part of a question.
type Query interface{ Source() (any, error) }

// Sorter is an order of the answers.
type Sorter interface{ Source() (any, error) }

// Aggregation is a sum of the answers.
type Aggregation interface{ Source() (any, error) }

type absent struct{}

// Source says that it cannot.
func (absent) Source() (any, error) { return nil, errors.ErrUnsupported }

// These are of the kinds of question, order and sum.
type (
	BoolQuery        struct{ absent }
	ExistsQuery      struct{ absent }
	MatchQuery       struct{ absent }
	PrefixQuery      struct{ absent }
	RangeQuery       struct{ absent }
	TermQuery        struct{ absent }
	TermsQuery       struct{ absent }
	FieldSort        struct{ absent }
	SortByDoc        struct{ absent }
	TermsAggregation struct{ absent }
	SearchSource     struct{ absent }
)

// NewBoolQuery is empty, and so are the following.
func NewBoolQuery() *BoolQuery { return &BoolQuery{} }

// NewExistsQuery is empty.
func NewExistsQuery(string) *ExistsQuery { return &ExistsQuery{} }

// NewMatchQuery is empty.
func NewMatchQuery(string, any) *MatchQuery { return &MatchQuery{} }

// NewPrefixQuery is empty.
func NewPrefixQuery(string, string) *PrefixQuery { return &PrefixQuery{} }

// NewRangeQuery is empty.
func NewRangeQuery(string) *RangeQuery { return &RangeQuery{} }

// NewTermQuery is empty.
func NewTermQuery(string, any) *TermQuery { return &TermQuery{} }

// NewTermsQuery is empty.
func NewTermsQuery(string, ...any) *TermsQuery { return &TermsQuery{} }

// NewFieldSort is empty.
func NewFieldSort(string) *FieldSort { return &FieldSort{} }

// NewTermsAggregation is empty.
func NewTermsAggregation() *TermsAggregation { return &TermsAggregation{} }

// NewSearchSource is empty.
func NewSearchSource() *SearchSource { return &SearchSource{} }

// Filter keeps nothing, and neither do the following.
func (q *BoolQuery) Filter(...Query) *BoolQuery { return q }

// Must keeps nothing.
func (q *BoolQuery) Must(...Query) *BoolQuery { return q }

// MustNot keeps nothing.
func (q *BoolQuery) MustNot(...Query) *BoolQuery { return q }

// Should keeps nothing.
func (q *BoolQuery) Should(...Query) *BoolQuery { return q }

// MinimumNumberShouldMatch keeps nothing.
func (q *BoolQuery) MinimumNumberShouldMatch(int) *BoolQuery { return q }

// MinimumShouldMatch keeps nothing.
func (q *BoolQuery) MinimumShouldMatch(string) *BoolQuery { return q }

// Gt keeps nothing.
func (q *RangeQuery) Gt(any) *RangeQuery { return q }

// Gte keeps nothing.
func (q *RangeQuery) Gte(any) *RangeQuery { return q }

// Lt keeps nothing.
func (q *RangeQuery) Lt(any) *RangeQuery { return q }

// Lte keeps nothing.
func (q *RangeQuery) Lte(any) *RangeQuery { return q }

// Desc keeps nothing.
func (s *FieldSort) Desc() *FieldSort { return s }

// Missing keeps nothing.
func (s *FieldSort) Missing(any) *FieldSort { return s }

// Field keeps nothing.
func (a *TermsAggregation) Field(string) *TermsAggregation { return a }

// Missing keeps nothing.
func (a *TermsAggregation) Missing(any) *TermsAggregation { return a }

// SubAggregation keeps nothing.
func (a *TermsAggregation) SubAggregation(string, Aggregation) *TermsAggregation { return a }

// Query keeps nothing.
func (s *SearchSource) Query(Query) *SearchSource { return s }

// SortBy keeps nothing.
func (s *SearchSource) SortBy(...Sorter) *SearchSource { return s }

// TrackTotalHits keeps nothing.
func (s *SearchSource) TrackTotalHits(any) *SearchSource { return s }

// Size keeps nothing.
func (s *SearchSource) Size(int) *SearchSource { return s }

// SearchAfter keeps nothing.
func (s *SearchSource) SearchAfter(...any) *SearchSource { return s }

// Aggregation keeps nothing.
func (s *SearchSource) Aggregation(string, Aggregation) *SearchSource { return s }
