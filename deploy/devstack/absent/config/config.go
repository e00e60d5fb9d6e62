// Package config stands in for the ways in which a client of AWS finds out who it is.
package config

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// LoadOptions say nothing.
type LoadOptions struct{}

// EnvConfig is what the environment says, which is nothing.
type EnvConfig struct{ Credentials aws.Credentials }

func nothing(*LoadOptions) error { return nil }

// LoadDefaultConfig says that it cannot.
func LoadDefaultConfig(context.Context, ...func(*LoadOptions) error) (aws.Config, error) {
	return aws.Config{}, errors.ErrUnsupported
}

// NewEnvConfig says that it cannot.
func NewEnvConfig() (EnvConfig, error) { return EnvConfig{}, errors.ErrUnsupported }

// WithRegion does nothing, and neither do the following.
func WithRegion(string) func(*LoadOptions) error { return nothing }

// WithClientLogMode does nothing.
func WithClientLogMode(aws.ClientLogMode) func(*LoadOptions) error { return nothing }

// WithCredentialsProvider does nothing.
func WithCredentialsProvider(aws.CredentialsProvider) func(*LoadOptions) error { return nothing }

// WithHTTPClient does nothing.
func WithHTTPClient(any) func(*LoadOptions) error { return nothing }
