package store

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
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
	// CAFile is a file with certificates of authorities, in PEM, that are trusted beside the system's;
	// "": none.
	CAFile string
	// CreateBucket makes the bucket where it does not exist.
	CreateBucket bool
	// OpenTimeout bounds the first contact in OpenS3; 0 means 10 s.
	OpenTimeout time.Duration
	// IdleTimeout is how long a request may go without a byte coming or going before it
	// is given up, to be tried again; 0 means a minute. A request is tried three times,
	// so that one of a server that stays silent ends after three minutes.
	IdleTimeout time.Duration
}

// String describes the configuration without its secrets.
func (c S3Config) String() string {
	return fmt.Sprintf("bucket %q at %s", c.Bucket, c.endpoint())
}

// endpoint is the endpoint without a password that somebody may have put there
// by mistake: what stands before an @ is nobody's business.
func (c S3Config) endpoint() string {
	if i := strings.LastIndexByte(c.Endpoint, '@'); i >= 0 {
		return "…" + c.Endpoint[i:]
	}
	return c.Endpoint
}

// GoString keeps %#v from printing the secrets.
func (c S3Config) GoString() string { return "store.S3Config{" + c.String() + "}" }

// Format keeps every other verb from printing them.
func (c S3Config) Format(f fmt.State, verb rune) { format(f, verb, c) }

// LogValue keeps the secrets out of logs.
func (c S3Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON keeps the secrets out of whatever encodes a configuration.
func (c S3Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Endpoint string `json:"endpoint"`
		Bucket   string `json:"bucket"`
		Region   string `json:"region"`
	}{c.endpoint(), c.Bucket, c.Region})
}

func format(f fmt.State, verb rune, v interface {
	fmt.Stringer
	fmt.GoStringer
}) {
	s := v.String()
	if verb == 'v' && f.Flag('#') {
		s = v.GoString()
	}
	// fmt.Formatter leaves no way to report a writer's error.
	_, _ = io.WriteString(f, s)
}

// parseEndpoint returns host:port and whether to use TLS.
func parseEndpoint(endpoint string, secure bool) (string, bool, error) {
	if endpoint == "" {
		return "", false, errors.New("object store: no endpoint is given: host:port, or a URL")
	}
	if !strings.Contains(endpoint, "://") {
		if strings.ContainsAny(endpoint, "/?#@ ") {
			return "", false, errors.New("object store: the endpoint is neither host:port nor a URL like http://host:port")
		}
		return endpoint, secure, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		// The URL is not quoted: it may hold a password.
		return "", false, errors.New("object store: the endpoint's URL must be http(s)://host:port and nothing more")
	}
	switch u.Scheme {
	case "http", "https":
		return u.Host, u.Scheme == "https", nil
	}
	return "", false, fmt.Errorf("object store: endpoint %q: the scheme must be http or https", endpoint)
}

// trust has a transport trust the authorities in CAFile too.
func (c S3Config) trust(transport *http.Transport) error {
	if c.CAFile == "" {
		return nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return fmt.Errorf("object store: certificate authorities: %w", err)
	}
	if transport.TLSClientConfig == nil {
		return fmt.Errorf("object store: %s: certificate authorities are given, and it has no TLS: leave them out, or say https://", c)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without any
	}
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("object store: %s holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", c.CAFile)
	}
	transport.TLSClientConfig.RootCAs = pool
	return nil
}

// lookup addresses buckets by path everywhere but on AWS: other servers seldom
// have a name for each bucket.
func lookup(host string) minio.BucketLookupType {
	if strings.HasSuffix(host, ".amazonaws.com") {
		return minio.BucketLookupAuto
	}
	return minio.BucketLookupPath
}

// credentials returns the keys given, or what the usual chain finds. Finding
// nothing is an error here: minio-go would go on without a signature.
func (c S3Config) credentials(ctx context.Context, transport http.RoundTripper) (*credentials.Credentials, error) {
	switch {
	case c.AccessKey != "" && c.SecretKey != "":
		return credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken), nil
	case c.AccessKey != "" || c.SecretKey != "":
		return nil, errors.New("object store: access key and secret key go together: give both, or neither to use AWS_ACCESS_KEY_ID and " +
			"AWS_SECRET_ACCESS_KEY, ~/.aws/credentials or the machine's role")
	}
	// Where no role is to be had, the metadata address answers to nobody.
	web := &http.Client{Transport: transport, Timeout: dialTimeout}
	chain := credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: web, Region: c.Region},
	})
	v, err := chain.GetWithContext(&credentials.CredContext{Client: web, Context: ctx})
	if err == nil && v.AccessKeyID == "" {
		err = errors.New("none found")
	}
	if err != nil {
		return nil, fmt.Errorf("object store: no credentials for %s: %w: %w; give access key and secret key, or set AWS_ACCESS_KEY_ID and "+
			"AWS_SECRET_ACCESS_KEY, ~/.aws/credentials or the machine's role", c, ErrDenied, err)
	}
	return chain, nil
}
