package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// list calls f with each object below a prefix, page after page.
func (s *S3) list(ctx context.Context, prefix string, f func(minio.ObjectInfo) error) error {
	listing, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing's goroutine on an early return
	for o := range s.core.Client.ListObjects(listing, s.config.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return s.fail(ctx, "list", prefix, o.Err)
		}
		if err := f(o); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return s.fail(ctx, "list", prefix, err)
	}
	return nil
}

// Now implements Sweeper: it writes a probe and looks when that was.
func (s *S3) Now(ctx context.Context) (now time.Time, err error) {
	key := "probes/" + strings.ToLower(rand.Text())
	if _, err := s.put(ctx, s.core, key, string(RefOf(nil)[len(refPrefix):]), blobType, nil, always); err != nil {
		return now, s.fail(ctx, "write", key, err)
	}
	defer func() {
		if gone := s.core.RemoveObject(ctx, s.config.Bucket, key, minio.RemoveObjectOptions{}); err == nil && gone != nil && !absent(gone) {
			err = s.fail(ctx, "remove", key, gone)
		}
	}()
	// Listed, as blobs are: a listing may tell the time more exactly.
	err = s.list(ctx, key, func(o minio.ObjectInfo) error {
		now = o.LastModified
		return nil
	})
	if err == nil && now.IsZero() {
		err = fmt.Errorf("object store: %s: a probe that was written is not listed: is this an S3 server?", s.config)
	}
	return now, err
}

// Kinds implements Sweeper.
func (s *S3) Kinds(ctx context.Context) ([]Kind, error) {
	listing, cancel := context.WithCancel(ctx)
	defer cancel()
	var out []Kind
	for o := range s.core.Client.ListObjects(listing, s.config.Bucket, minio.ListObjectsOptions{Prefix: namesPrefix}) {
		if o.Err != nil {
			return nil, s.fail(ctx, "list", namesPrefix, o.Err)
		}
		if kind, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, namesPrefix), "/"); ok && kind != "" {
			out = append(out, Kind(kind))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, s.fail(ctx, "list", namesPrefix, err)
	}
	return out, nil
}

// Blobs implements Sweeper.
func (s *S3) Blobs(ctx context.Context, f func(Blob) error) error {
	return s.list(ctx, blobsPrefix, func(o minio.ObjectInfo) error {
		ref, ok := parseBlobKey(o.Key)
		if !ok {
			return nil // not ours
		}
		return f(Blob{ref, o.Size, o.LastModified})
	})
}

// Peek implements Sweeper.
func (s *S3) Peek(ctx context.Context, ref Ref, n int) ([]byte, error) {
	key, err := blobKey(ref)
	if err != nil {
		return nil, err
	}
	var o minio.GetObjectOptions
	if err := o.SetRange(0, int64(n)-1); err != nil {
		return nil, err
	}
	body, _, _, err := s.core.GetObject(ctx, s.config.Bucket, key, o)
	if r, answered := response(err); answered && r.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return nil, nil // it is empty
	}
	if err != nil {
		return nil, s.fail(ctx, "read", "object "+string(ref), err)
	}
	defer body.Close() // the error of interest is the reading's
	b, err := io.ReadAll(io.LimitReader(body, int64(n)))
	if err != nil {
		return nil, s.fail(ctx, "read", "object "+string(ref), err)
	}
	return b, nil
}

// copy copies within the bucket, on the server.
func (s *S3) copy(ctx context.Context, to, from string) error {
	return insist(ctx, broken, func() error {
		_, err := s.core.Client.CopyObject(ctx, minio.CopyDestOptions{Bucket: s.config.Bucket, Object: to},
			minio.CopySrcOptions{Bucket: s.config.Bucket, Object: from})
		return err
	})
}

// discardLimit bounds the time between the two steps of Discard, since others may
// take the blob between them.
const discardLimit = 15 * time.Minute

// Discard implements Sweeper. A machine that slept between the two steps does not
// take the second one: others may have come to need the blob since, and deleted the
// entry of one that they found in its place. So each attempt looks at the clock.
func (s *S3) Discard(ctx context.Context, ref Ref) error {
	key, err := blobKey(ref)
	if err != nil {
		return err
	}
	began := s.now()
	entry := trashDir(ref) + strings.ToLower(rand.Text())
	err = s.copy(ctx, entry, key)
	if absent(err) {
		return nil
	}
	if err != nil {
		return s.fail(ctx, "set aside", "object "+string(ref), err)
	}
	var late error
	anyhow := func(error) bool { return true }
	err = insist(ctx, anyhow, func() error {
		if took := s.now().Sub(began); took < 0 || took > discardLimit {
			late = fmt.Errorf("object store: %s: setting aside object %s took %s, more than %s: it stays where it is; try again", s.config, ref,
				took, discardLimit)
			return nil
		}
		return s.once.RemoveObject(ctx, s.config.Bucket, key, minio.RemoveObjectOptions{})
	})
	if late != nil || err == nil || absent(err) {
		return late
	}
	return s.fail(ctx, "set aside", "object "+string(ref), err)
}

// restore puts a blob that was set aside back in its place and reports whether
// there was one. The entry stays in the trash: whoever set the blob aside may
// not have removed it yet.
func (s *S3) restore(ctx context.Context, ref Ref, key string) (bool, error) {
	var entries []string
	err := s.list(ctx, trashDir(ref), func(o minio.ObjectInfo) error {
		if _, _, ok := parseTrashKey(o.Key); ok {
			entries = append(entries, o.Key)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		err := s.copy(ctx, key, entry)
		if err == nil {
			return true, nil
		}
		if !absent(err) { // it was deleted since
			return false, s.fail(ctx, "put back", "object "+string(ref), err)
		}
	}
	return false, nil
}

// Trash implements Sweeper.
func (s *S3) Trash(ctx context.Context, f func(Discarded) error) error {
	return s.list(ctx, trashPrefix, func(o minio.ObjectInfo) error {
		ref, entry, ok := parseTrashKey(o.Key)
		if !ok {
			return nil // not ours
		}
		return f(Discarded{ref, o.Size, o.LastModified, entry})
	})
}

// Purge implements Sweeper, a thousand entries in a request.
func (s *S3) Purge(ctx context.Context, entries []Discarded) error {
	deleting, cancel := context.WithCancel(ctx)
	defer cancel()
	keys := make(chan minio.ObjectInfo)
	go func() {
		defer close(keys)
		for _, e := range entries {
			select {
			case keys <- minio.ObjectInfo{Key: trashDir(e.Ref) + e.entry}:
			case <-deleting.Done():
				return
			}
		}
	}()
	var errs []error
	for r := range s.core.Client.RemoveObjects(deleting, s.config.Bucket, keys, minio.RemoveObjectsOptions{}) {
		if r.Err != nil && !absent(r.Err) {
			errs = append(errs, s.fail(ctx, "delete", r.ObjectName, r.Err))
		}
	}
	if err := ctx.Err(); err != nil && len(entries) > 0 {
		return s.fail(ctx, "delete", "objects that were set aside", err)
	}
	return errors.Join(errs[:min(len(errs), 10)]...)
}
