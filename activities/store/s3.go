package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Config says where the bucket is and how to get in. It never prints its
// secrets.
type S3Config struct {
	// Endpoint is host:port, or a URL whose scheme overrides TLS.
	Endpoint string
	Bucket   string
	// Region may be empty where the server does not mind.
	Region string
	// AccessKey and SecretKey; empty ones mean the usual chain: AWS_* in the
	// environment, ~/.aws/credentials, the machine's role.
	AccessKey, SecretKey, SessionToken string
	TLS                                bool
	// CreateBucket makes the bucket where it does not exist.
	CreateBucket bool
}

// String describes the configuration without its secrets.
func (c S3Config) String() string {
	return fmt.Sprintf("bucket %q at %s", c.Bucket, c.Endpoint)
}

// GoString keeps %#v from printing the secrets.
func (c S3Config) GoString() string { return "store.S3Config{" + c.String() + "}" }

// LogValue keeps the secrets out of logs.
func (c S3Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON keeps the secrets out of whatever encodes a configuration.
func (c S3Config) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"endpoint":%q,"bucket":%q,"region":%q}`, c.Endpoint, c.Bucket, c.Region), nil
}

// S3 is a Store in a bucket of an S3-compatible server.
type S3 struct {
	core   minio.Core
	config S3Config
}

const (
	// maxAttempts is minio-go's own; Temporal retries activities, and the two
	// multiply.
	maxAttempts = 3
	dialTimeout = 5 * time.Second
	// maxBlob is S3's limit of one PUT. A conditional write cannot be a
	// multipart upload: minio-go sends the condition with its start and drops
	// it from its end.
	maxBlob = 5 << 30
)

// OpenS3 connects to a bucket and checks that it can be used.
func OpenS3(ctx context.Context, c S3Config) (*S3, error) {
	host, secure, err := parseEndpoint(c.Endpoint, c.TLS)
	if err != nil {
		return nil, err
	}
	if c.Bucket == "" {
		return nil, errors.New("object store: no bucket is named")
	}
	creds := credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken)
	if c.AccessKey == "" && c.SecretKey == "" {
		creds = credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		})
	}
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("object store %s: %w", c.Endpoint, err)
	}
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	transport.MaxIdleConnsPerHost = 64
	client, err := minio.New(host, &minio.Options{
		Creds: creds, Secure: secure, Region: c.Region, MaxRetries: maxAttempts,
		BucketLookup: lookup(host), Transport: transport,
	})
	if err != nil {
		return nil, fmt.Errorf("object store %s: %w", c.Endpoint, err)
	}
	s := &S3{core: minio.Core{Client: client}, config: c}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// lookup addresses buckets by path everywhere but on AWS: other servers seldom
// have a name for each bucket.
func lookup(host string) minio.BucketLookupType {
	if strings.HasSuffix(host, ".amazonaws.com") {
		return minio.BucketLookupAuto
	}
	return minio.BucketLookupPath
}

func parseEndpoint(endpoint string, secure bool) (string, bool, error) {
	if endpoint == "" {
		return "", false, errors.New("object store: no endpoint is given")
	}
	if !strings.Contains(endpoint, "://") {
		if strings.ContainsAny(endpoint, "/?#@ ") {
			return "", false, fmt.Errorf("object store: endpoint %q is neither host:port nor a URL", endpoint)
		}
		return endpoint, secure, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
		return "", false, errors.New("object store: the endpoint's URL must be http(s)://host:port and nothing more")
	}
	switch u.Scheme {
	case "http", "https":
		return u.Host, u.Scheme == "https", nil
	}
	return "", false, fmt.Errorf("object store: endpoint %q: the scheme must be http or https", endpoint)
}

// open checks address, credentials and bucket.
func (s *S3) open(ctx context.Context) error {
	exists, err := s.core.BucketExists(ctx, s.config.Bucket)
	if err != nil {
		return s.fail("look for", "the bucket", err)
	}
	if exists {
		return nil
	}
	if !s.config.CreateBucket {
		return fmt.Errorf("object store: %s: %w: create the bucket, or name another one", s.config, ErrNotFound)
	}
	err = s.core.MakeBucket(ctx, s.config.Bucket, minio.MakeBucketOptions{Region: s.config.Region})
	if code := minio.ToErrorResponse(err).Code; err != nil && code != "BucketAlreadyOwnedByYou" && code != "BucketAlreadyExists" {
		return s.fail("create", "the bucket", err)
	}
	return nil
}

// fail describes an error of the server and gives it its class.
func (s *S3) fail(verb, what string, err error) error {
	if err == nil {
		return nil
	}
	response := minio.ToErrorResponse(err)
	hint, class := "", error(nil)
	var network net.Error
	switch code := response.Code; {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case slices.Contains([]string{"NoSuchKey", "NoSuchObject", "NotFound"}, code):
		class = ErrNotFound
	case code == "NoSuchBucket":
		class = ErrNotFound
		hint = "; the bucket is gone"
	case slices.Contains([]string{"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken"}, code),
		response.StatusCode == http.StatusForbidden, response.StatusCode == http.StatusUnauthorized:
		class = ErrDenied
		hint = "; check access key, secret key and the bucket's policy"
	case response.StatusCode == http.StatusInsufficientStorage, strings.Contains(code, "StorageFull"), strings.Contains(code, "InsufficientStorage"),
		strings.Contains(err.Error(), "no space left"):
		hint = "; the server's disk is full: free some space, nothing was half-written"
	case errors.As(err, &network):
		hint = "; is the server running, and the endpoint right?"
	}
	if class != nil {
		return fmt.Errorf("object store: cannot %s %s in %s: %w (%w)%s", verb, what, s.config, class, err, hint)
	}
	return fmt.Errorf("object store: cannot %s %s in %s: %w%s", verb, what, s.config, err, hint)
}

// exists says that a conditional write found the key taken, or changed.
func exists(err error) bool {
	r := minio.ToErrorResponse(err)
	switch r.StatusCode {
	case http.StatusNotModified, http.StatusConflict, http.StatusPreconditionFailed:
		return true
	}
	return slices.Contains([]string{"PreconditionFailed", "ConditionalRequestConflict", "NotModified"}, r.Code)
}

func (s *S3) put(ctx context.Context, key string, data []byte, contentType string, condition func(*minio.PutObjectOptions)) (minio.UploadInfo, error) {
	// One PUT, signed with the digest of the whole body, which the server
	// checks; the default over plain HTTP, a body signed in chunks, is not
	// taken by every server when it is empty.
	o := minio.PutObjectOptions{ContentType: contentType, DisableContentSha256: true}
	if condition != nil {
		condition(&o)
	}
	sum := sha256.Sum256(data)
	return s.core.PutObject(ctx, s.config.Bucket, key, bytes.NewReader(data), int64(len(data)), "", hex.EncodeToString(sum[:]), o)
}

func ifAbsent(o *minio.PutObjectOptions) { o.SetMatchETagExcept("*") }

func (s *S3) get(ctx context.Context, key string) ([]byte, minio.ObjectInfo, error) {
	body, info, _, err := s.core.GetObject(ctx, s.config.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, info, err
	}
	defer body.Close() // the error of interest is the reading's
	var b bytes.Buffer
	if info.Size > 0 {
		b.Grow(int(info.Size))
	}
	_, err = io.Copy(&b, body)
	return b.Bytes(), info, err
}

// Put implements Store. An object that is there already is read back; should
// its bytes be damaged, the good ones take their place.
func (s *S3) Put(ctx context.Context, data []byte) (Ref, error) {
	if len(data) > maxBlob {
		return "", fmt.Errorf("object store: an object of %d bytes is larger than one PUT can be (%d)", len(data), int64(maxBlob))
	}
	ref := RefOf(data)
	key, err := blobKey(ref)
	if err != nil {
		return "", err
	}
	const contentType = "application/octet-stream"
	_, err = s.put(ctx, key, data, contentType, ifAbsent)
	if err == nil {
		return ref, nil
	}
	if !exists(err) {
		return "", s.fail("write", "object "+string(ref), err)
	}
	there, _, err := s.get(ctx, key)
	if err == nil && verify(ref, there) == nil {
		return ref, nil
	}
	if err != nil && !errors.Is(s.fail("read", key, err), ErrNotFound) {
		return "", s.fail("read back", "object "+string(ref), err)
	}
	if _, err := s.put(ctx, key, data, contentType, nil); err != nil {
		return "", s.fail("repair", "object "+string(ref), err)
	}
	return ref, nil
}

// Get implements Store.
func (s *S3) Get(ctx context.Context, ref Ref) ([]byte, error) {
	key, err := blobKey(ref)
	if err != nil {
		return nil, err
	}
	data, _, err := s.get(ctx, key)
	if err != nil {
		return nil, s.fail("read", "object "+string(ref), err)
	}
	return data, verify(ref, data)
}

// Has implements Store.
func (s *S3) Has(ctx context.Context, ref Ref) (bool, error) {
	key, err := blobKey(ref)
	if err != nil {
		return false, err
	}
	_, err = s.core.StatObject(ctx, s.config.Bucket, key, minio.StatObjectOptions{})
	if err = s.fail("look for", "object "+string(ref), err); errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// SetName implements Store.
func (s *S3) SetName(ctx context.Context, kind Kind, name string, value []byte, expect Version) (Version, error) {
	key, err := nameKey(kind, name)
	if err != nil {
		return "", err
	}
	condition := ifAbsent
	if expect != "" {
		condition = func(o *minio.PutObjectOptions) { o.SetMatchETag(string(expect)) }
	}
	info, err := s.put(ctx, key, value, "application/json", condition)
	if err == nil {
		return Version(info.ETag), nil
	}
	failure := s.fail("write", fmt.Sprintf("%s %q", kind, name), err)
	// A name that was to be changed and is gone has changed.
	if exists(err) || expect != "" && minio.ToErrorResponse(err).Code == "NoSuchKey" {
		return "", fmt.Errorf("%s %q: %w", kind, name, ErrConflict)
	}
	return "", failure
}

// GetName implements Store.
func (s *S3) GetName(ctx context.Context, kind Kind, name string) ([]byte, Version, error) {
	key, err := nameKey(kind, name)
	if err != nil {
		return nil, "", err
	}
	value, info, err := s.get(ctx, key)
	if err != nil {
		return nil, "", s.fail("read", fmt.Sprintf("%s %q", kind, name), err)
	}
	return value, Version(info.ETag), nil
}

// DeleteName implements Store.
func (s *S3) DeleteName(ctx context.Context, kind Kind, name string) error {
	key, err := nameKey(kind, name)
	if err != nil {
		return err
	}
	err = s.fail("delete", fmt.Sprintf("%s %q", kind, name), s.core.RemoveObject(ctx, s.config.Bucket, key, minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Names implements Store.
func (s *S3) Names(ctx context.Context, kind Kind, prefix string) ([]Entry, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing's goroutine on an early return
	base := namePrefix(kind)
	var out []Entry
	for o := range s.core.Client.ListObjects(ctx, s.config.Bucket, minio.ListObjectsOptions{Prefix: base + escape(prefix), Recursive: true}) {
		if o.Err != nil {
			return nil, s.fail("list", string(kind)+" names", o.Err)
		}
		name, err := unescape(strings.TrimPrefix(o.Key, base))
		if err != nil {
			continue // not ours
		}
		out = append(out, Entry{name, o.LastModified})
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sortEntries(out)
	return out, nil
}
