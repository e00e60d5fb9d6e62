package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	sdk "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/worker/host"
)

// Step is one thing that a setup did, or found done.
type Step struct {
	What string `json:"what"`
	// Done says that it was done now: it was not there before.
	Done bool   `json:"done"`
	Says string `json:"says"`
}

const (
	// DefaultRetention is how long a new namespace remembers what has ended.
	DefaultRetention = 90 * 24 * time.Hour
	// namespaceWithin is how long a new namespace may take until all of the server knows it:
	// it reads the list of them every ten seconds.
	namespaceWithin = time.Minute
)

// Setup makes what a deployment needs of its servers, and is not there: the namespace,
// which keeps what has ended at least for so long, the search attributes, the bucket.
// Without a retention, 0, a new namespace has the default, and one that is there keeps its
// own. It goes as far as it can: what failed comes together.
func Setup(ctx context.Context, c *deploy.Config, retention time.Duration, logger *slog.Logger) ([]Step, error) {
	t, err := c.Target()
	if err != nil {
		return nil, err
	}
	done, errTemporal := setUpTemporal(ctx, t, retention, logger)
	bucket, errBucket := setUpBucket(ctx, t)
	return append(done, bucket...), errors.Join(errTemporal, errBucket)
}

func setUpTemporal(ctx context.Context, t *deploy.Target, retention time.Duration, logger *slog.Logger) (done []Step, err error) {
	c, err := t.Dial(ctx, logger)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	step, err := namespace(ctx, c, t.Temporal.Namespace, retention)
	if err != nil {
		return nil, err
	}
	done = append(done, step)
	if step.Done {
		if err := known(ctx, c, t.Temporal.Namespace); err != nil {
			return done, err
		}
	}
	added, err := host.EnsureSearchAttributes(ctx, c, t.Temporal.Namespace)
	if err != nil {
		return done, err
	}
	if len(added) > 0 {
		return append(done, Step{"search attributes", true, fmt.Sprintf("%s are added to namespace %q", strings.Join(added, ", "),
			t.Temporal.Namespace)}), nil
	}
	return append(done, Step{What: "search attributes", Says: "all are there"}), nil
}

// namespace makes the namespace, or has it keep what has ended for longer, where that is asked for.
func namespace(ctx context.Context, c sdk.Client, name string, retention time.Duration) (Step, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	days := func(d time.Duration) string {
		return fmt.Sprintf("keeps what has ended for %d days", int(d.Hours()/24))
	}
	ns, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: name})
	if errors.As(err, new(*serviceerror.NamespaceNotFound)) {
		_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: name, Description: "tnaml", WorkflowExecutionRetentionPeriod: durationpb.New(cmp.Or(retention, DefaultRetention)),
		})
		if err != nil {
			return Step{}, fmt.Errorf("namespace %q cannot be made: %w; have somebody make it who may", name, err)
		}
		return Step{"namespace", true, fmt.Sprintf("%q is made, and %s", name, days(cmp.Or(retention, DefaultRetention)))}, nil
	}
	if err != nil {
		return Step{}, fmt.Errorf("namespace %q: %w", name, err)
	}
	keeps := ns.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	if keeps >= retention {
		return Step{"namespace", false, fmt.Sprintf("%q is there, and %s", name, days(keeps))}, nil
	}
	_, err = c.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: name, Config: &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(retention)},
	})
	if err != nil {
		return Step{}, fmt.Errorf("namespace %q forgets after %v, and that cannot be changed: %w", name, keeps, err)
	}
	return Step{"namespace", true, fmt.Sprintf("%q %s now, and not %d: so do all workflows in it, others' too", name, days(retention),
		int(keeps.Hours()/24))}, nil
}

// known waits until the server takes requests for a new namespace.
func known(ctx context.Context, c sdk.Client, name string) error {
	ctx, cancel := context.WithTimeout(ctx, namespaceWithin)
	defer cancel()
	for {
		_, err := c.WorkflowService().ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: name, PageSize: 1})
		if err == nil {
			return nil
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("namespace %q is made, and the server does not serve it yet: %w; run this again", name, err)
		}
	}
}

func setUpBucket(ctx context.Context, t *deploy.Target) ([]Step, error) {
	config := t.S3
	config.CreateBucket = false
	s, err := store.OpenS3(ctx, config)
	made := errors.Is(err, store.ErrNotFound)
	if made {
		config.CreateBucket = true
		s, err = store.OpenS3(ctx, config)
	}
	if err != nil {
		return nil, err
	}
	if err := s.CheckConditions(ctx); err != nil {
		return nil, err
	}
	says := s.String() + " is there"
	if made {
		says = s.String() + " is made"
	}
	return []Step{{"bucket", made, says + ", and takes conditional writes"}}, nil
}
