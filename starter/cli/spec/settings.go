// Package spec makes the specs of searches and runs from what a command line says.
package spec

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// presetForm is that of a preset's name.
var presetForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Settings reads a strategy's parameters: JSON, the name of a preset, or @FILE.
func Settings(ctx context.Context, s string) (json.RawMessage, error) {
	if s == "" {
		return nil, nil
	}
	b := []byte(s)
	if file, ok := strings.CutPrefix(s, "@"); ok {
		var err error
		if b, err = terminal.ReadSpec(ctx, file); err != nil {
			return nil, fmt.Errorf("--settings: %w", err)
		}
	}
	if word := strings.TrimSpace(s); presetForm.MatchString(word) {
		return json.Marshal(word)
	}
	if !json.Valid(b) {
		return nil, client.Usage(fmt.Errorf("--settings is not valid JSON: %s", terminal.Cut(string(b), 80)))
	}
	return b, nil
}
