package deploy

import (
	"context"
	"log/slog"
	"strings"

	"tnaml/activities"
)

// expected drops what the SDK reports as an error and is none: a trial that a
// stopping worker gives back. It starts again elsewhere, which is the plan.
type expected struct{ slog.Handler }

func (h expected) Handle(ctx context.Context, r slog.Record) error {
	drop := false
	r.Attrs(func(a slog.Attr) bool {
		drop = a.Key == "Error" && strings.Contains(a.Value.String(), activities.Stopping)
		return !drop
	})
	if drop {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h expected) WithAttrs(attrs []slog.Attr) slog.Handler {
	return expected{h.Handler.WithAttrs(attrs)}
}

func (h expected) WithGroup(name string) slog.Handler { return expected{h.Handler.WithGroup(name)} }
