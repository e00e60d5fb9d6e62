package terminal

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// Ask asks a question that is answered with yes or no; an empty line is yes, the
// end of the input no.
func (a *App) Ask(ctx context.Context, question string) (bool, error) {
	return a.AskOr(ctx, question, true)
}

// AskOr asks a question; empty is what an empty line means.
func (a *App) AskOr(ctx context.Context, question string, empty bool) (bool, error) {
	_, _ = fmt.Fprint(a.Stderr, a.called(Clean(question)))
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(a.Stdin).ReadString('\n')
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return false, ErrInterrupted
	case got := <-answers:
		switch strings.ToLower(strings.TrimSpace(got.line)) {
		case "":
			return empty && got.err == nil, nil
		case "y", "yes":
			return true, nil
		}
		return false, nil
	}
}
