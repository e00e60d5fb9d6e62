package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	"tnaml/activities/store"
	"tnaml/deploy/stack"
)

// Servers are open connections.
type Servers struct {
	Client    client.Client
	Namespace string
	Store     store.Store
	// UI is the address of Temporal's web UI, where it is known.
	UI string

	traces *traces // or nil
}

// Close closes the connections.
func (s *Servers) Close() {
	s.Client.Close()
	if s.traces != nil {
		s.traces.close()
	}
}

// ErrNoServers says that no servers are configured and no dev stack runs.
var ErrNoServers = errors.New("no Temporal server is configured, and no dev stack is running")

// Target is where a configuration leads: a Temporal server, and a bucket.
type Target struct {
	Temporal client.Options
	S3       store.S3Config
	// UI is the address of Temporal's web UI, where it is known.
	UI string
}

// Target finds the configured servers, or the dev stack that runs on the data
// directory, and connects to none.
func (c *Config) Target() (*Target, error) {
	options, err := c.temporalOptions()
	if err != nil {
		return nil, err
	}
	if options.HostPort == "" {
		if c.S3.Endpoint != "" {
			return nil, errors.New("an S3 server is configured, but no Temporal server: set TNAML_TEMPORAL_ADDRESS too")
		}
		a, err := stack.Attach(c.DataDir)
		if errors.Is(err, stack.ErrNotRunning) {
			return nil, fmt.Errorf("%w on %s: start one with `starter up`, or name a server with TNAML_TEMPORAL_ADDRESS", ErrNoServers,
				c.DataDir)
		}
		if err != nil {
			return nil, err
		}
		if own := c.Temporal.Namespace; own != "" && own != a.Namespace {
			return nil, fmt.Errorf("temporal.namespace is %q, and the dev stack has %q alone: leave it out, or name a server with "+
				"TNAML_TEMPORAL_ADDRESS", own, a.Namespace)
		}
		return c.stackTarget(*a), nil
	}
	// A name and a password in it would be told wherever the address is.
	if strings.ContainsRune(options.HostPort, '@') || strings.HasPrefix(options.HostPort, "http://") ||
		strings.HasPrefix(options.HostPort, "https://") {
		return nil, fmt.Errorf("temporal.address is %s: it must be host:port and nothing more; keys and TLS are set by "+
			"TEMPORAL_API_KEY and TEMPORAL_TLS", unnamed(options.HostPort))
	}
	if c.S3.Endpoint == "" {
		return nil, errors.New("a Temporal server is configured, but no S3 server: set TNAML_S3_ENDPOINT too")
	}
	return &Target{Temporal: options, S3: store.S3Config{
		Endpoint: c.S3.Endpoint, Bucket: c.S3.Bucket, Region: c.S3.Region, TLS: c.S3.TLS, CAFile: c.S3.CAFile,
		AccessKey: c.S3.AccessKey, SecretKey: c.S3.SecretKey, SessionToken: c.S3.SessionToken, IdleTimeout: c.S3.idle(),
	}}, nil
}

// Connect connects to the configured servers, or to the dev stack that runs on
// the data directory.
func (c *Config) Connect(ctx context.Context, logger *slog.Logger) (*Servers, error) {
	t, err := c.Target()
	if err != nil {
		return nil, err
	}
	return c.connect(ctx, t, logger)
}

func (s S3) idle() time.Duration { return time.Duration(s.IdleSeconds) * time.Second }

// External reports whether servers are configured, so that no dev stack is
// wanted.
func (c *Config) External() (bool, error) {
	options, err := c.temporalOptions()
	return options.HostPort != "", err
}

// ConnectStack connects to a dev stack.
func (c *Config) ConnectStack(ctx context.Context, a stack.Addresses, logger *slog.Logger) (*Servers, error) {
	return c.connect(ctx, c.stackTarget(a), logger)
}

func (c *Config) stackTarget(a stack.Addresses) *Target {
	return &Target{client.Options{HostPort: a.Temporal, Namespace: a.Namespace}, store.S3Config{
		Endpoint: a.S3Endpoint, Bucket: c.S3.Bucket, Region: a.S3Region,
		AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey, CreateBucket: true, IdleTimeout: c.S3.idle(),
	}, a.UI}
}

// temporalProfile is what the SDK's convention gives: TEMPORAL_* over a profile of its file.
func (c *Config) temporalProfile() (envconfig.ClientConfigProfile, error) {
	p, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{ConfigFileProfile: c.Temporal.Profile,
		EnvLookup: environment(c.environ())})
	if err != nil {
		err = fmt.Errorf("temporal configuration: %w", err)
	}
	return p, err
}

// temporalOptions follows the SDK's convention, ours on top. HostPort is empty
// where nothing names a server.
func (c *Config) temporalOptions() (client.Options, error) {
	profile, err := c.temporalProfile()
	if err != nil {
		return client.Options{}, err
	}
	options, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return options, fmt.Errorf("temporal configuration: %w", err)
	}
	if c.Temporal.Address != "" {
		options.HostPort = c.Temporal.Address
	}
	if c.Temporal.Namespace != "" {
		options.Namespace = c.Temporal.Namespace
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	return options, nil
}

// environment is a process's environment as the SDK asks for it.
type environment []string

func (e environment) Environ() []string { return e }

func (e environment) LookupEnv(name string) (string, bool) { return lookup(e, name) }

// dialTimeout bounds the wait for a Temporal server.
const dialTimeout = 10 * time.Second

// namespaceThere refuses a namespace that the server has not; one that may not be asked for is
// left to show.
func namespaceThere(ctx context.Context, c client.Client, options client.Options) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: options.Namespace})
	if errors.As(err, new(*serviceerror.NamespaceNotFound)) {
		return fmt.Errorf("the Temporal server at %s has no namespace %q: make it with `starter setup`, or name another with "+
			"TNAML_TEMPORAL_NAMESPACE", options.HostPort, options.Namespace)
	}
	return nil
}

// Dial connects to the Temporal server, whether it has the namespace or not.
func (t *Target) Dial(ctx context.Context, logger *slog.Logger) (client.Client, error) {
	return dial(ctx, t.Temporal, logger)
}

func dial(ctx context.Context, options client.Options, logger *slog.Logger) (client.Client, error) {
	if logger != nil {
		options.Logger = sdklog.NewStructuredLogger(slog.New(twice{logger.Handler()}))
	}
	if local(options.HostPort) {
		options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("no Temporal server answers at %s: %w; %s", options.HostPort, err, wayIn(err, options))
	}
	return c, nil
}

// Loopback says that a host, by name or number, is this machine itself.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// local says that an address is this machine's own, where to compress requests, as the SDK does,
// costs more than it saves.
func local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && Loopback(host)
}

// wayIn says what may be missing where a server does not let in. What TLS says comes as text: gRPC keeps
// no errors of others.
func wayIn(err error, options client.Options) string {
	says := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(err.Error(), text) })
	}
	secure := options.ConnectionOptions.TLS != nil
	switch {
	case errors.As(err, new(*serviceerror.PermissionDenied)), says("Unauthenticated", "unauthorized"):
		return "check the API key in TEMPORAL_API_KEY, or the client certificate, and what it may do"
	case says("signed by unknown authority"):
		return "to trust the server's certificate name its authority's PEM file in TEMPORAL_TLS_SERVER_CA_CERT_PATH"
	case says("certificate is valid for", "not valid for any names", "cannot validate certificate", "IP SANs"):
		return "say the name that is on the server's certificate in TEMPORAL_TLS_SERVER_NAME"
	case says("has expired or is not yet valid"):
		return "the server's certificate is out of its time: have it renewed, or set this machine's clock"
	case says("tls: expired certificate"):
		return "renew the client certificate in TEMPORAL_TLS_CLIENT_CERT_PATH: the server says that it is out of its time"
	case says("first record does not look like a TLS handshake"):
		return "it does not speak TLS: set TEMPORAL_TLS=false, or leave out TEMPORAL_TLS_* and TEMPORAL_API_KEY"
	case says("server preface", "broken pipe", "connection reset", "tls: ") && !secure:
		return "if it wants TLS, set TEMPORAL_TLS=true, or TEMPORAL_TLS_* as deploy/README.md has them"
	case says("server preface", "broken pipe", "connection reset", "tls: "):
		return "if it wants a client certificate, name it in TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH; check that its " +
			"authority is one that the server trusts"
	}
	return "is it running, and the address right?"
}

func (c *Config) connect(ctx context.Context, to *Target, logger *slog.Logger) (_ *Servers, err error) {
	options := to.Temporal
	options.MetricsHandler = c.Measure
	t, err := c.traces(ctx, logger)
	if err != nil {
		return nil, err
	}
	if t != nil {
		defer func() {
			if err != nil {
				t.close()
			}
		}()
		if err := t.attach(&options); err != nil {
			return nil, err
		}
	}
	temporal, err := dial(ctx, options, logger)
	if err != nil {
		return nil, err
	}
	servers := &Servers{Client: temporal, Namespace: options.Namespace, UI: to.UI, traces: t}
	if err := namespaceThere(ctx, temporal, options); err != nil {
		temporal.Close()
		return nil, err
	}
	if servers.Store, err = store.OpenS3(ctx, to.S3); err != nil {
		temporal.Close()
		return nil, err
	}
	if t != nil {
		servers.Store = t.store(servers.Store)
	}
	return servers, nil
}
