// Package operate looks after a deployment: what it lacks, and setting it up.
package operate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	sdk "go.temporal.io/sdk/client"
	"golang.org/x/sys/unix"

	"tnaml/activities/disk"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/experiments/trainer"
	"tnaml/starter/client"
	"tnaml/worker/host"
	"tnaml/workflows"
)

// Level says how bad a finding is.
type Level string

// The levels. What is skipped could not be looked at, for a reason that stands above it.
const (
	Fine    Level = "ok"
	Warning Level = "warning"
	Failed  Level = "failed"
	Skipped Level = "skipped"
)

// Finding is one thing that was looked at.
type Finding struct {
	What  string `json:"what"`
	Level Level  `json:"level"`
	Says  string `json:"says"`
	// Do is the way out, where there is something to do.
	Do string `json:"do,omitempty"`
}

const (
	// leastRetention is how long Temporal should remember what has ended: a search runs for
	// days, and is looked at for weeks.
	leastRetention = 14 * 24 * time.Hour
	// A disk with less than fewBytes free is a warning, with less than noBytes a failure.
	fewBytes = 5 << 30
	noBytes  = 512 << 20
	// checkTimeout bounds each question.
	checkTimeout = 20 * time.Second
)

type doctor struct {
	config    *deploy.Config
	namespace string
	found     []Finding
}

func (d *doctor) add(what string, level Level, do, format string, args ...any) {
	d.found = append(d.found, Finding{what, level, fmt.Sprintf(format, args...), do})
}

// Doctor looks at all that a deployment needs, in the order in which one thing needs
// another, and changes nothing but for an object that it writes and deletes in the bucket.
func Doctor(ctx context.Context, c *deploy.Config, logger *slog.Logger) []Finding {
	d := &doctor{config: c}
	d.configuration()
	d.disk()
	t, err := c.Target()
	if err != nil {
		d.add("servers", Failed, "name both servers, or start the dev stack: `starter up`", "%v", err)
		return d.found
	}
	d.namespace = t.Temporal.Namespace
	temporal := d.temporal(ctx, t, logger)
	if temporal != nil {
		defer temporal.Close()
	}
	s := d.bucket(ctx, t)
	if temporal == nil || s == nil {
		d.add("workers, searches, schedules", Skipped, "", "there is no looking at them before the servers are there")
		return d.found
	}
	cl := &client.Client{Temporal: temporal, Store: s, Namespace: t.Temporal.Namespace, TaskQueue: c.Temporal.TaskQueue, UI: t.UI}
	d.workers(ctx, cl)
	d.deployment(ctx, temporal)
	d.searches(ctx, cl)
	d.schedules(ctx, cl)
	return d.found
}

// Worst is the worst level of findings.
func Worst(found []Finding) Level {
	worst := Fine
	for _, f := range found {
		if f.Level == Failed || f.Level == Warning && worst == Fine {
			worst = f.Level
		}
	}
	return worst
}

func (d *doctor) configuration() {
	for _, w := range d.config.Warnings {
		d.add("configuration", Warning, "unset it, or mend its name", "%s", w)
	}
	if len(d.config.Warnings) == 0 {
		d.add("configuration", Fine, "", "read; `starter config show` says what is set, and where")
	}
}

func (d *doctor) disk() {
	dir := d.config.DataDir
	there := dir
	for { // what will be made is made on the disk of what there is
		if _, err := os.Stat(there); err == nil || filepath.Dir(there) == there {
			break
		}
		there = filepath.Dir(there)
	}
	free, err := disk.Free(there)
	if err != nil {
		d.add("data directory", Failed, "name another with TNAML_DATA_DIR", "%s: %v", dir, err)
		return
	}
	if err := unix.Access(there, unix.W_OK); err != nil {
		d.add("data directory", Failed, "let this user write it, or name another with TNAML_DATA_DIR", "%s cannot be written: %v", there, err)
		return
	}
	level, do := Fine, ""
	switch {
	case free < noBytes:
		level, do = Failed, "make room: workers cannot keep what they fetch, and the dev stack stops writing"
	case free < fewBytes:
		level, do = Warning, "make room, or lower worker.disk_cache_mb"
	}
	d.add("data directory", level, do, "%s, %s free", dir, humanize.IBytes(free))
}

// temporal looks at the server, nil where there is none to go on with.
func (d *doctor) temporal(ctx context.Context, t *deploy.Target, logger *slog.Logger) sdk.Client {
	c, err := t.Dial(ctx, logger)
	if err != nil {
		d.add("Temporal", Failed, "start it, or set TNAML_TEMPORAL_ADDRESS (and TEMPORAL_TLS, TEMPORAL_API_KEY where it wants them)", "%v", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	name := t.Temporal.Namespace
	says := t.Temporal.HostPort
	if info, err := c.WorkflowService().GetClusterInfo(ctx, &workflowservice.GetClusterInfoRequest{}); err == nil {
		says += ", server " + info.GetServerVersion()
	}
	d.add("Temporal", Fine, "", "%s", says)
	ns, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: name})
	if errors.As(err, new(*serviceerror.NamespaceNotFound)) {
		d.add("namespace", Failed, "`starter setup` makes it", "there is no namespace %q", name)
		c.Close()
		return nil
	}
	if err != nil {
		d.add("namespace", Warning, "have somebody look who may: a short retention forgets ended searches",
			"%q may not be asked for: %v", name, err)
		return c
	}
	d.retention(name, ns.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
	lacks, err := host.MissingSearchAttributes(ctx, c, name)
	if err != nil {
		d.add("search attributes", Warning, "", "cannot be listed: %v", err)
		return c
	}
	missing := slices.Sorted(maps.Keys(lacks))
	if len(missing) > 0 {
		d.add("search attributes", Failed, "`starter setup` adds them, and so does a worker that may when it starts",
			"the namespace lacks %s: searches stop at their first step", strings.Join(missing, ", "))
	} else {
		d.add("search attributes", Fine, "", "all %d are there", len(workflows.SearchAttributes()))
	}
	return c
}

// retention is how long the namespace remembers what has ended.
func (d *doctor) retention(namespace string, keeps time.Duration) {
	days := int(keeps.Hours() / 24)
	if keeps < leastRetention {
		d.add("retention", Warning, "`starter setup --retention 90`, in days",
			"namespace %q forgets what has ended after %d days: from then on the web UI does not show it. "+
				"Ledgers, models and records stay in the bucket", namespace, days)
		return
	}
	d.add("retention", Fine, "", "namespace %q remembers what has ended for %d days", namespace, days)
}

// bucket looks at the object store, nil where there is none to go on with.
func (d *doctor) bucket(ctx context.Context, t *deploy.Target) *store.S3 {
	config := t.S3
	config.CreateBucket = false // it only looks
	s, err := store.OpenS3(ctx, config)
	switch {
	case errors.Is(err, store.ErrNotFound):
		d.add("bucket", Failed, "`starter setup` makes it, and so does the first worker of a dev stack", "%v", err)
		return nil
	case errors.Is(err, store.ErrDenied):
		d.add("bucket", Failed, "give the keys of a user who may read, write, list and delete in the bucket", "%v", err)
		return nil
	case err != nil:
		d.add("bucket", Failed, "start the object store, or set TNAML_S3_ENDPOINT", "%v", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := s.CheckConditions(ctx); err != nil {
		d.add("bucket", Failed, "use an object store that honours If-None-Match and If-Match on PUT", "%v", err)
		return s
	}
	d.add("bucket", Fine, "", "%s takes conditional writes", s)
	rules, err := s.Rules(ctx)
	if err != nil {
		d.add("bucket's rules", Warning, "have somebody look who may: rules that delete objects by their age delete searches", "%v", err)
		return s
	}
	if len(rules.Expires) > 0 {
		d.add("bucket's rules", Failed, "take them off the bucket: `starter gc` deletes what nothing leads to",
			"lifecycle rules delete objects by their age, those of searches too: %s", strings.Join(rules.Expires, ", "))
	}
	if rules.Versioned && !rules.Cleared {
		d.add("bucket's rules", Warning, "add a lifecycle rule that ends noncurrent versions after some weeks",
			"the bucket keeps old versions for ever: `starter gc` frees no space")
	}
	if len(rules.Expires) == 0 && (!rules.Versioned || rules.Cleared) {
		d.add("bucket's rules", Fine, "", "nothing deletes objects behind our back")
	}
	return s
}

// workers looks who serves the queues.
func (d *doctor) workers(ctx context.Context, c *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	all, err := c.Workers(ctx)
	if err != nil {
		d.add("workers", Failed, "look whether the server is well, and this user may describe task queues", "%v", err)
		return
	}
	if len(all) == 0 {
		d.add("workers", Failed, "start `worker`, with the same namespace and task queue (`starter up` runs one for the dev stack)",
			"none listens to task queue %q: nothing moves", c.TaskQueue)
		return
	}
	level, do, says := served(all)
	d.add("workers", level, do, "%s on task queue %q", says, c.TaskQueue)
	trainers, err := c.Trainers(ctx, []string{"builtin"})
	if err != nil {
		d.add("trainers", Warning, "", "%v", err)
	}
	for _, name := range trainers {
		if name == (trainer.External{}).Name() || name == (trainer.Table{}).Name() { // whoever asks trains, and a table is served with the rest
			continue
		}
		serving, err := c.Serving(ctx, name)
		switch {
		case err != nil:
			d.add("trainer "+name, Warning, "", "%v", err)
		case len(serving) == 0:
			d.add("trainer "+name, Warning, fmt.Sprintf("start a worker that has it: `worker --trainers %s`, with its program under `trainers:` "+
				"if it is one", name), "a space asks for it, and no worker has a place free for it")
		default:
			level, do, says := served(serving)
			d.add("trainer "+name, level, do, "%s", says)
		}
	}
}

// served says who asks a queue for work, and when each has last. All of them silent is a
// warning: the server lists workers that have died for some time.
func served(all []client.Poller) (level Level, do, says string) {
	var each []string
	silent := 0
	for _, p := range all {
		each = append(each, fmt.Sprintf("%s (asked %d s ago)", p.Name, int(p.Ago.Seconds())))
		if p.Silent() {
			silent++
		}
	}
	if says = strings.Join(each, ", "); silent == len(all) {
		return Warning, "look whether they live, and run this again: one that lives and has a place free asks every minute",
			says + ": none of them lately"
	}
	return Fine, "", says
}

// deployment looks whether the workers' deployment, where they have one, has a current version:
// before that, nobody serves what is new.
func (d *doctor) deployment(ctx context.Context, c sdk.Client) {
	name := d.config.Worker.Deployment
	if name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	build := "BUILD"
	if v, err := d.config.Worker.Version(); err == nil {
		build = v.BuildID
	}
	do := fmt.Sprintf("`temporal worker deployment set-current-version --namespace %s --deployment-name %s --build-id %s`",
		d.namespace, name, build)
	is, err := c.WorkerDeploymentClient().GetHandle(name).Describe(ctx, sdk.WorkerDeploymentDescribeOptions{})
	switch {
	case errors.As(err, new(*serviceerror.NotFound)):
		d.add("deployment", Failed, "start a worker of it, then "+do, "there is no worker deployment %q", name)
	case err != nil:
		d.add("deployment", Failed, "look whether the server knows worker deployments, and this user may describe them", "%q: %v", name, err)
	case is.Info.RoutingConfig.CurrentVersion == nil:
		d.add("deployment", Failed, do, "%q has no current version: its workers get no work", name)
	default:
		d.add("deployment", Fine, "", "the current version of %q is %s", name, is.Info.RoutingConfig.CurrentVersion.BuildID)
	}
}

// searches looks which stand still.
func (d *doctor) searches(ctx context.Context, c *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	all, err := c.Searches(ctx, "")
	if errors.Is(err, library.ErrUnreadable) {
		d.add("records", Failed, "`starter remove` takes them away; the objects of searches are not harmed", "%v", err)
	} else if err != nil {
		d.add("searches", Failed, "look whether the servers are well, and this user may list and read there", "%v", err)
		return
	}
	running, others := 0, 0
	for _, e := range all {
		if e.Namespace != "" { // whoever looks there sees how they are
			others++
			continue
		}
		switch e.Status {
		case "running", "waiting":
			running++
		case "paused":
			d.add("search "+e.Name, Warning, fmt.Sprintf("mend it, then `starter resume %s`", e.Name), "is paused: %s", e.Reason)
		case "gone":
			d.add("search "+e.Name, Warning, fmt.Sprintf("`starter search --from %s` goes on from its ledger", e.Name),
				"is on record as running, and Temporal does not know it")
		}
	}
	elsewhere := ""
	if others > 0 {
		elsewhere = fmt.Sprintf("; %d more of other namespaces have this bucket", others)
	}
	d.add("searches", Fine, "", "%d on record, %d of them run%s", len(all)-others, running, elsewhere)
}

// schedules looks which do nothing.
func (d *doctor) schedules(ctx context.Context, c *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	all, err := c.Schedules(ctx)
	if err != nil {
		d.add("schedules", Warning, "", "%v", err)
		return
	}
	collects := false
	for _, e := range all {
		collects = collects || strings.Contains(string(e.Kind), "collect")
		if e.Paused {
			d.add("schedule "+e.Name, Warning, fmt.Sprintf("`starter schedule resume %s`", e.Name), "is paused: %s", e.Note)
		}
	}
	if !collects {
		d.add("schedules", Warning, "`starter schedule create gc --collect --cron \"0 4 * * *\"`",
			"%d, none of which collects garbage: the bucket only grows", len(all))
		return
	}
	d.add("schedules", Fine, "", "%d, garbage is collected", len(all))
}
