package download

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tellEvery bounds how often progress is told.
const tellEvery = 100 * time.Millisecond

// partRecord says what a .part is part of; its address has no password in it.
type partRecord struct {
	URL          string `json:"url"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

// validator is what If-Range takes: a strong entity tag, else the time of the
// last change; empty: a transfer cannot be resumed.
func (p partRecord) validator() string {
	if p.ETag != "" && !strings.HasPrefix(p.ETag, "W/") {
		return p.ETag
	}
	return p.LastModified
}

// transfer is one attempt at one address.
type transfer struct {
	client        *Client
	file          File
	address, path string
	// done bytes of total are in the .part; resumed says that some were there
	// before.
	done, total int64
	resumed     bool
}

func (t *transfer) part() string   { return t.path + ".part" }
func (t *transfer) record() string { return t.path + ".part.json" }

// forget removes what has been transferred.
func (t *transfer) forget() {
	_ = os.Remove(t.part())
	_ = os.Remove(t.record())
}

// leftover returns the size and the record of a .part of this address that can
// be resumed.
func (t *transfer) leftover() (int64, partRecord) {
	var p partRecord
	b, err := os.ReadFile(t.record())
	if err != nil || json.Unmarshal(b, &p) != nil || p.URL != redacted(t.address) || p.validator() == "" {
		return 0, partRecord{}
	}
	info, err := os.Stat(t.part())
	if err != nil || info.Size() > t.file.limit() {
		return 0, partRecord{}
	}
	return info.Size(), p
}

// run makes one request, and all that follows from its answer.
func (t *transfer) run(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.address, nil)
	if err != nil {
		return Result{}, withoutAddress(err)
	}
	req.Header.Set("User-Agent", "tnaml")
	// The bytes are wanted as they are: a compression on the way would make
	// offsets and digests meaningless.
	req.Header.Set("Accept-Encoding", "identity")
	have, old := t.leftover()
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		req.Header.Set("If-Range", old.validator())
	}
	client := t.client.HTTP
	if client == nil {
		client = NewHTTP(os.Getenv)
	}
	stall := or(t.client.Stall, time.Minute)
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("the server sent nothing for %s", stall)) })
	defer watch.Stop()
	resp, err := client.Do(req)
	if err != nil {
		return Result{}, t.network(ctx, err)
	}
	defer resp.Body.Close()
	fresh := partRecord{URL: redacted(t.address), ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified")}
	switch {
	case resp.StatusCode == http.StatusPartialContent && have > 0:
		start, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || start != have || fresh.ETag != "" && fresh.ETag != old.ETag {
			t.forget()
			return Result{}, &retryError{err: errors.New("the server resumed at another place, or another file; starting anew")}
		}
		t.resumed, t.total = true, total
	case resp.StatusCode == http.StatusOK:
		have = 0
		t.total = max(resp.ContentLength, 0)
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		// Nothing is missing where the last transfer broke off after its last byte.
		if total := unsatisfied(resp.Header.Get("Content-Range")); have > 0 && total == have && (fresh.ETag == "" || fresh.ETag == old.ETag) {
			t.resumed, t.total = true, total
			watch.Stop()
			return t.receive(ctx, http.NoBody, have, old, func() {})
		}
		t.forget()
		return Result{}, &retryError{err: errors.New("the file has become shorter; starting anew")}
	default:
		return Result{}, status(resp)
	}
	body := bufio.NewReaderSize(resp.Body, 512)
	head, _ := body.Peek(512) // an error shows again when it is read
	if err := t.checkAnswer(resp, have, head); err != nil {
		return Result{}, err
	}
	watch.Stop() // while what is there is hashed, nothing is read of the server
	return t.receive(ctx, body, have, fresh, func() { watch.Reset(stall) })
}

// checkAnswer refuses an answer by its header and its first bytes, which are the
// file's from offset have on.
func (t *transfer) checkAnswer(resp *http.Response, have int64, head []byte) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind == "text/html" || kind == "application/xhtml+xml" || have == 0 && strings.HasPrefix(http.DetectContentType(head), "text/html") {
		return ErrWebPage
	}
	f := t.file
	if f.Size > 0 && t.total > 0 && t.total != f.Size {
		return fmt.Errorf("%w: it has %d bytes instead of %d", ErrDigest, t.total, f.Size)
	}
	if t.total > f.limit() {
		return fmt.Errorf("%w: %s, at most %s are taken", ErrTooLarge, size(t.total), size(f.limit()))
	}
	return nil
}

// receive writes the body to the .part, from offset have on, and makes the
// file of it where it is whole and right.
func (t *transfer) receive(ctx context.Context, body io.Reader, have int64, record partRecord, alive func()) (Result, error) {
	digest := sha256.New()
	out, err := t.open(have, record, digest)
	if err != nil {
		return Result{}, &localError{err}
	}
	defer out.Close()
	alive()
	t.done = have
	buffer := make([]byte, 256<<10)
	told := time.Time{}
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			alive()
			if t.done+int64(n) > t.file.limit() {
				t.forget()
				return Result{}, fmt.Errorf("%w: more than %s", ErrTooLarge, size(t.file.limit()))
			}
			if _, err := out.Write(buffer[:n]); err != nil {
				return Result{}, t.disk(err)
			}
			digest.Write(buffer[:n])
			t.done += int64(n)
			if now := time.Now(); now.Sub(told) >= tellEvery {
				told = now
				t.client.tell(Progress{File: t.file.Name, Done: t.done, Total: t.total})
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return Result{}, t.network(ctx, err)
		}
	}
	t.client.tell(Progress{File: t.file.Name, Done: t.done, Total: t.done})
	if t.total > 0 && t.done != t.total {
		return Result{}, &retryError{err: fmt.Errorf("%d of %d bytes came", t.done, t.total)}
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return Result{}, t.disk(err)
	}
	r := Result{SHA256: hex.EncodeToString(digest.Sum(nil)), Size: t.done}
	if err := t.file.matches(r); err != nil {
		if t.resumed { // two states of the file may have been put together
			t.forget()
			return Result{}, &retryError{err: err}
		}
		// Kept, the last one only: a person may want to see what the address
		// serves now.
		_ = os.Remove(t.record())
		if os.Rename(t.part(), t.path+".bad") == nil {
			err = fmt.Errorf("%w; it is kept as %s.bad", err, t.path)
		}
		return Result{}, err
	}
	if err := os.Rename(t.part(), t.path); err != nil {
		return Result{}, &localError{err}
	}
	_ = os.Remove(t.record())
	return r, nil
}

// open opens the .part: at its end, what is there hashed, or empty, its record
// written first.
func (t *transfer) open(have int64, record partRecord, digest hash.Hash) (*os.File, error) {
	if have > 0 {
		out, err := os.OpenFile(t.part(), os.O_RDWR, 0o644)
		if err != nil {
			return nil, err
		}
		n, err := io.Copy(digest, out)
		if err == nil && n != have {
			err = fmt.Errorf("%s has changed meanwhile", t.part())
		}
		if err != nil {
			return nil, errors.Join(err, out.Close())
		}
		return out, nil
	}
	b, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	// The .part goes before its record changes: a crash between the two must not
	// leave old bytes with a new record.
	if err := os.Remove(t.part()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := os.WriteFile(t.record(), b, 0o644); err != nil {
		return nil, err
	}
	return os.OpenFile(t.part(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
}

// disk is a failure to write.
func (t *transfer) disk(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		need := ""
		if t.total > 0 {
			need = fmt.Sprintf(", %s more are needed", size(t.total-t.done))
		}
		err = fmt.Errorf("%w%s; make room, or choose another directory", err, need)
	}
	return &localError{err}
}

// network is a failure of the connection: worth another attempt, unless the name
// does not exist, the certificate is not trusted, a redirection is not followed,
// or nobody waits any more.
func (t *transfer) network(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
			return cause
		}
		return &retryError{err: cause}
	}
	err = withoutAddress(err)
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	if errors.As(err, &dns) && dns.IsNotFound || errors.As(err, &cert) || errors.Is(err, errRedirect) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the connection broke off after %d bytes", t.done)
	}
	var op *net.OpError
	return &retryError{err: err, unreached: errors.As(err, &op) && op.Op == "dial"}
}

// withoutAddress is an error without the address, which the caller names.
func withoutAddress(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}

// status is an answer that is no file.
func status(resp *http.Response) error {
	err := errors.New(resp.Status)
	switch code := resp.StatusCode; {
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return &retryError{err: err, after: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
	return err
}

// retryAfter parses the header of that name: seconds, or a time.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 1<<20 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// contentRange parses "bytes 5-9/10"; total is 0 where it is "*".
func contentRange(s string) (start, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, all, ok1 := strings.Cut(s, "/")
	from, _, ok2 := strings.Cut(span, "-")
	start, err := strconv.ParseInt(from, 10, 64)
	if !ok || !ok1 || !ok2 || err != nil || start < 0 {
		return 0, 0, false
	}
	if all != "*" {
		if total, err = strconv.ParseInt(all, 10, 64); err != nil || total < start {
			return 0, 0, false
		}
	}
	return start, total, true
}

// unsatisfied parses "bytes */10", the size of a file that has nothing at the
// place asked for; 0 where it says none.
func unsatisfied(s string) int64 {
	all, ok := strings.CutPrefix(s, "bytes */")
	total, err := strconv.ParseInt(all, 10, 64)
	if !ok || err != nil || total < 0 {
		return 0
	}
	return total
}

// matches compares what came with what was expected.
func (f File) matches(r Result) error {
	switch {
	case f.Size > 0 && r.Size != f.Size:
		return fmt.Errorf("%w: it has %d bytes instead of %d", ErrDigest, r.Size, f.Size)
	case f.SHA256 != "" && r.SHA256 != f.SHA256:
		return fmt.Errorf("%w: its SHA-256 is %s instead of %s", ErrDigest, r.SHA256, f.SHA256)
	case r.Size == 0:
		return fmt.Errorf("%w: it is empty", ErrDigest)
	}
	return nil
}

// check hashes a file that is there and compares it with what is expected.
func check(path string, f File) (Result, error) {
	in, err := os.Open(path)
	if err != nil {
		return Result{}, err
	}
	defer in.Close()
	digest := sha256.New()
	n, err := io.Copy(digest, in)
	if err != nil {
		return Result{}, err
	}
	r := Result{Path: path, SHA256: hex.EncodeToString(digest.Sum(nil)), Size: n}
	return r, f.matches(r)
}
