// Package bedrockagentcorecontrol stands in for a service of AWS.
package bedrockagentcorecontrol

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

// GetAgentRuntimeEndpointInput is what would be asked.
type GetAgentRuntimeEndpointInput struct{ AgentRuntimeId, EndpointName *string }

// GetAgentRuntimeEndpointOutput is what would be answered.
type GetAgentRuntimeEndpointOutput struct{}

// GetAgentRuntimeEndpoint says that it cannot.
func (*Client) GetAgentRuntimeEndpoint(
	context.Context, *GetAgentRuntimeEndpointInput, ...func(*Options),
) (*GetAgentRuntimeEndpointOutput, error) {
	return nil, errors.ErrUnsupported
}
