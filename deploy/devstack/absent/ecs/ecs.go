// Package ecs stands in for a service of AWS.
package ecs

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

// DescribeServicesInput is what would be asked.
type DescribeServicesInput struct {
	Cluster  *string
	Services []string
}

// DescribeServicesOutput is what would be answered.
type DescribeServicesOutput struct {
	Services []Service
	Failures []Failure
}

// DescribeServices says that it cannot.
func (*Client) DescribeServices(context.Context, *DescribeServicesInput, ...func(*Options)) (*DescribeServicesOutput, error) {
	return nil, errors.ErrUnsupported
}

// UpdateServiceInput is what would be asked.
type UpdateServiceInput struct {
	Cluster, Service *string
	DesiredCount     *int32
}

// UpdateServiceOutput is what would be answered.
type UpdateServiceOutput struct{}

// UpdateService says that it cannot.
func (*Client) UpdateService(context.Context, *UpdateServiceInput, ...func(*Options)) (*UpdateServiceOutput, error) {
	return nil, errors.ErrUnsupported
}

// Service is one that runs.
type Service struct{ Status *string }

// Failure is one that does not.
type Failure struct{ Reason *string }
