package client

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	sdk "go.temporal.io/sdk/client"
)

// ErrSilent says that no worker has answered: what was told may be told again.
var ErrSilent = errors.New("no worker answers: is one running? (`starter up`, or the worker program)")

// ErrAway says that the Temporal server itself does not answer, so that nobody knows of its workers.
var ErrAway = errors.New("the Temporal server does not answer: is it running? (`starter doctor` looks)")

// healthTimeout bounds the question whether the server is there.
const healthTimeout = 3 * time.Second

// unanswered says that a call had no answer in time. The SDK tries a server that is away again until
// that time is over, so that the error is the same as where no worker comes.
func unanswered(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*serviceerror.DeadlineExceeded)) ||
		errors.As(err, new(*serviceerror.Unavailable))
}

// unpolled says that the server has not waited for a worker to answer, as none has asked for work for a while.
// By no type does it tell this from other preconditions.
func unpolled(err error) bool {
	var failed *serviceerror.FailedPrecondition
	return errors.As(err, &failed) && strings.Contains(failed.Message, "no poller seen")
}

// silence says who did not answer a call that waits for a worker: ErrAway or ErrSilent. Other
// errors it returns as they are, and all of them once ctx has ended.
func (c *Client) silence(ctx context.Context, err error) error {
	if unpolled(err) {
		return ErrSilent
	}
	if found := c.away(ctx, err); !unanswered(found) {
		return found
	}
	if ctx.Err() != nil {
		return err
	}
	return ErrSilent
}

// away is silence of a call that the server answers by itself.
func (c *Client) away(ctx context.Context, err error) error {
	if !unanswered(err) || ctx.Err() != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if _, failed := c.Temporal.CheckHealth(within, &sdk.CheckHealthRequest{}); failed != nil && ctx.Err() == nil {
		return ErrAway
	}
	return err
}
