package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	sdk "go.temporal.io/sdk/client"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/limit"
	"tnaml/workflows"
)

// nameForm is what a name may look like, so that it can stand in a command line, a
// workflow ID and a file name.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckName refuses names that could not stand everywhere; what says whose it is.
func CheckName(what, name string) error {
	if !nameForm.MatchString(name) {
		return Usage(fmt.Errorf("%s name %q: give letters, digits, points, dashes and underscores, at most 100", what, name))
	}
	return nil
}

// StartSearch starts a search under a name, or, where that is empty, under the first
// free one of its kind, and returns it. The names in the spec are looked up as the
// workflow will, and what is wrong is told together, before anything is started.
func (c *Client) StartSearch(ctx context.Context, name string, spec workflows.SearchSpec) (string, error) {
	if err := spec.Validate(); err != nil {
		return "", Usage(err)
	}
	if _, _, err := library.Pin(ctx, c.Store, spec.Names()); err != nil {
		return "", err
	}
	return c.startSearch(ctx, name, spec)
}

// GoOn starts a search that goes on from another one, which must have ended, and returns
// its name. fields are those of the spec in which it differs; more, where it is not 0, is
// how many trials it has beyond the other's. What is wrong is told before anything is
// started.
func (c *Client) GoOn(ctx context.Context, name, from string, fields map[string]any, more int) (string, error) {
	if open, err := c.Open(ctx, from); err != nil {
		return "", err
	} else if open {
		return "", fmt.Errorf("search %s has not ended: stop it first, or give it more trials with `starter extend %s`", from, from)
	}
	if more > 0 {
		record, err := library.ReadRecord(ctx, c.Store, from)
		if err != nil {
			return "", err
		}
		fields["trials"] = record.Told + more
	}
	fields["from"] = from
	own, err := json.Marshal(fields)
	if err != nil {
		return "", err
	}
	o, err := library.GoOn(ctx, c.Store, from, own)
	if err != nil {
		return "", err
	}
	spec, err := workflows.ParseSearchSpec(o.Spec)
	if err != nil {
		return "", Usage(err)
	}
	return c.startSearch(ctx, name, spec)
}

func (c *Client) startSearch(ctx context.Context, name string, spec workflows.SearchSpec) (string, error) {
	if _, err := library.ExperimentYAML(ctx, c.Store, name); name != "" && err == nil {
		return "", Usage(fmt.Errorf("search name %q is that of an experiment, whose reports would hide it: choose another one", name))
	}
	base := fmt.Sprintf("%s-%s-s%d", strings.Join(spec.Tasks, "+"), spec.Strategy, spec.Seed)
	if len(base) > 80 {
		base = fmt.Sprintf("%d-tasks-%s-s%d", len(spec.Tasks), spec.Strategy, spec.Seed)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	summary := fmt.Sprintf("%s · %d trials · seed %d · %s", spec.Strategy, spec.Trials, spec.Seed, strings.Join(spec.Tasks, ", "))
	return c.start(ctx, Search, name, base, workflows.SearchWorkflow, raw, limit.Summary(summary))
}

// StartRun starts a run of an experiment under a name, or, where that is empty, under
// the first free one, and returns it. What is wrong with the spec is found out before
// anything is started.
func (c *Client) StartRun(ctx context.Context, kind catalog.Kind, name, experiment string, spec json.RawMessage) (string, error) {
	plan, err := c.Plan(ctx, kind, experiment, spec)
	if err != nil {
		return "", err
	}
	base := runName(kind, experiment)
	for _, o := range plan.Outcomes(cmp.Or(name, fmt.Sprintf("%s-%d", base, maxNumber))) {
		if err := store.CheckName(store.Search, o.Search); err != nil {
			return "", Usage(fmt.Errorf("%w: give the run a shorter name", err))
		}
	}
	return c.start(ctx, Run, name, base, string(kind), spec, planSummary(plan))
}

// Plan is what a run of an experiment would do, with all its names found.
func (c *Client) Plan(ctx context.Context, kind catalog.Kind, experiment string, spec json.RawMessage) (*library.Planned, error) {
	e, err := library.LoadExperiment(ctx, c.Store, experiment)
	if err != nil {
		return nil, err
	}
	plan, err := catalog.MakePlan(kind, e, spec)
	if err != nil {
		return nil, Usage(err)
	}
	return library.PinPlan(ctx, c.Store, plan)
}

func runName(kind catalog.Kind, experiment string) string {
	if kind == catalog.KindExperiment {
		return experiment
	}
	return experiment + "-" + strings.ToLower(string(kind))
}

func planSummary(p *library.Planned) string {
	return fmt.Sprintf("%s · %d searches · %d trials", p.Experiment, len(p.Pretrain)+len(p.Searches), p.Trials())
}

// start starts a workflow under a name, or under the first free one of a base.
func (c *Client) start(ctx context.Context, kind Kind, name, base, workflow string, spec json.RawMessage, summary string) (string, error) {
	names := []string{name}
	if name == "" {
		names = names[:0]
		for i := 1; i <= maxNumber; i++ {
			names = append(names, base+"-"+strconv.Itoa(i))
		}
	} else if err := CheckName(string(kind), name); err != nil {
		return "", err
	}
	held, err := library.HeldNames(ctx, c.Store)
	if err != nil {
		return "", err
	}
	for _, n := range names {
		if err := held(n); err != nil {
			var by *library.HeldError
			switch isHeld := errors.As(err, &by); {
			case n != name && (isHeld || errors.Is(err, library.ErrUnreadable)):
				continue
			case isHeld:
				return "", &TakenError{kind, name, by}
			}
			return "", err
		}
		// What has ended under the name, and is not on record, has left nothing: it failed
		// as it started, or somebody has removed it.
		_, err := c.Temporal.ExecuteWorkflow(ctx, sdk.StartWorkflowOptions{
			ID: n, TaskQueue: c.TaskQueue,
			WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
			WorkflowExecutionErrorWhenAlreadyStarted: true,
			StaticSummary:                            summary,
		}, workflow, spec)
		if errors.As(err, new(*serviceerror.WorkflowExecutionAlreadyStarted)) {
			if n == name {
				return "", &TakenError{kind, name, nil}
			}
			continue
		}
		if err != nil {
			return "", fmt.Errorf("starting %s %s: %w", kind, n, err)
		}
		return n, nil
	}
	return "", fmt.Errorf("%d %ss like this one exist already: give it a name", maxNumber, kind)
}

// Address is where Temporal's web UI shows a search or a run, or empty. The searches
// of a run have slashes in their names, which the web UI wants escaped.
func (c *Client) Address(name string) string {
	if c.UI == "" {
		return ""
	}
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s", c.UI, url.PathEscape(c.Namespace), url.PathEscape(name))
}
