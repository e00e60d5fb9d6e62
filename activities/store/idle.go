package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// idleTimeout is how long a request may go without a byte (S3Config.IdleTimeout).
const idleTimeout = time.Minute

var errIdle = errors.New("the server fell silent")

// idleTransport gives up a request of which no byte has come or gone for a while:
// neither a connection, nor a part of what is sent, nor the answer's head, nor a part
// of its body. A server that stops half-way would hold whoever waits for it for ever.
// However long a request takes that gets on, it may take.
type idleTransport struct {
	next  http.RoundTripper
	limit time.Duration
}

// RoundTrip implements http.RoundTripper.
func (t *idleTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	w := &idleWatch{ctx: ctx, cancel: cancel, limit: t.limit}
	w.timer = time.AfterFunc(t.limit, func() { cancel(errIdle) })
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &sent{r.Body, w}
	}
	answer, err := t.next.RoundTrip(r)
	w.answered()
	if err != nil {
		err = w.explain(err)
		cancel(nil)
		return nil, err
	}
	answer.Body = &received{answer.Body, w}
	return answer, nil
}

// idleWatch watches one request.
type idleWatch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	limit  time.Duration

	mu    sync.Mutex
	timer *time.Timer
	head  bool // of the answer has come: what is still being sent does not count
}

func (w *idleWatch) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.head = true
	w.timer.Stop()
}

// explain puts silence for what the transport makes of it.
func (w *idleWatch) explain(err error) error {
	if err != nil && err != io.EOF && errors.Is(context.Cause(w.ctx), errIdle) {
		return fmt.Errorf("%w: no byte for %s", errIdle, w.limit)
	}
	return err
}

// sent is a request's body.
type sent struct {
	io.ReadCloser
	watch *idleWatch
}

func (b *sent) Read(p []byte) (int, error) {
	b.watch.mu.Lock()
	if !b.watch.head {
		b.watch.timer.Reset(b.watch.limit)
	}
	b.watch.mu.Unlock()
	return b.ReadCloser.Read(p)
}

// received is an answer's body: the clock runs while somebody waits for it.
type received struct {
	io.ReadCloser
	watch *idleWatch
}

func (b *received) Read(p []byte) (int, error) {
	b.watch.timer.Reset(b.watch.limit)
	n, err := b.ReadCloser.Read(p)
	b.watch.timer.Stop()
	return n, b.watch.explain(err)
}

func (b *received) Close() error {
	defer b.watch.cancel(nil)
	return b.ReadCloser.Close()
}
