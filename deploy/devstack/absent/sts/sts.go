// Package sts stands in for a service of AWS.
package sts

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Options are those of a client.
type Options struct{}

// Client can do nothing.
type Client struct{}

// NewFromConfig is a client that can do nothing.
func NewFromConfig(aws.Config, ...func(*Options)) *Client { return &Client{} }

// AssumeRoleInput is what would be asked.
type AssumeRoleInput struct{ RoleArn, RoleSessionName, ExternalId *string }

// AssumeRoleOutput is what would be answered.
type AssumeRoleOutput struct{ Credentials *Credentials }

// Credentials would be in the answer.
type Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken *string }

// AssumeRole says that it cannot.
func (*Client) AssumeRole(context.Context, *AssumeRoleInput, ...func(*Options)) (*AssumeRoleOutput, error) {
	return nil, errors.ErrUnsupported
}
