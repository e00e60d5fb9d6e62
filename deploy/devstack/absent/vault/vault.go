// Package vault stands in for a client of HashiCorp's Vault.
package vault

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault-client-go/schema"
)

// These are what a client is made of and with.
type (
	Client struct {
		Auth    Auth
		Secrets Secrets
	}
	Auth             struct{}
	Secrets          struct{}
	ClientOption     struct{}
	RequestOption    struct{}
	FromBytes        struct{ FromBytes []byte }
	TLSConfiguration struct{ ServerCertificate, ClientCertificate, ClientCertificateKey FromBytes }
	ResponseAuth     struct{ ClientToken string }
	Response[T any]  struct {
		Data T
		Auth *ResponseAuth
	}
)

// New says that it cannot.
func New(...ClientOption) (*Client, error) { return nil, errors.ErrUnsupported }

// WithAddress says nothing, and neither do the following.
func WithAddress(string) ClientOption { return ClientOption{} }

// WithRequestTimeout says nothing.
func WithRequestTimeout(time.Duration) ClientOption { return ClientOption{} }

// WithTLS says nothing.
func WithTLS(TLSConfiguration) ClientOption { return ClientOption{} }

// WithMountPath says nothing.
func WithMountPath(string) RequestOption { return RequestOption{} }

// WithNamespace says nothing.
func WithNamespace(string) RequestOption { return RequestOption{} }

// IsErrorStatus says no.
func IsErrorStatus(error, int) bool { return false }

// SetToken says that it cannot.
func (*Client) SetToken(string) error { return errors.ErrUnsupported }

// AppRoleLogin says that it cannot.
func (*Auth) AppRoleLogin(context.Context, schema.AppRoleLoginRequest, ...RequestOption) (*Response[any], error) {
	return nil, errors.ErrUnsupported
}

// KvV2Read says that it cannot.
func (*Secrets) KvV2Read(context.Context, string, ...RequestOption) (*Response[schema.KvV2ReadResponse], error) {
	return nil, errors.ErrUnsupported
}

// KvV2List says that it cannot.
func (*Secrets) KvV2List(context.Context, string, ...RequestOption) (*Response[schema.StandardListResponse], error) {
	return nil, errors.ErrUnsupported
}

// KvV2Write says that it cannot.
func (*Secrets) KvV2Write(context.Context, string, schema.KvV2WriteRequest, ...RequestOption) (*Response[any], error) {
	return nil, errors.ErrUnsupported
}

// KvV2WriteMetadata says that it cannot.
func (*Secrets) KvV2WriteMetadata(context.Context, string, schema.KvV2WriteMetadataRequest, ...RequestOption) (*Response[any], error) {
	return nil, errors.ErrUnsupported
}

// KvV2DeleteMetadataAndAllVersions says that it cannot.
func (*Secrets) KvV2DeleteMetadataAndAllVersions(context.Context, string, ...RequestOption) (*Response[any], error) {
	return nil, errors.ErrUnsupported
}
