// Package host runs one worker process's share of the work: it registers the
// workflows and activities and serves them until its context ends.
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/activities/trainers/command"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/worker/monitor"
	"tnaml/workflows"
)

// Options configures a worker; zero values are sensible.
type Options struct {
	// Namespace is the client's Temporal namespace; "" means "default".
	Namespace string
	// TaskQueue is where to listen; "" means workflows.TaskQueue. What is short, and
	// the trials of other trainers than the built-in one, have queues beside it
	// (workflows.LightQueue, workflows.TrainerQueue).
	TaskQueue string
	// Slots is the number of trials at once of a trainer that has no number of its
	// own; 0 means one for each core. Models are trained on one core each.
	Slots int
	// Serve names the trainers to serve, each with its number of trials at once, 0
	// for the default; nil means all that the worker has.
	Serve map[string]int
	// Trainers are brought besides the built-in ones, or in the place of one of the
	// same name.
	Trainers []trainer.Trainer
	// Commands are the programs that the worker runs as trainers, in directories below
	// Directory.
	Commands  []command.Config
	Directory string
	// CacheBytes bounds the decoded tasks and modules in memory; 0 means 2 GiB.
	CacheBytes int64
	// DiskCache is a directory for the objects that the worker reads, of at most
	// DiskCacheBytes; 0: none.
	DiskCache      string
	DiskCacheBytes int64
	// Log is told what befalls the worker; nil: nobody is.
	Log *slog.Logger
	// Identity names this worker in Temporal and in the cost records; "" means
	// process@host.
	Identity string
	// Drain is how long a stop lets trials come to their ends before it gives them back; those
	// of programs that have a checkpoint it gives back at once.
	Drain time.Duration
	// StopTimeout is how long a stop waits for those that are given back to notice; they
	// start again elsewhere. 0 means 5 s. Programs have their grace beside it, and the time of their
	// last save.
	StopTimeout time.Duration
	// Deployment is the worker's version among those of its deployment; zero: it has none.
	Deployment worker.WorkerDeploymentVersion
	// Monitor watches the worker; nil: nobody does.
	Monitor *monitor.Monitor
	// Serves is called once the worker takes work; nil: nobody is told.
	Serves func()

	slots map[string]int // of the programs that have a number of their own
}

// lightSlots is the number of short activities at once.
const lightSlots = 8

func (o Options) withDefaults() Options {
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
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = 5 * time.Second
	}
	return o
}

// Run serves until ctx ends, then stops cleanly and returns nil. It returns an
// error where the worker cannot start or cannot go on.
func Run(ctx context.Context, c client.Client, s store.Store, o Options) error {
	o = o.withDefaults()
	added, err := EnsureSearchAttributes(ctx, c, o.Namespace)
	if err != nil {
		return err
	}
	if len(added) > 0 {
		o.Log.Info("search attributes are added to the namespace", "namespace", o.Namespace, "attributes", added)
	}
	fatal := make(chan error, 1)
	m := o.Monitor
	if m == nil {
		m = monitor.New(monitor.Options{Log: o.Log})
	}
	watched := newAccess(ctx, m.Store(s), o.Log)
	s = watched
	tallies := map[string]*memory.Tally{}
	if o.DiskCacheBytes > 0 {
		cached, err := store.NewDiskCache(watched, o.DiskCache, o.DiskCacheBytes)
		if err != nil {
			o.Log.Warn("no disk cache: tasks and modules are fetched at every start", "error", err)
		} else {
			s, tallies["disk"] = cached, &cached.Tally
		}
	}
	if len(o.Commands) > 0 {
		work, err := command.NewWorkspace(o.Directory, o.Log)
		if err != nil {
			return fmt.Errorf("worker: a directory for its trials: %w", err)
		}
		defer func() {
			if err := work.Close(); err != nil {
				o.Log.Warn("the directory of this worker's trials stays until the next one starts", "error", err)
			}
		}()
		if o, err = o.withCommands(s, work); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
	}
	a := activities.New(s, activities.Options{
		CacheBytes: o.CacheBytes, Worker: o.Identity, Trainers: o.Trainers, Fit: watched.there, Drain: o.Drain,
	})
	queues, err := o.queues(a)
	if err != nil {
		return err
	}
	maps.Copy(tallies, activities.TalliesOf(a))
	m.Caches(tallies)
	var workers []worker.Worker
	defer func() { stop(workers) }()
	for _, q := range queues {
		if q.trainer != "" {
			m.Serves(map[string]int{q.trainer: q.slots})
		}
		q.options.Identity, q.options.WorkerStopTimeout = o.Identity, o.Drain+o.StopTimeout
		q.options.Interceptors = []interceptor.WorkerInterceptor{m.Interceptor(), activities.Attempts(a)}
		if q.slots > 0 {
			p := newPlaces(watched, q.slots)
			q.options.Tuner = p.tuner()
			q.options.Interceptors = append(q.options.Interceptors, p.interceptor())
		}
		q.options.DeploymentOptions = worker.DeploymentOptions{UseVersioning: o.Deployment.DeploymentName != "", Version: o.Deployment}
		// Attempts send their own (activities.Attempts). Through the SDK goes only the one that ends an attempt, which
		// this bounds: a server that falls silent then must not hold it up.
		q.options.MaxHeartbeatThrottleInterval = activities.HeartbeatEvery
		// A fixed number of pollers all wait at the sticky queue, for a minute, where the server has
		// named a backlog there that is gone when they come; those that scale have some for each queue.
		q.options.WorkflowTaskPollerBehavior = worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
			InitialNumberOfPollers: 2, MinimumNumberOfPollers: 1, MaximumNumberOfPollers: 10,
		})
		q.options.OnFatalError = func(err error) {
			select {
			case fatal <- err:
			default:
			}
		}
		w := worker.New(c, q.name, q.options)
		q.register(w)
		if err := w.Start(); err != nil {
			return fmt.Errorf("worker: task queue %s: %w", q.name, err)
		}
		workers = append(workers, w)
	}
	if o.Monitor != nil {
		m.Needs(ctx, "the Temporal server", func(ctx context.Context) error {
			_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
			return err
		})
		m.Needs(ctx, "the object store", func(ctx context.Context) error {
			if !watched.there() {
				return errors.New("this worker has no access to it, and takes no work until it has")
			}
			if _, _, err := s.GetName(ctx, store.Space, "is-there-an-answer"); !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		})
		go m.Watch(ctx, c)
	}
	m.Enter("")
	if o.Serves != nil {
		o.Serves()
	}
	select {
	case <-ctx.Done():
		m.Enter("it is draining: it stops, and takes no more")
		o.Log.Info("the worker stops: it takes no more, and gives back what does not end in time", "drain", o.Drain)
		return nil
	case err := <-fatal:
		return fmt.Errorf("worker: %w", err)
	}
}

// stop stops workers, all at once: each waits for what it is at.
func stop(workers []worker.Worker) {
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(w.Stop)
	}
	all.Wait()
}

// withCommands has the programs among the trainers, with their slots, their grace and their last
// save. A program that cannot be run is an error of the configuration: better now than in a trial.
func (o Options) withCommands(s store.Store, work *command.Workspace) (Options, error) {
	var errs []error
	o.Trainers, o.slots = slices.Clone(o.Trainers), map[string]int{}
	grace := time.Duration(0)
	for _, c := range o.Commands {
		t, err := command.New(c, s, work, o.Log)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		o.Trainers = append(o.Trainers, t)
		o.slots[c.Name] = c.Slots
		grace = max(grace, c.Grace)
	}
	o.StopTimeout += grace + command.LastSave
	return o, errors.Join(errs...)
}

// queue is a task queue that the worker listens on.
type queue struct {
	name     string
	options  worker.Options
	register func(r Registry)
	// trainer is the one whose trials come through it, if any do.
	trainer string
	// slots are the activities at once; 0: none.
	slots int
}

// queues lists the task queues of a worker: the workflows' own, with the built-in
// trainer's trials; one for what is short, which must not wait behind trials that
// may take hours; one for each other trainer.
func (o Options) queues(a *activities.Activities) ([]queue, error) {
	serve := o.Serve
	if serve == nil {
		serve = map[string]int{}
		for _, name := range activities.TrainersOf(a) {
			serve[name] = 0
		}
	}
	all := func(r Registry) { Register(r, a) }
	main := queue{name: o.TaskQueue, options: worker.Options{LocalActivityWorkerOnly: true}, register: all}
	light := queue{name: workflows.LightQueue(o.TaskQueue), options: worker.Options{DisableWorkflowWorker: true}, slots: lightSlots,
		register: func(r Registry) { r.RegisterActivity(a) }}
	out := []queue{light}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(serve)) {
		slots := cmp.Or(serve[name], o.slots[name], o.Slots)
		switch {
		case !slices.Contains(activities.TrainersOf(a), name):
			unknown = append(unknown, name)
		case name == space.DefaultTrainer:
			main.trainer, main.slots = name, slots
			main.options = worker.Options{MaxEagerActivityReservationsPerWorkflowTask: &slots}
		default:
			out = append(out, queue{
				name: workflows.TrainerQueue(o.TaskQueue, name), options: worker.Options{DisableWorkflowWorker: true,
					ActivityTaskPollerBehavior: crowds()},
				register: func(r Registry) {
					r.RegisterActivityWithOptions(a.Trial, activity.RegisterOptions{Name: workflows.TrialActivity})
				},
				trainer: name, slots: slots,
			})
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("this worker has no trainer %s (it has: %s)", strings.Join(unknown, ", "),
			strings.Join(activities.TrainersOf(a), ", "))
	}
	return append(out, main), nil
}

// crowds is how a queue of trials is polled: those that begin together end together, and two pollers,
// the SDK's default, take their places again one by one.
func crowds() worker.PollerBehavior {
	return worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
		InitialNumberOfPollers: 2, MinimumNumberOfPollers: 2, MaximumNumberOfPollers: 16,
	})
}

// Registry is what Register fills: a worker, a replayer, a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterActivity(a any)
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register registers the workflows and activities under their names.
func Register(r Registry, a *activities.Activities) {
	for name, w := range map[string]any{
		workflows.SearchWorkflow:   workflows.Search,
		workflows.PretrainWorkflow: workflows.Pretrain, workflows.TransferWorkflow: workflows.Transfer,
		workflows.ExperimentWorkflow: workflows.Experiment, workflows.BenchmarkWorkflow: workflows.Benchmark,
		workflows.CollectWorkflow: workflows.Collect,
	} {
		r.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name, VersioningBehavior: behavior(name)})
	}
	r.RegisterActivity(a)
}

// behavior is what a workflow does where workers have versions. A search, and an experiment with
// its searches, ends on the build on which it began: its outcomes are functions of their requests
// and of the trainers' versions, and a new build's trainer in the middle of it would mix two. A
// collection goes over to the newest, which knows all that there may be to keep.
func behavior(name string) workflow.VersioningBehavior {
	if name == workflows.CollectWorkflow {
		return workflow.VersioningBehaviorAutoUpgrade
	}
	return workflow.VersioningBehaviorPinned
}

// MissingSearchAttributes are those, with their types, that the workflows set and a
// namespace lacks.
func MissingSearchAttributes(ctx context.Context, c client.Client, namespace string) (map[string]enumspb.IndexedValueType, error) {
	there, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("search attributes of namespace %q: %w", namespace, err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, key := range workflows.SearchAttributes() {
		if _, ok := there.GetCustomAttributes()[key.GetName()]; !ok {
			missing[key.GetName()] = key.GetValueType()
		}
	}
	return missing, nil
}

// EnsureSearchAttributes registers the search attributes that the workflows
// set with a namespace that lacks them: a workflow that sets an unknown one
// cannot go on. It returns those that were missing, sorted.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string) (added []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	missing, err := MissingSearchAttributes(ctx, c, namespace)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx,
		&operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) {
		var names []string
		for name, of := range missing {
			names = append(names, name+"="+of.String())
		}
		slices.Sort(names)
		return nil, fmt.Errorf("namespace %q lacks search attributes and they cannot be added here; have an operator add %v: %w", namespace,
			names, err)
	}
	return slices.Sorted(maps.Keys(missing)), nil
}
