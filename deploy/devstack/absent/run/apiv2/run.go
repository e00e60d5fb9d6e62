// Package run stands in for Google's Cloud Run.
package run

import (
	"context"
	"errors"

	"google.golang.org/api/option"

	"cloud.google.com/go/run/apiv2/runpb"
)

// WorkerPoolsClient can do nothing.
type WorkerPoolsClient struct{}

// UpdateWorkerPoolOperation is what never begins.
type UpdateWorkerPoolOperation struct{}

// NewWorkerPoolsClient says that it cannot.
func NewWorkerPoolsClient(context.Context, ...option.ClientOption) (*WorkerPoolsClient, error) {
	return nil, errors.ErrUnsupported
}

// Close does nothing.
func (*WorkerPoolsClient) Close() error { return nil }

// GetWorkerPool says that it cannot.
func (*WorkerPoolsClient) GetWorkerPool(context.Context, *runpb.GetWorkerPoolRequest) (*runpb.WorkerPool, error) {
	return nil, errors.ErrUnsupported
}

// UpdateWorkerPool says that it cannot.
func (*WorkerPoolsClient) UpdateWorkerPool(context.Context, *runpb.UpdateWorkerPoolRequest) (*UpdateWorkerPoolOperation, error) {
	return nil, errors.ErrUnsupported
}
