package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

const (
	// startTimeout bounds the wait for the servers: a start takes two seconds, on
	// a machine with more to do than it can several times that.
	startTimeout  = 2 * time.Minute
	probeTimeout  = 5 * time.Second
	probeInterval = 50 * time.Millisecond
)

// waitReady waits until each server answers what clients will ask of it.
func waitReady(ctx context.Context, p *ports, g *gateway) error {
	c, err := client.NewLazyClient(client.Options{HostPort: loopback(p.frontend), Namespace: namespace, Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	deadline := time.Now().Add(startTimeout)
	for _, probe := range []struct {
		name string
		ask  func(context.Context) error
	}{
		{"object store", func(ctx context.Context) error { return get(ctx, "http://"+loopback(p.s3)+healthPath) }},
		{"temporal server", func(ctx context.Context) error { return askTemporal(ctx, c) }},
		// The UI asks the frontend for it: the whole way is there.
		{"web UI", func(ctx context.Context) error {
			return get(ctx, "http://"+loopback(p.ui)+"/api/v1/namespaces/"+namespace)
		}},
	} {
		for {
			attempt, cancel := context.WithTimeout(ctx, probeTimeout)
			err := probe.ask(attempt)
			cancel()
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("no answer from the %s within %s: %w", probe.name, startTimeout, err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-g.done:
				return fmt.Errorf("object store: %w", g.err)
			case <-time.After(probeInterval):
			}
		}
	}
	return nil
}

// askTemporal asks for something of each service: history for an execution,
// matching for a task queue, visibility for each search attribute.
func askTemporal(ctx context.Context, c client.Client) error {
	var missing *serviceerror.NotFound
	if _, err := c.DescribeWorkflowExecution(ctx, "none", ""); !errors.As(err, &missing) {
		return fmt.Errorf("history: %w", err)
	}
	if _, err := c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: "none"},
	}); err != nil {
		return fmt.Errorf("matching: %w", err)
	}
	if err := addSearchAttributes(ctx, c); err != nil {
		return fmt.Errorf("search attributes: %w", err)
	}
	var conditions []string
	for name := range searchAttributes() {
		conditions = append(conditions, name+" IS NULL")
	}
	slices.Sort(conditions)
	if _, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: namespace, Query: strings.Join(conditions, " AND "),
	}); err != nil {
		return fmt.Errorf("search attributes: %w", err)
	}
	return nil
}

// addSearchAttributes adds those that a directory of an earlier version lacks.
func addSearchAttributes(ctx context.Context, c client.Client) error {
	there, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return err
	}
	missing := searchAttributes()
	for name := range there.GetCustomAttributes() {
		delete(missing, name)
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx,
		&operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	return err
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// quiet is a logger for the probes, which fail until they do not.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
