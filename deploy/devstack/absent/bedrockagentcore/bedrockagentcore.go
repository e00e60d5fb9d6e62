// Package bedrockagentcore stands in for a service of AWS.
package bedrockagentcore

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Options are those of a client.
type Options struct{}

// Client can do nothing.
type Client struct{}

// NewFromConfig is a client that can do nothing.
func NewFromConfig(aws.Config, ...func(*Options)) *Client { return &Client{} }

// InvokeAgentRuntimeInput is what would be asked.
type InvokeAgentRuntimeInput struct {
	AgentRuntimeArn, AccountId, ContentType, Qualifier *string
	Payload                                            []byte
}

// InvokeAgentRuntimeOutput is what would be answered.
type InvokeAgentRuntimeOutput struct {
	Response   io.ReadCloser
	StatusCode *int32
}

// InvokeAgentRuntime says that it cannot.
func (*Client) InvokeAgentRuntime(context.Context, *InvokeAgentRuntimeInput, ...func(*Options)) (*InvokeAgentRuntimeOutput, error) {
	return nil, errors.ErrUnsupported
}
