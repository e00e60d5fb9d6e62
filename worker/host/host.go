// Package host runs one worker process's share of the work: it registers the
// workflows and activities and serves them until its context ends.
package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/store"
	"tnaml/workflows"
)

// Options configures a worker; zero values are sensible.
type Options struct {
	// Namespace is the client's Temporal namespace; "" means "default".
	Namespace string
	// TaskQueue is where to listen; "" means workflows.TaskQueue.
	TaskQueue string
	// Slots is the number of trials at once; 0 means one for each core. Child
	// models are trained on one core each.
	Slots int
	// CacheBytes bounds the decoded tasks and modules in memory; 0 means 2 GiB.
	CacheBytes int64
	// Identity names this worker in Temporal and in the cost records; "" means
	// process@host.
	Identity string
	// StopTimeout is how long a stop waits for running trials to notice; they
	// start again elsewhere. 0 means 5 s.
	StopTimeout time.Duration
}

// Run serves until ctx ends, then stops cleanly and returns nil. It returns an
// error where the worker cannot start or cannot go on.
func Run(ctx context.Context, c client.Client, s store.Store, o Options) error {
	if o.Namespace == "" {
		o.Namespace = client.DefaultNamespace
	}
	if o.TaskQueue == "" {
		o.TaskQueue = workflows.TaskQueue
	}
	if o.Slots == 0 {
		o.Slots = runtime.NumCPU()
	}
	if o.Identity == "" {
		hostname, _ := os.Hostname()
		o.Identity = fmt.Sprintf("%d@%s", os.Getpid(), hostname)
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = 5 * time.Second
	}
	if err := EnsureSearchAttributes(ctx, c, o.Namespace); err != nil {
		return err
	}
	fatal := make(chan error, 1)
	eager := o.Slots
	w := worker.New(c, o.TaskQueue, worker.Options{
		Identity:                           o.Identity,
		MaxConcurrentActivityExecutionSize: o.Slots,
		MaxEagerActivityReservationsPerWorkflowTask: &eager,
		WorkerStopTimeout: o.StopTimeout,
		OnFatalError: func(err error) {
			select {
			case fatal <- err:
			default:
			}
		},
	})
	Register(w, activities.New(s, activities.Options{CacheBytes: o.CacheBytes, Worker: o.Identity}))
	if err := w.Start(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	defer w.Stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return fmt.Errorf("worker: %w", err)
	}
}

// Registry is what Register fills: a worker, a replayer, a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterActivity(a any)
}

// Register registers the workflows and activities under their names.
func Register(r Registry, a *activities.Activities) {
	r.RegisterWorkflowWithOptions(workflows.Search, workflow.RegisterOptions{Name: workflows.SearchWorkflow})
	for name, w := range map[string]any{
		workflows.PretrainWorkflow: workflows.Pretrain, workflows.TransferWorkflow: workflows.Transfer,
		workflows.ExperimentWorkflow: workflows.Experiment, workflows.BenchmarkWorkflow: workflows.Benchmark,
		workflows.CollectWorkflow: workflows.Collect,
	} {
		r.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name})
	}
	r.RegisterActivity(a)
}

// EnsureSearchAttributes registers the search attributes that the workflows
// set with a namespace that lacks them: a workflow that sets an unknown one
// cannot go on.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	there, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("search attributes of namespace %q: %w", namespace, err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	var names []string
	for _, key := range workflows.SearchAttributes() {
		if _, ok := there.GetCustomAttributes()[key.GetName()]; !ok {
			missing[key.GetName()] = key.GetValueType()
			names = append(names, key.GetName()+"="+key.GetValueType().String())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) {
		slices.Sort(names)
		return fmt.Errorf("namespace %q lacks search attributes and they cannot be added here; have an operator add %v: %w", namespace, names, err)
	}
	return nil
}
