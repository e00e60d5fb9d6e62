package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// checkEvery is how often what a worker needs is asked whether it answers, checkFor bounds
	// one question, and lately is how old the last answer may be.
	checkEvery = 10 * time.Second
	checkFor   = 5 * time.Second
	lately     = 30 * time.Second
)

// health says whether a worker takes work, and why not.
type health struct {
	mu     sync.Mutex
	phase  string // why it takes no work whatever answers, or ""
	checks []*check
}

// check is something that the worker needs.
type check struct {
	what     string
	ask      func(context.Context) error
	answered time.Time
	err      error
}

// Enter says that the worker takes no work for now, and why; "" that it does.
func (h *health) Enter(phase string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase = phase
}

// Needs has something asked from now on, until the context ends: nil is an answer.
func (h *health) Needs(ctx context.Context, what string, ask func(context.Context) error) {
	c := &check{what: what, ask: ask, err: errors.New("not asked yet")}
	h.mu.Lock()
	h.checks = append(h.checks, c)
	h.mu.Unlock()
	go func() {
		for {
			asked, cancel := context.WithTimeout(ctx, checkFor)
			err := c.ask(asked)
			cancel()
			h.mu.Lock()
			if c.err = err; err == nil {
				c.answered = time.Now()
			}
			h.mu.Unlock()
			select {
			case <-ctx.Done():
				return
			case <-time.After(checkEvery):
			}
		}
	}()
}

// unready says why the worker takes no work; "" where it does.
func (h *health) unready(now time.Time) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.phase != "" {
		return h.phase
	}
	var why []string
	for _, c := range h.checks {
		if now.Sub(c.answered) > lately {
			why = append(why, fmt.Sprintf("%s does not answer: %v", c.what, c.err))
		}
	}
	return strings.Join(why, "; ")
}

// Handler answers /metrics, /healthz (the process lives) and /readyz (it takes work: 200, or
// 503 with the reason).
func (m *Monitor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := m.unready(time.Now()); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	return mux
}

// Listen serves the Handler at an address until stop is called.
func (m *Monitor) Listen(address string) (stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w: another address can be said with --metrics", err)
	}
	s := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: checkFor, ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn)}
	m.log.Info("metrics and health are served", "address", l.Addr().String())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			m.log.Error("metrics and health are not served any more", "error", err)
		}
	}()
	return func() {
		_ = s.Close()
		<-ended
	}, nil
}
