// Package monitor is what an operator sees of a worker: its metrics, its health, and the
// attributes by which its logs and traces name a search and its trials. Labels have few
// values: trainers that the worker serves, statuses, operations; never a search or a trial.
package monitor

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"tnaml/activities/disk"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/trainer"
)

// Options configures a Monitor; zero values are sensible.
type Options struct {
	// Version is the build's.
	Version string
	// Disks are directories whose file systems are watched, by what they are for: data, scratch.
	Disks map[string]string
	// Log is told of attempts that fail, and at the level debug of each trial; nil: nobody is.
	Log *slog.Logger
}

// Monitor watches one worker.
type Monitor struct {
	health
	log      *slog.Logger
	registry *prometheus.Registry
	searches *searches
	nights   func() nights // there once a night was judged here

	trials                                *prometheus.CounterVec
	trialSeconds, queueWait               *prometheus.HistogramVec
	running, slots                        *prometheus.GaugeVec
	storeSeconds                          *prometheus.HistogramVec
	storeErrors, storeObjects, storeBytes *prometheus.CounterVec

	mu     sync.Mutex
	serves map[string]bool // trainers
}

var (
	// trialBuckets and requestBuckets are in seconds: from a trial that is looked up to one of a
	// day; from a request on loopback to one that is given up.
	trialBuckets   = []float64{.01, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}
	requestBuckets = []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30, 100}
)

// nights is what came of the last night that this worker judged.
type nights struct{ worse, at prometheus.Gauge }

func (n nights) judged(worse bool) {
	n.worse.Set(map[bool]float64{true: 1}[worse])
	n.at.SetToCurrentTime()
}

// maxSeries bounds the series of one of the SDK's metrics: what is beyond is counted together.
const maxSeries = 500

// New returns a monitor of a worker that has yet to start.
func New(o Options) *Monitor {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return f.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Monitor{
		health: health{phase: "it starts"}, log: o.Log, registry: r, searches: newSearches(), serves: map[string]bool{},
		trials: counter("tnaml_trials_total", "Attempts at trials that have ended, by their outcomes' statuses or what kept them from one.",
			"trainer", "status"),
		trialSeconds: histogram("tnaml_trial_seconds", "Seconds of the trials that were run and have an outcome.", trialBuckets, "trainer"),
		queueWait: histogram("tnaml_trial_queue_wait_seconds", "Seconds from a trial's scheduling to its start, at its first attempt.",
			trialBuckets, "trainer"),
		running:      gauge("tnaml_trials_running", "Trials whose trainers run.", "trainer"),
		slots:        gauge("tnaml_slots", "Trials whose trainers run at once at the most.", "trainer"),
		storeSeconds: histogram("tnaml_store_seconds", "Seconds of the requests of the object store.", requestBuckets, "operation"),
		storeErrors: counter("tnaml_store_errors_total",
			"Requests of the object store that failed; what is not there or was changed meanwhile is no failure.", "operation"),
		storeObjects: counter("tnaml_store_objects_total", "Objects and names read from the store, or given to it, had or not.", "operation"),
		storeBytes:   counter("tnaml_store_bytes_total", "Bytes read from the store, or given to it, also what it had.", "operation"),
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "tnaml_search_progress_age_seconds",
		Help: "Seconds since the search that has stood still for longest, of those that this worker moves, learned; 0 where there is none."},
		func() float64 { return m.searches.age(time.Now()).Seconds() })
	m.nights = sync.OnceValue(func() nights {
		return nights{
			f.NewGauge(prometheus.GaugeOpts{Name: "tnaml_nightly_regression",
				Help: "Whether the last night that this worker judged was worse than the nights before."}),
			f.NewGauge(prometheus.GaugeOpts{Name: "tnaml_nightly_judged_timestamp_seconds",
				Help: "When this worker judged a night last: of several workers, the latest knows."}),
		}
	})
	gauge("tnaml_build_info", "The build that runs; always 1.", "version", "go").WithLabelValues(o.Version, runtime.Version()).Set(1)
	for kind, directory := range o.Disks {
		if _, err := disk.Free(directory); err != nil {
			o.Log.Warn("the free space of a directory is not known", "directory", directory, "error", err)
			continue
		}
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: "tnaml_disk_free_bytes", Help: "Bytes that are free to this worker where its files are.",
			ConstLabels: prometheus.Labels{"path_kind": kind}}, func() float64 {
			bytes, _ := disk.Free(directory) // 0 where it cannot be read any more
			return float64(bytes)
		})
	}
	for _, operation := range []string{"get", "put"} {
		m.storeErrors.WithLabelValues(operation)
		m.storeObjects.WithLabelValues(operation)
		m.storeBytes.WithLabelValues(operation)
		m.storeSeconds.WithLabelValues(operation)
	}
	return m
}

// SDK takes the metrics of the Temporal SDK itself, among them those of its requests, its
// pollers and its slots.
func (m *Monitor) SDK() (client.MetricsHandler, error) {
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(m.registry), otelprometheus.WithoutScopeInfo(),
		otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, err
	}
	seconds := metric.NewView(metric.Instrument{Kind: metric.InstrumentKindHistogram},
		metric.Stream{Aggregation: metric.AggregationExplicitBucketHistogram{Boundaries: requestBuckets, NoMinMax: true}})
	provider := metric.NewMeterProvider(metric.WithReader(exporter), metric.WithView(seconds), metric.WithCardinalityLimit(maxSeries),
		metric.WithExemplarFilter(exemplar.AlwaysOffFilter))
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: provider.Meter("temporal"), UseMonotonicCounters: true,
		OnError: func(err error) { m.log.Warn("a metric of Temporal's is not counted", "error", err) }}), nil
}

// Serves says which trainers the worker serves, each with its number of trials at once.
func (m *Monitor) Serves(slots map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, n := range slots {
		m.serves[name] = true
		m.slots.WithLabelValues(name).Set(float64(n))
		m.running.WithLabelValues(name)
		m.trialSeconds.WithLabelValues(name)
		m.queueWait.WithLabelValues(name)
		m.trials.WithLabelValues(name, string(trainer.OK))
	}
}

// other stands for what is not among the values that a label may have.
const other = "other"

// trainer is the label of a trainer: an input may name any.
func (m *Monitor) trainer(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.serves[name] {
		return name
	}
	return other
}

// Caches counts what is asked of caches, by their kinds. It is called once.
func (m *Monitor) Caches(tallies map[string]*memory.Tally) {
	f := promauto.With(m.registry)
	for kind, t := range tallies {
		count := func(name, help string, of func() int64) {
			f.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: prometheus.Labels{"kind": kind}},
				func() float64 { return float64(of()) })
		}
		count("tnaml_cache_hits_total", "What was asked of a cache and was there.", func() int64 { n, _ := t.Counts(); return n })
		count("tnaml_cache_misses_total", "What was asked of a cache and was not there.", func() int64 { _, n := t.Counts(); return n })
	}
}

// Store watches a store's requests.
func (m *Monitor) Store(s store.Store) store.Store {
	return store.Observed(s, func(ctx context.Context, operation string) (context.Context, func(int, int, error)) {
		began := time.Now()
		return ctx, func(objects, bytes int, err error) {
			m.storeSeconds.WithLabelValues(operation).Observe(time.Since(began).Seconds())
			m.storeObjects.WithLabelValues(operation).Add(float64(objects))
			m.storeBytes.WithLabelValues(operation).Add(float64(bytes))
			if store.Failed(err) {
				m.storeErrors.WithLabelValues(operation).Inc()
			}
		}
	})
}
