// Package runpb stands in for Google's Cloud Run.
package runpb

import "google.golang.org/protobuf/types/known/fieldmaskpb"

// GetWorkerPoolRequest asks for a pool.
type GetWorkerPoolRequest struct{ Name string }

// WorkerPool is one.
type WorkerPool struct {
	Name    string
	Scaling *WorkerPoolScaling
}

// WorkerPoolScaling is its size.
type WorkerPoolScaling struct{ ManualInstanceCount *int32 }

// UpdateWorkerPoolRequest changes it.
type UpdateWorkerPoolRequest struct {
	WorkerPool *WorkerPool
	UpdateMask *fieldmaskpb.FieldMask
}
