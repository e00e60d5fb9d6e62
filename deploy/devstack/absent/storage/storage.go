// Package storage stands in for Google's Cloud Storage.
package storage

import (
	"context"
	"errors"

	"google.golang.org/api/option"
)

// ScopeFullControl is the scope of a token.
const ScopeFullControl = "https://www.googleapis.com/auth/devstorage.full_control"

// These are buckets and what is in them, of which there are none.
type (
	Client         struct{}
	BucketHandle   struct{}
	BucketAttrs    struct{}
	ObjectHandle   struct{}
	ObjectIterator struct{}
	ObjectAttrs    struct{ Name string }
	Query          struct{ Prefix string }
	Writer         struct{}
	Reader         struct{}
)

// NewClient says that it cannot.
func NewClient(context.Context, ...option.ClientOption) (*Client, error) {
	return nil, errors.ErrUnsupported
}

// Bucket leads nowhere, and so do the following.
func (*Client) Bucket(string) *BucketHandle { return &BucketHandle{} }

// Object leads nowhere.
func (*BucketHandle) Object(string) *ObjectHandle { return &ObjectHandle{} }

// Objects leads nowhere.
func (*BucketHandle) Objects(context.Context, *Query) *ObjectIterator { return &ObjectIterator{} }

// Attrs says that it cannot.
func (*BucketHandle) Attrs(context.Context) (*BucketAttrs, error) { return nil, errors.ErrUnsupported }

// Next says that it cannot.
func (*ObjectIterator) Next() (*ObjectAttrs, error) { return nil, errors.ErrUnsupported }

// Attrs says that it cannot.
func (*ObjectHandle) Attrs(context.Context) (*ObjectAttrs, error) { return nil, errors.ErrUnsupported }

// NewWriter leads nowhere.
func (*ObjectHandle) NewWriter(context.Context) *Writer { return &Writer{} }

// NewReader says that it cannot.
func (*ObjectHandle) NewReader(context.Context) (*Reader, error) { return nil, errors.ErrUnsupported }

// Write says that it cannot.
func (*Writer) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Close says that it cannot.
func (*Writer) Close() error { return errors.ErrUnsupported }

// CloseWithError does nothing.
func (*Writer) CloseWithError(error) error { return nil }

// Read says that it cannot.
func (*Reader) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Close does nothing.
func (*Reader) Close() error { return nil }
