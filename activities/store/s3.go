package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// S3 is a Store in a bucket of an S3-compatible server that honours
// conditional writes.
type S3 struct {
	// core tries a request several times. once does not: see SetName.
	core, once minio.Core
	config     S3Config // without its secrets
	// honours is full once the server is known to honour conditions; probing
	// is held by who finds out.
	probing chan struct{}
	honours chan struct{}
	// now is the machine's clock, which goes on while it sleeps.
	now func() time.Time
}

var _ Store = (*S3)(nil)

const (
	// maxAttempts is minio-go's own, and that of insist; Temporal retries
	// activities, and these multiply.
	maxAttempts = 3
	dialTimeout = 5 * time.Second
	openTimeout = 10 * time.Second
	// maxBlob is S3's limit of one PUT. A conditional write cannot be a
	// multipart upload: minio-go sends the condition with its start and drops
	// it from its end.
	maxBlob = 5 << 30
	// lookFirst is the size from which Put asks for a blob before sending it:
	// sending it in vain would cost more than the question.
	lookFirst = 1 << 20
)

// String describes the store.
func (s *S3) String() string { return s.config.String() }

// GoString describes the store without what it holds.
func (s *S3) GoString() string { return "store.S3{" + s.config.String() + "}" }

// Format keeps every verb from looking inside.
func (s *S3) Format(f fmt.State, verb rune) { format(f, verb, s) }

// OpenS3 connects to a bucket and checks that it can be used: the endpoint's
// form, that the server answers, that it takes the credentials (ErrDenied) and
// has the bucket (ErrNotFound), which it creates if asked.
func OpenS3(ctx context.Context, c S3Config) (*S3, error) {
	host, secure, err := parseEndpoint(c.Endpoint, c.TLS)
	if c.Bucket == "" {
		err = errors.Join(err, errors.New("object store: no bucket is named"))
	}
	if err != nil {
		return nil, err
	}
	limit := c.OpenTimeout
	if limit <= 0 {
		limit = openTimeout
	}
	opening, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("object store %s: %w", c, err)
	}
	if err := c.trust(transport); err != nil {
		return nil, err
	}
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	transport.MaxIdleConnsPerHost = 64
	transport.ResponseHeaderTimeout = 0 // see idleTransport
	idle := &idleTransport{transport, cmp.Or(c.IdleTimeout, idleTimeout)}
	creds, err := c.credentials(opening, idle)
	if err != nil {
		return nil, err
	}
	client := func(region string, attempts int) (minio.Core, error) {
		client, err := minio.New(host, &minio.Options{
			Creds: creds, Secure: secure, Region: region, MaxRetries: attempts,
			BucketLookup: lookup(host), Transport: idle,
		})
		if err != nil {
			return minio.Core{}, fmt.Errorf("object store %s: %w", c, err)
		}
		return minio.Core{Client: client}, nil
	}
	s := &S3{config: c, probing: make(chan struct{}, 1), honours: make(chan struct{}, 1)}
	s.now = func() time.Time { return time.Now().Round(0) }
	s.config.AccessKey, s.config.SecretKey, s.config.SessionToken = "", "", ""
	if s.core, err = client(c.Region, maxAttempts); err != nil {
		return nil, err
	}
	if err := s.open(opening); err != nil {
		if opening.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w; no answer within %v: is the server running, and the endpoint right?", err, limit)
		}
		return nil, err
	}
	region := c.Region
	if region == "" {
		// A client that tries once cannot find out the region by trying. Some
		// servers do not tell, and do not mind.
		region, _ = s.core.GetBucketLocation(opening, c.Bucket)
	}
	if s.once, err = client(region, 1); err != nil {
		return nil, err
	}
	return s, nil
}

// open checks address, credentials and bucket.
func (s *S3) open(ctx context.Context) error {
	there, err := s.core.BucketExists(ctx, s.config.Bucket)
	if _, answered := response(err); answered || err == nil && !there {
		// An answer to a HEAD has no body, so no reason: a clock that is wrong looks like wrong
		// keys, and keys that the server does not know like a bucket that it does not have.
		if reason := s.reason(ctx); reason != nil {
			return s.fail(ctx, "look for", "the bucket", reason)
		}
	}
	if err != nil {
		return s.fail(ctx, "look for", "the bucket", err)
	}
	if there {
		return nil
	}
	if !s.config.CreateBucket {
		return fmt.Errorf("object store: %s: the bucket is %w: create it, or name another one", s.config, ErrNotFound)
	}
	err = s.core.MakeBucket(ctx, s.config.Bucket, minio.MakeBucketOptions{Region: s.config.Region})
	if err == nil {
		return nil
	}
	// Another process may have been faster.
	if there, again := s.core.BucketExists(ctx, s.config.Bucket); again == nil && there {
		return nil
	}
	return s.fail(ctx, "create", "the bucket", err)
}

// reason is why the bucket cannot be used, nil where that is its absence, or no reason is given.
func (s *S3) reason(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()                                                                               // ends the listing
	o := <-s.core.Client.ListObjects(ctx, s.config.Bucket, minio.ListObjectsOptions{MaxKeys: 1}) // none in an empty one
	if r, answered := response(o.Err); answered && r.Code != "NoSuchBucket" {
		return o.Err
	}
	return nil
}

const (
	blobType = "application/octet-stream"
	nameType = "application/json"
)

// condition makes a PUT conditional.
type condition func(*minio.PutObjectOptions)

func ifAbsent(o *minio.PutObjectOptions) { o.SetMatchETagExcept("*") }

func ifVersion(v Version) condition {
	return func(o *minio.PutObjectOptions) { o.SetMatchETag(string(v)) }
}

func always(*minio.PutObjectOptions) {}

// put writes in one PUT, signed with the digest of the whole body, which the
// server checks; the default over plain HTTP, a body signed in chunks, is not
// taken by every server when it is empty. digest is in hex.
func (s *S3) put(ctx context.Context, c minio.Core, key, digest, contentType string, data []byte, when condition) (Version, error) {
	o := minio.PutObjectOptions{ContentType: contentType, DisableContentSha256: true, DisableMultipart: true}
	when(&o)
	var info minio.UploadInfo
	err := insist(ctx, noDirectory, func() (err error) {
		info, err = c.PutObject(ctx, s.config.Bucket, key, bytes.NewReader(data), int64(len(data)), "", digest, o)
		return err
	})
	if err == nil && info.ETag == "" {
		err = errNoETag
	}
	return Version(info.ETag), err
}

var errNoETag = errors.New("the answer has no ETag: is this an S3 server?")

func (s *S3) get(ctx context.Context, key string) (io.ReadCloser, minio.ObjectInfo, error) {
	body, info, _, err := s.core.GetObject(ctx, s.config.Bucket, key, minio.GetObjectOptions{})
	if err == nil && info.ETag == "" {
		_ = body.Close()
		err = errNoETag
	}
	return body, info, err
}

func (s *S3) read(ctx context.Context, key string) ([]byte, Version, error) {
	body, info, err := s.get(ctx, key)
	if err != nil {
		return nil, "", err
	}
	defer body.Close() // the error of interest is the reading's
	var b bytes.Buffer
	if info.Size > 0 && info.Size <= maxBlob {
		// The reader wants room to find the end in.
		b.Grow(int(info.Size) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(body); err != nil {
		return nil, "", err
	}
	return b.Bytes(), Version(info.ETag), nil
}

// sound reports whether a blob is there with all its bytes good.
func (s *S3) sound(ctx context.Context, key string, ref Ref, size int) (bool, error) {
	body, info, err := s.get(ctx, key)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, s.fail(ctx, "read back", "object "+string(ref), err)
	}
	defer body.Close() // the error of interest is the reading's
	if info.Size != int64(size) {
		return false, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return false, s.fail(ctx, "read back", "object "+string(ref), err)
	}
	return refOfSum(sum.Sum(nil)) == ref, nil
}

// Put implements Store. An object that is there already is read back; should
// its bytes be damaged, the good ones take their place.
func (s *S3) Put(ctx context.Context, data []byte) (Ref, error) {
	if err := checkSize(int64(len(data))); err != nil {
		return "", err
	}
	ref := RefOf(data)
	key, err := blobKey(ref)
	if err != nil {
		return "", err
	}
	if len(data) >= lookFirst {
		if sound, err := s.sound(ctx, key, ref, len(data)); sound || err != nil {
			return orNone(ref, err)
		}
	}
	digest := string(ref[len(refPrefix):])
	_, err = s.put(ctx, s.core, key, digest, blobType, data, ifAbsent)
	if err == nil {
		return ref, nil
	}
	// A server that refuses a write before it has read the body may close the
	// connection, and the refusal is lost: that is found out by looking, too.
	if !refused(err) && !cutOff(err) {
		return "", s.fail(ctx, "write", "object "+string(ref), err)
	}
	if sound, err := s.sound(ctx, key, ref, len(data)); sound || err != nil {
		return orNone(ref, err)
	}
	// Whoever else repairs it at the same time writes the same bytes.
	_, err = s.put(ctx, s.core, key, digest, blobType, data, always)
	return orNone(ref, s.fail(ctx, "repair", "object "+string(ref), err))
}

func orNone(ref Ref, err error) (Ref, error) {
	if err != nil {
		return "", err
	}
	return ref, nil
}

// checkSize refuses what one PUT cannot carry.
func checkSize(size int64) error {
	if size > maxBlob {
		return fmt.Errorf("object store: an object of %d bytes is larger than one PUT can carry (%d): store it in parts", size, int64(maxBlob))
	}
	return nil
}

// Get implements Store.
func (s *S3) Get(ctx context.Context, ref Ref) ([]byte, error) {
	key, err := blobKey(ref)
	if err != nil {
		return nil, err
	}
	data, _, err := s.read(ctx, key)
	if absent(err) {
		if back, restoreErr := s.restore(ctx, ref, key); restoreErr != nil {
			return nil, restoreErr
		} else if back {
			data, _, err = s.read(ctx, key)
		}
	}
	if err == nil && verify(ref, data) != nil { // perhaps only on its way
		data, _, err = s.read(ctx, key)
	}
	if err != nil {
		return nil, s.fail(ctx, "read", "object "+string(ref), err)
	}
	if err := verify(ref, data); err != nil {
		return nil, fmt.Errorf("object store: %s: %w", s.config, err)
	}
	return data, nil
}

// Has implements Store.
func (s *S3) Has(ctx context.Context, ref Ref) (bool, error) {
	key, err := blobKey(ref)
	if err != nil {
		return false, err
	}
	_, err = s.core.StatObject(ctx, s.config.Bucket, key, minio.StatObjectOptions{})
	if !absent(err) {
		return err == nil, s.fail(ctx, "look for", "object "+string(ref), err)
	}
	// An answer to HEAD has no body, so a bucket that is gone looks the same.
	there, err := s.core.BucketExists(ctx, s.config.Bucket)
	if err == nil && !there {
		err = minio.ErrorResponse{StatusCode: http.StatusNotFound, Code: "NoSuchBucket", Message: "the bucket does not exist"}
	}
	if err != nil {
		return false, s.fail(ctx, "look for", "object "+string(ref), err)
	}
	return s.restore(ctx, ref, key)
}

// SetName implements Store. Its request is sent once, unless the answer says that it
// was not carried out (noDirectory): had a first one been carried out and its answer
// lost, a second would be refused for the change that it made itself, and the winner
// told that it has lost.
func (s *S3) SetName(ctx context.Context, kind Kind, name string, value []byte, expect Version) (Version, error) {
	key, err := nameKey(kind, name)
	if err != nil {
		return "", err
	}
	if err := s.probe(ctx); err != nil {
		return "", err
	}
	when := ifAbsent
	if expect != "" {
		when = ifVersion(expect)
	}
	sealed := seal(key, value)
	sum := sha256.Sum256(sealed)
	version, err := s.put(ctx, s.once, key, hex.EncodeToString(sum[:]), nameType, sealed, when)
	// A name that was to be changed and is gone has changed.
	if refused(err) || expect != "" && absent(err) {
		return "", fmt.Errorf("object store: %s %q in %s: %w", kind, name, s.config, ErrConflict)
	}
	if err != nil && cutOff(err) {
		// The answer is lost. Where the name now holds another value at another
		// version, somebody else won; otherwise it stays open what happened.
		there, now, readErr := s.GetName(ctx, kind, name)
		if readErr == nil && now != expect && !bytes.Equal(there, value) || errors.Is(readErr, ErrNotFound) && expect != "" {
			return "", fmt.Errorf("object store: %s %q in %s: %w", kind, name, s.config, ErrConflict)
		}
	}
	if err != nil {
		return "", s.fail(ctx, "write", fmt.Sprintf("%s %q", kind, name), err)
	}
	return version, nil
}

// probe finds out, once before the first write of a name, whether the server
// honours conditions. One that ignores them would let writers undo each other's
// changes without a word.
func (s *S3) probe(ctx context.Context) (err error) {
	select {
	case s.probing <- struct{}{}:
		defer func() { <-s.probing }()
	case <-ctx.Done():
		return s.fail(ctx, "probe", "conditional writes", ctx.Err())
	}
	if len(s.honours) > 0 {
		return nil
	}
	key := "probes/" + strings.ToLower(rand.Text())
	sum := sha256.Sum256(nil)
	put := func(when condition) error {
		_, err := s.put(ctx, s.core, key, hex.EncodeToString(sum[:]), blobType, nil, when)
		return err
	}
	if err := put(always); err != nil {
		return s.fail(ctx, "probe", "conditional writes", err)
	}
	defer func() {
		if gone := s.core.RemoveObject(ctx, s.config.Bucket, key, minio.RemoveObjectOptions{}); err == nil && gone != nil && !absent(gone) {
			err = s.fail(ctx, "remove", key, gone)
		}
	}()
	for _, c := range []struct {
		header string
		when   condition
	}{{"If-None-Match", ifAbsent}, {"If-Match", ifVersion("00000000000000000000000000000000")}} {
		switch err := put(c.when); {
		case err == nil:
			return fmt.Errorf("object store: %s: %w: the server ignores %s, so that writers could undo each other's changes; use one that honours "+
				"conditional writes: AWS S3, MinIO, VersityGW", s.config, errors.ErrUnsupported, c.header)
		case !refused(err):
			return s.fail(ctx, "probe", "whether the server honours "+c.header, err)
		}
	}
	s.honours <- struct{}{}
	return nil
}

// GetName implements Store.
func (s *S3) GetName(ctx context.Context, kind Kind, name string) ([]byte, Version, error) {
	key, err := nameKey(kind, name)
	if err != nil {
		return nil, "", err
	}
	for attempt := 1; ; attempt++ {
		sealed, version, err := s.read(ctx, key)
		if err != nil {
			return nil, "", s.fail(ctx, "read", fmt.Sprintf("%s %q", kind, name), err)
		}
		value, err := unseal(key, sealed)
		if err == nil {
			return value, version, nil
		}
		if attempt == nameReads {
			return sealed, "", fmt.Errorf("object store: %s %q in %s: %w", kind, name, s.config, err)
		}
	}
}

// nameReads bounds the reads of a name whose value is damaged: it may have been on the
// way.
const nameReads = 3

// DeleteName implements Store.
func (s *S3) DeleteName(ctx context.Context, kind Kind, name string) error {
	key, err := nameKey(kind, name)
	if err != nil {
		return err
	}
	err = s.once.RemoveObject(ctx, s.config.Bucket, key, minio.RemoveObjectOptions{})
	if absent(err) {
		return nil
	}
	return s.fail(ctx, "delete", fmt.Sprintf("%s %q", kind, name), err)
}

// Names implements Store.
func (s *S3) Names(ctx context.Context, kind Kind, prefix string) ([]Entry, error) {
	if err := checkKind(kind); err != nil {
		return nil, err
	}
	listing, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing's goroutine on an early return
	base := namePrefix(kind)
	var out []Entry
	for o := range s.core.Client.ListObjects(listing, s.config.Bucket,
		minio.ListObjectsOptions{Prefix: base + escape(prefix), Recursive: true}) {
		if o.Err != nil {
			return nil, s.fail(ctx, "list", string(kind)+" names", o.Err)
		}
		name, err := unescape(strings.TrimPrefix(o.Key, base))
		if err != nil || name == "" {
			continue // not ours
		}
		out = append(out, Entry{name, o.LastModified})
	}
	if err := ctx.Err(); err != nil {
		return nil, s.fail(ctx, "list", string(kind)+" names", err)
	}
	sortEntries(out)
	return out, nil
}
