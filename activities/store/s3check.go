package store

import (
	"context"

	"github.com/minio/minio-go/v7"
)

// Rules are what a bucket does with objects by itself.
type Rules struct {
	// Versioned says that what is deleted or overwritten stays as an old version.
	Versioned bool
	// Cleared says that old versions are deleted in time.
	Cleared bool
	// Expires are the lifecycle rules that delete objects by their age, by ID or prefix.
	Expires []string
}

// CheckConditions reports whether the server honours conditional writes, without
// which names cannot be kept; it writes and deletes an object to find out.
func (s *S3) CheckConditions(ctx context.Context) error { return s.probe(ctx) }

// Rules asks what the bucket does by itself. A server that knows no rules has none.
func (s *S3) Rules(ctx context.Context) (r Rules, err error) {
	versioning, err := s.core.GetBucketVersioning(ctx, s.config.Bucket)
	if err != nil && minio.ToErrorResponse(err).Code != minio.NotImplemented {
		return r, s.fail(ctx, "read", "versioning", err)
	}
	r.Versioned = versioning.Enabled()
	life, err := s.core.GetBucketLifecycle(ctx, s.config.Bucket)
	if code := minio.ToErrorResponse(err).Code; code == "NoSuchLifecycleConfiguration" || code == minio.NotImplemented {
		return r, nil
	}
	if err != nil {
		return r, s.fail(ctx, "read", "lifecycle rules", err)
	}
	for _, rule := range life.Rules {
		if rule.Status != "Enabled" {
			continue
		}
		if rule.NoncurrentVersionExpiration.NoncurrentDays > 0 {
			r.Cleared = true
		}
		if !rule.Expiration.IsDaysNull() || !rule.Expiration.IsDateNull() {
			name := rule.ID
			if name == "" {
				name = "of prefix " + rule.Prefix + rule.RuleFilter.Prefix
			}
			r.Expires = append(r.Expires, name)
		}
	}
	return r, nil
}
