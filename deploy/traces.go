package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"tnaml/activities/store"
)

// traces send spans by OTLP over HTTP, as OpenTelemetry's own variables say; nil: they do not ask
// for any, and nothing is started.
type traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// flushTimeout bounds the sending of the last spans.
const flushTimeout = 5 * time.Second

func (c *Config) traces(ctx context.Context, log *slog.Logger) (*traces, error) {
	get := func(name string) string { v, _ := lookup(c.environ(), name); return v }
	if get("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" || get("OTEL_SDK_DISABLED") == "true" ||
		get("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := get(name); p != "" && p != "http/protobuf" {
			return nil, fmt.Errorf("traces: %s is %s: here it must be http/protobuf", name, p)
		}
	}
	exporter, err := otlptracehttp.New(ctx) // which reads its variables itself
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	what, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "tnaml-"+filepath.Base(os.Args[0]))),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("traces: %w", err)
	}
	if log != nil {
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("spans are not sent", "error", err) }))
	}
	t := &traces{provider: sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(what))}
	t.tracer = t.provider.Tracer("tnaml")
	return t, nil
}

// attach has a client's calls traced, and, through the client, its workers' workflows and
// activities. Queries are not: who follows a search asks several a second.
func (t *traces) attach(o *client.Options) error {
	i, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{Tracer: t.tracer, DisableQueryTracing: true,
		DisableBaggage: true, AllowInvalidParentSpans: true})
	if err != nil {
		return fmt.Errorf("traces: %w", err)
	}
	o.Interceptors = append(o.Interceptors, i)
	return nil
}

// store has a store's requests traced that are part of something.
func (t *traces) store(s store.Store) store.Store {
	return store.Observed(s, func(ctx context.Context, operation string) (context.Context, func(int, int, error)) {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			return ctx, func(int, int, error) {}
		}
		ctx, span := t.tracer.Start(ctx, "store "+operation, trace.WithSpanKind(trace.SpanKindClient))
		return ctx, func(objects, bytes int, err error) {
			span.SetAttributes(attribute.Int("objects", objects), attribute.Int("bytes", bytes))
			if store.Failed(err) {
				span.SetStatus(codes.Error, err.Error())
			}
			span.End()
		}
	})
}

// close sends what is left.
func (t *traces) close() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}
