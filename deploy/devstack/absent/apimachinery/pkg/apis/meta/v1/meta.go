// Package v1 stands in for Kubernetes' client.
package v1

// GetOptions are those of a read.
type GetOptions struct{}

// UpdateOptions are those of a write.
type UpdateOptions struct{}
