package deploy

import (
	"context"
	"io"
	"log/slog"
)

// Logger writes lines of the configured format and level, or the fallback's where none is set.
func (c *Config) Logger(w io.Writer, fallback slog.Level) *slog.Logger {
	level, _ := c.Level(fallback) // validated
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// twice drops the SDK's line of an attempt that failed: the worker's own says of which search and
// trial it was (worker/monitor).
type twice struct{ slog.Handler }

func (h twice) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "Activity error." {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h twice) WithAttrs(attrs []slog.Attr) slog.Handler { return twice{h.Handler.WithAttrs(attrs)} }

func (h twice) WithGroup(name string) slog.Handler { return twice{h.Handler.WithGroup(name)} }
