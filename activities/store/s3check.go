package store

import (
	"context"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
)

// Rules are what a bucket does with objects by itself.
type Rules struct {
	// Versioned says that what is deleted or overwritten stays as an old version, or did once.
	Versioned bool
	// Cleared says that old versions are deleted in time.
	Cleared bool
	// Expires are the lifecycle rules that delete the store's objects by their age, by ID or prefix.
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
	r.Versioned = versioning.Enabled() || versioning.Suspended()
	life, err := s.core.GetBucketLifecycle(ctx, s.config.Bucket)
	if code := minio.ToErrorResponse(err).Code; code == "NoSuchLifecycleConfiguration" || code == minio.NotImplemented {
		return r, nil
	}
	if err != nil {
		return r, s.fail(ctx, "read", "lifecycle rules", err)
	}
	blobs, trash := false, false // whose old versions are deleted: what takes the space
	for _, rule := range life.Rules {
		if rule.Status != "Enabled" {
			continue
		}
		prefix := rule.Prefix + rule.RuleFilter.Prefix + rule.RuleFilter.And.Prefix
		if v := rule.NoncurrentVersionExpiration; v.NoncurrentDays > 0 || v.NewerNoncurrentVersions > 0 {
			blobs, trash = blobs || strings.HasPrefix(blobsPrefix, prefix), trash || strings.HasPrefix(trashPrefix, prefix)
		}
		if !ours(prefix) {
			continue
		}
		if !rule.Expiration.IsDaysNull() || !rule.Expiration.IsDateNull() {
			name := rule.ID
			if name == "" {
				name = "of prefix " + prefix
			}
			r.Expires = append(r.Expires, name)
		}
	}
	r.Cleared = blobs && trash
	return r, nil
}

// ours says that objects of the store have keys of this prefix. Of probes nobody misses one.
func ours(prefix string) bool {
	return slices.ContainsFunc([]string{blobsPrefix, trashPrefix, namesPrefix}, func(p string) bool {
		return strings.HasPrefix(p, prefix) || strings.HasPrefix(prefix, p)
	})
}
