// Package download gets files over HTTP: resumed where a transfer broke off,
// tried again where that can help, checked while written, and whole under their
// name or not there at all.
package download

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/gofrs/flock"
	"golang.org/x/net/http/httpproxy"
)

// File says what to get.
type File struct {
	// Name is the file's in the directory and on a mirror.
	Name string
	// URLs serve the same bytes; they are tried in order.
	URLs []string
	// SHA256 is the digest in hexadecimal and Size the size in bytes; "" and 0:
	// not known.
	SHA256 string
	Size   int64
	// MaxSize bounds a file of unknown size; 0 means 2 GiB.
	MaxSize int64
}

// Client gets files into a directory. The zero value of each field but Dir is
// its default. A client may be used by several goroutines, and a directory by
// several processes.
type Client struct {
	// Dir holds the files. Beside <name> there may be <name>.part, a transfer that
	// broke off, with <name>.part.json, what it is part of; <name>.bad, the last
	// answer of a wrong digest; and <name>.lock.
	Dir string
	// Mirror is an address below which all files are by their names; it is tried
	// first. A password in it is used, and shown nowhere.
	Mirror string
	// HTTP makes the requests; nil means NewHTTP of this process's environment.
	HTTP *http.Client
	// Attempts is how often an address is tried without coming any further; 0
	// means 5. Between the attempts there are Backoff (0: 1 s), doubled each time
	// up to MaxBackoff (0: 30 s), or what the server asks for up to MaxWait (0: 2
	// minutes).
	Attempts                     int
	Backoff, MaxBackoff, MaxWait time.Duration
	// Stall is how long a server may send nothing; 0 means a minute.
	Stall time.Duration
	// Progress, where set, is told how it goes, of several files from several
	// goroutines.
	Progress func(Progress)
}

// Progress is the state of one file.
type Progress struct {
	File string
	// Done of Total bytes are there; Total is 0 where it is not known.
	Done, Total int64
	// Note says what is being waited for, or is empty.
	Note string
}

// Result is a file that is there.
type Result struct {
	Path   string
	SHA256 string
	Size   int64
	// URL is where it came from, empty where it was there already.
	URL string
}

// Causes of failures, for errors.Is.
var (
	// ErrDigest is a file of another digest or size than expected.
	ErrDigest = errors.New("not the file expected")
	// ErrWebPage is an address that answers with a web page.
	ErrWebPage = errors.New("the address answers with a web page, not with the file: it may have moved, or ask for a login or an agreement")
	// ErrTooLarge is a file above its bound.
	ErrTooLarge = errors.New("too large")
	// ErrNoAddress is a file that has no address and is not there.
	ErrNoAddress = errors.New("has no address and must be put there by hand")
)

// NewHTTP returns a client that takes the proxies of an environment (HTTP_PROXY,
// HTTPS_PROXY, NO_PROXY, also in small letters), as http.ProxyFromEnvironment
// does of the process's.
func NewHTTP(env func(string) string) *http.Client {
	get := func(name string) string {
		if v := env(name); v != "" {
			return v
		}
		return env(strings.ToLower(name))
	}
	proxy := (&httpproxy.Config{HTTPProxy: get("HTTP_PROXY"), HTTPSProxy: get("HTTPS_PROXY"), NoProxy: get("NO_PROXY")}).ProxyFunc()
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
	t.ResponseHeaderTimeout = time.Minute
	return &http.Client{Transport: t, CheckRedirect: redirect}
}

// errRedirect is a redirection that is not followed.
var errRedirect = errors.New("redirected")

// redirect follows redirections, but none that gives up encryption: the digest
// of many a file is not known.
func redirect(req *http.Request, via []*http.Request) error {
	switch last := via[len(via)-1].URL; {
	case len(via) >= 10:
		return fmt.Errorf("%w %d times", errRedirect, len(via))
	case last.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("%w from https to %s", errRedirect, req.URL.Scheme)
	}
	return nil
}

func (c *Client) tell(p Progress) {
	if c.Progress != nil {
		c.Progress(p)
	}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// limit is the largest size that the file may have.
func (f File) limit() int64 {
	if f.Size > 0 {
		return f.Size
	}
	return or(f.MaxSize, 2<<30)
}

func (f File) validate() error {
	if f.Name == "" || f.Name != filepath.Base(f.Name) || strings.ContainsAny(f.Name, `/\`) || strings.HasPrefix(f.Name, ".") {
		return fmt.Errorf("file name %q: give a plain name", f.Name)
	}
	if b, err := hex.DecodeString(f.SHA256); err != nil || len(b) != 0 && len(b) != 32 {
		return fmt.Errorf("%s: the SHA-256 %q is none", f.Name, f.SHA256)
	}
	return nil
}

// Has reports whether a file is there under its name, without looking into it.
func (c *Client) Has(f File) bool {
	_, err := os.Stat(filepath.Join(c.Dir, f.Name))
	return err == nil
}

// Get makes sure that a file is there, whole and right, and returns it. A file
// that is there already is checked and taken. A cancelled context leaves what
// has been transferred for the next time. The error tells what was wrong with
// each address.
func (c *Client) Get(ctx context.Context, f File) (Result, error) {
	if err := f.validate(); err != nil {
		return Result{}, err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return Result{}, err
	}
	path := filepath.Join(c.Dir, f.Name)
	// Another process may be at it; what it gets is ours too. The lock's file
	// stays: to remove it would let two processes hold locks of one name.
	lock := flock.New(path + ".lock")
	if locked, err := lock.TryLock(); err != nil {
		return Result{}, fmt.Errorf("locking %s: %w", lock.Path(), err)
	} else if !locked {
		c.tell(Progress{File: f.Name, Note: "another process is getting it"})
		if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
			return Result{}, fmt.Errorf("waiting for %s: %w", lock.Path(), err)
		}
	}
	defer lock.Unlock()
	urls := c.addresses(f)
	var failed []error
	r, err := check(path, f)
	switch {
	case err == nil:
		return r, nil
	case errors.Is(err, ErrDigest):
		if len(urls) == 0 {
			return Result{}, fmt.Errorf("%s: %w", path, err)
		}
		// Whatever it is, it is not ours to throw away.
		if err := os.Rename(path, path+".bad"); err != nil {
			return Result{}, err
		}
		failed = append(failed, fmt.Errorf("  %s: %w; set aside as %s.bad", path, err, f.Name))
	case !errors.Is(err, os.ErrNotExist):
		return Result{}, err
	case len(urls) == 0:
		return Result{}, fmt.Errorf("%s %w", path, ErrNoAddress)
	}
	for _, u := range urls {
		r, err := c.from(ctx, f, u, path)
		if err == nil {
			r.Path, r.URL = path, redacted(u)
			return r, nil
		}
		var local *localError
		if ctx.Err() != nil || errors.As(err, &local) {
			return Result{}, fmt.Errorf("%s: %w", f.Name, err)
		}
		failed = append(failed, fmt.Errorf("  %s: %w", redacted(u), err))
	}
	if len(f.URLs) == 0 {
		return Result{}, fmt.Errorf("%s %w; the mirror has it not:\n%w", path, ErrNoAddress, errors.Join(failed...))
	}
	return Result{}, fmt.Errorf("%s cannot be had:\n%w", f.Name, errors.Join(failed...))
}

// addresses are a file's, the mirror's first.
func (c *Client) addresses(f File) []string {
	if c.Mirror == "" {
		return f.URLs
	}
	return append([]string{strings.TrimSuffix(c.Mirror, "/") + "/" + url.PathEscape(f.Name)}, f.URLs...)
}

// redacted is an address without the password in it.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be parsed"
	}
	return u.Redacted()
}

// from gets a file from one address, with as many attempts as it takes.
func (c *Client) from(ctx context.Context, f File, address, path string) (Result, error) {
	wait := or(c.Backoff, time.Second)
	furthest := int64(-1)
	for failures := 0; ; {
		t := &transfer{client: c, file: f, address: address, path: path}
		r, err := t.run(ctx)
		if err == nil {
			return r, nil
		}
		var again *retryError
		if ctx.Err() != nil || !errors.As(err, &again) {
			return Result{}, err
		}
		// A large file over a poor line takes many attempts; they only count as
		// failures where they come no further.
		if failures++; t.done > furthest && furthest >= 0 && t.resumed {
			failures, wait = 1, or(c.Backoff, time.Second)
		}
		furthest = max(furthest, t.done)
		attempts := or(c.Attempts, 5)
		if again.unreached {
			attempts = min(attempts, 2)
		}
		if failures >= attempts {
			return Result{}, fmt.Errorf("%w (tried %d times)", again.err, failures)
		}
		pause := wait
		if again.after > 0 {
			if most := or(c.MaxWait, 2*time.Minute); again.after > most {
				return Result{}, fmt.Errorf("%w; the server asks to come back in %s", again.err, again.after)
			}
			pause = max(pause, again.after)
		}
		c.tell(Progress{File: f.Name, Done: t.done, Total: t.total,
			Note: fmt.Sprintf("again in %s: %v", pause.Round(time.Millisecond), again.err)})
		select {
		case <-ctx.Done():
			return Result{}, ctx.Err()
		case <-time.After(pause):
		}
		wait = min(2*wait, or(c.MaxBackoff, 30*time.Second))
	}
}

// size is a number of bytes for people.
func size(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

// retryError is a failure that another attempt may not have.
type retryError struct {
	err   error
	after time.Duration
	// unreached says that no connection was made: most such servers are gone for
	// good, and there may be a mirror.
	unreached bool
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// localError is a failure of this machine, which no other address mends.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }
