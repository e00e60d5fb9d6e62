// Package clientcmd stands in for Kubernetes' client.
package clientcmd

import (
	"errors"

	"k8s.io/client-go/rest"
)

// Config is what a kubeconfig holds.
type Config struct{}

// ConfigOverrides choose among what a kubeconfig holds.
type ConfigOverrides struct{ CurrentContext string }

// ClientConfig leads to no cluster.
type ClientConfig struct{}

// Load says that it cannot.
func Load([]byte) (*Config, error) { return nil, errors.ErrUnsupported }

// NewDefaultClientConfig leads to no cluster.
func NewDefaultClientConfig(Config, *ConfigOverrides) ClientConfig { return ClientConfig{} }

// ClientConfig says that it cannot.
func (ClientConfig) ClientConfig() (*rest.Config, error) { return nil, errors.ErrUnsupported }
