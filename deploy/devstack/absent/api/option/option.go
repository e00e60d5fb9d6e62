// Package option stands in for Google's clients.
package option

import "golang.org/x/oauth2"

// ClientOption is an option of a client.
type ClientOption interface{}

// WithTokenSource gives a client its token.
func WithTokenSource(oauth2.TokenSource) ClientOption { return nil }
