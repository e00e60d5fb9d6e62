// Package statsd stands in for a client of Datadog.
package statsd

import "errors"

// Client leads nowhere.
type Client struct{}

// Option says nothing.
type Option struct{}

// New says that it cannot.
func New(string, ...Option) (*Client, error) { return nil, errors.ErrUnsupported }

// WithMaxMessagesPerPayload says nothing.
func WithMaxMessagesPerPayload(int) Option { return Option{} }

// WithNamespace says nothing.
func WithNamespace(string) Option { return Option{} }

// WithTags says nothing.
func WithTags([]string) Option { return Option{} }

// Count says that it cannot.
func (*Client) Count(string, int64, []string, float64) error { return errors.ErrUnsupported }

// Close does nothing.
func (*Client) Close() error { return nil }
