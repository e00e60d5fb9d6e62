// Package impersonate stands in for Google's clients.
package impersonate

import (
	"context"
	"errors"

	"golang.org/x/oauth2"

	"google.golang.org/api/option"
)

// CredentialsConfig says who is to be who.
type CredentialsConfig struct {
	TargetPrincipal   string
	Scopes, Delegates []string
}

// CredentialsTokenSource says that it cannot.
func CredentialsTokenSource(context.Context, CredentialsConfig, ...option.ClientOption) (oauth2.TokenSource, error) {
	return nil, errors.ErrUnsupported
}
