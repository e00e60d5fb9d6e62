package workflows

import "go.temporal.io/sdk/workflow"

// signals are those of a run, each like the update of its name.
type signals struct {
	names []string
	// take takes one and does what it asks for; it waits for it, or says that there is none now.
	take func(ctx workflow.Context, name string, wait bool) bool
}

// serve takes them as they come, until the run ends.
func (s signals) serve(ctx workflow.Context) {
	for _, name := range s.names {
		workflow.GoNamed(ctx, "signal "+name, func(ctx workflow.Context) {
			for s.take(ctx, name, true) {
			}
		})
	}
}

// leave waits for the handlers of updates, and takes what has arrived by then: a signal left in its
// channel at continue-as-new would be lost.
func (s signals) leave(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	for _, name := range s.names {
		for s.take(ctx, name, false) {
		}
	}
	return nil
}

// received receives a signal and its argument: nil of one that has none, whatever comes with it, as
// from a form of the UI, must not lose it.
func received(ctx workflow.Context, name string, argument any, wait bool) bool {
	channel := workflow.GetSignalChannelWithOptions(ctx, name, workflow.SignalChannelOptions{Description: "Like the update of this name"})
	if wait {
		return channel.Receive(ctx, argument)
	}
	return channel.ReceiveAsync(argument)
}
