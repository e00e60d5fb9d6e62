// Package lambda stands in for a service of AWS.
package lambda

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Options are those of a client.
type Options struct{}

// Client can do nothing.
type Client struct{}

// NewFromConfig is a client that can do nothing.
func NewFromConfig(aws.Config, ...func(*Options)) *Client { return &Client{} }

// InvokeInput is what would be asked.
type InvokeInput struct {
	FunctionName   *string
	InvocationType types.InvocationType
}

// InvokeOutput is what would be answered.
type InvokeOutput struct{ FunctionError *string }

// Invoke says that it cannot.
func (*Client) Invoke(context.Context, *InvokeInput, ...func(*Options)) (*InvokeOutput, error) {
	return nil, errors.ErrUnsupported
}

// GetFunctionInput is what would be asked.
type GetFunctionInput struct{ FunctionName *string }

// GetFunctionOutput is what would be answered.
type GetFunctionOutput struct{}

// GetFunction says that it cannot.
func (*Client) GetFunction(context.Context, *GetFunctionInput, ...func(*Options)) (*GetFunctionOutput, error) {
	return nil, errors.ErrUnsupported
}
