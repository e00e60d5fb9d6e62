// Package spec makes the specs of searches and runs from what a command line says.
package spec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"tnaml/experiments/strict"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// presetForm is that of a preset's name.
var presetForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Settings reads a strategy's parameters: JSON, the name of a preset, or @FILE. An error is
// to be told of the flag that has them.
func Settings(ctx context.Context, s string) (json.RawMessage, error) {
	if s == "" {
		return nil, nil
	}
	b := []byte(s)
	if file, ok := strings.CutPrefix(s, "@"); ok {
		var err error
		if b, err = terminal.ReadSpec(ctx, file); err != nil {
			return nil, err
		}
	}
	if word := strings.TrimSpace(s); presetForm.MatchString(word) {
		return json.Marshal(word)
	}
	var any json.RawMessage
	if err := json.Unmarshal(b, &any); err != nil {
		where := ""
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			where = fmt.Sprintf(", at byte %d", syntax.Offset)
		}
		return nil, client.Usage(fmt.Errorf("not valid JSON: %s: %w%s", terminal.Cut(string(b), 80), err, where))
	}
	if err := strict.Twice(b); err != nil {
		return nil, client.Usage(err)
	}
	return b, nil
}
