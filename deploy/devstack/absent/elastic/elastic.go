// Package elastic stands in for a client of Elasticsearch.
package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// These are what a client is made of and with.
type (
	Client           struct{}
	ClientOptionFunc func(*Client) error
	NumberDecoder    struct{}
	Retrier          struct{}
	Backoff          struct{}
)

func nothing(*Client) error { return nil }

// NewClient says that it cannot.
func NewClient(...ClientOptionFunc) (*Client, error) { return nil, errors.ErrUnsupported }

// SetURL does nothing, and neither do the following.
func SetURL(...string) ClientOptionFunc { return nothing }

// SetBasicAuth does nothing.
func SetBasicAuth(string, string) ClientOptionFunc { return nothing }

// SetHealthcheck does nothing.
func SetHealthcheck(bool) ClientOptionFunc { return nothing }

// SetSniff does nothing.
func SetSniff(bool) ClientOptionFunc { return nothing }

// SetRetrier does nothing.
func SetRetrier(Retrier) ClientOptionFunc { return nothing }

// SetDecoder does nothing.
func SetDecoder(*NumberDecoder) ClientOptionFunc { return nothing }

// SetGzip does nothing.
func SetGzip(bool) ClientOptionFunc { return nothing }

// SetHttpClient does nothing.
func SetHttpClient(*http.Client) ClientOptionFunc { return nothing }

// SetErrorLog does nothing.
func SetErrorLog(any) ClientOptionFunc { return nothing }

// SetInfoLog does nothing.
func SetInfoLog(any) ClientOptionFunc { return nothing }

// SetTraceLog does nothing.
func SetTraceLog(any) ClientOptionFunc { return nothing }

// NewBackoffRetrier tries nothing.
func NewBackoffRetrier(Backoff) Retrier { return Retrier{} }

// NewExponentialBackoff waits for nothing.
func NewExponentialBackoff(_, _ time.Duration) Backoff { return Backoff{} }

// Start does nothing.
func (*Client) Start() {}

// Stop does nothing.
func (*Client) Stop() {}

// PerformRequest says that it cannot.
func (*Client) PerformRequest(context.Context, PerformRequestOptions) (*Response, error) {
	return nil, errors.ErrUnsupported
}

// Request is what would ask for an R.
type Request[R any] struct{}

// Do says that it cannot.
func (*Request[R]) Do(context.Context) (none R, err error) { return none, errors.ErrUnsupported }

// Index keeps nothing, and neither do the following.
func (r *Request[R]) Index(string) *Request[R] { return r }

// Id keeps nothing.
func (r *Request[R]) Id(string) *Request[R] { return r }

// Query keeps nothing.
func (r *Request[R]) Query(Query) *Request[R] { return r }

// SearchSource keeps nothing.
func (r *Request[R]) SearchSource(*SearchSource) *Request[R] { return r }

// AllowPartialSearchResults keeps nothing.
func (r *Request[R]) AllowPartialSearchResults(bool) *Request[R] { return r }

// BodyJson keeps nothing.
func (r *Request[R]) BodyJson(any) *Request[R] { return r }

// BodyString keeps nothing.
func (r *Request[R]) BodyString(string) *Request[R] { return r }

// Version keeps nothing.
func (r *Request[R]) Version(any) *Request[R] { return r }

// VersionType keeps nothing.
func (r *Request[R]) VersionType(string) *Request[R] { return r }

// WaitForYellowStatus keeps nothing.
func (r *Request[R]) WaitForYellowStatus() *Request[R] { return r }

// PingRequest is what would ask whether the server is there.
type PingRequest struct{}

// Do says that it cannot.
func (*PingRequest) Do(context.Context) (*Response, int, error) { return nil, 0, errors.ErrUnsupported }

// Get leads nowhere, and so do the following.
func (*Client) Get() *Request[*GetResult] { return &Request[*GetResult]{} }

// Search leads nowhere.
func (*Client) Search(...string) *Request[*SearchResult] { return &Request[*SearchResult]{} }

// Count leads nowhere.
func (*Client) Count(...string) *Request[int64] { return &Request[int64]{} }

// Delete leads nowhere.
func (*Client) Delete() *Request[*Response] { return &Request[*Response]{} }

// CatIndices leads nowhere.
func (*Client) CatIndices() *Request[CatIndicesResponse] { return &Request[CatIndicesResponse]{} }

// ClusterHealth leads nowhere.
func (*Client) ClusterHealth() *Request[*Response] { return &Request[*Response]{} }

// CreateIndex leads nowhere.
func (*Client) CreateIndex(string) *Request[*Response] { return &Request[*Response]{} }

// DeleteIndex leads nowhere.
func (*Client) DeleteIndex(...string) *Request[*Response] { return &Request[*Response]{} }

// IndexExists leads nowhere.
func (*Client) IndexExists(...string) *Request[bool] { return &Request[bool]{} }

// IndexGetSettings leads nowhere.
func (*Client) IndexGetSettings(...string) *Request[map[string]*IndicesGetSettingsResponse] {
	return &Request[map[string]*IndicesGetSettingsResponse]{}
}

// IndexPutSettings leads nowhere.
func (*Client) IndexPutSettings(...string) *Request[*Response] { return &Request[*Response]{} }

// IndexPutTemplate leads nowhere.
func (*Client) IndexPutTemplate(string) *Request[*Response] { return &Request[*Response]{} }

// PutMapping leads nowhere.
func (*Client) PutMapping() *Request[*Response] { return &Request[*Response]{} }

// Ping leads nowhere.
func (*Client) Ping(string) *PingRequest { return &PingRequest{} }

// These are answers, of which there are none.
type (
	PerformRequestOptions struct {
		Method, Path, ContentType string
		Params                    url.Values
		Headers                   http.Header
		Body                      any
	}
	Response struct {
		Body         json.RawMessage
		Acknowledged bool
		Status       string
	}
	GetResult    struct{ Hit }
	SearchResult struct {
		Hits         *SearchHits
		Aggregations map[string]json.RawMessage
	}
	SearchHits struct{ Hits []*Hit }
	Hit        struct {
		Index, Id string
		Found     bool
		Source    json.RawMessage
		Sort      []any
	}
	CatIndicesResponse         []struct{}
	IndicesGetSettingsResponse struct{}
	ErrorDetails               struct{ Type, Reason string }
)

// Error is an error of Elasticsearch, of which there are none.
type Error struct {
	Status  int
	Details *ErrorDetails
}

func (*Error) Error() string { return errors.ErrUnsupported.Error() }

// IsNotFound says no.
func IsNotFound(any) bool { return false }
