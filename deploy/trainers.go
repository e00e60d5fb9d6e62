package deploy

import (
	"fmt"
	"time"

	"tnaml/activities/trainers/command"
	"tnaml/experiments/yamlnode"
)

// trainersKey is the section of the file that allows programs: a trainer's name, and what
// is run for it. Names keep their case, and no variable of the environment can add one.
const trainersKey = "trainers"

// readTrainers reads the section.
func readTrainers(r *yamlnode.Reader, section yamlnode.Entry) (out []command.Config) {
	if section.Value.Kind == yamlnode.Null {
		return nil
	}
	if section.Value.Kind != yamlnode.Mapping {
		r.Bad(section.Line, "trainers is %s, it must hold programs by name, as in trainers: {bert: {command: [python3, train.py]}}",
			section.Value)
		return nil
	}
	for _, e := range section.Value.Entries {
		c, before := command.Default(e.Key), r.Problems()
		what := fmt.Sprintf("the trainer %q", e.Key)
		if e.Value.Kind != yamlnode.Mapping {
			r.Bad(e.Line, "%s is %s, it must be a mapping, as in {command: [python3, train.py]}", what, e.Value)
			continue
		}
		r.Fields(e.Value, what, map[string]func(yamlnode.Entry){
			"command": list(r, &c.Command), "directory": r.Text(&c.Directory), "env": list(r, &c.Env), "slots": r.Number(&c.Slots, 1),
			"timeout": span(r, &c.Timeout), "grace": span(r, &c.Grace), "memory_mb": r.Number(&c.MemoryMB, 1), "version": r.Text(&c.Version),
			"cache": r.Flag(&c.Cache), "checkpoint_mb": r.Number(&c.CheckpointMB, 0), "checkpoint_every": span(r, &c.CheckpointEvery),
			"model_mb": r.Number(&c.ModelMB, 0),
		})
		if err := c.Validate(); err != nil && r.Problems() == before {
			r.BadEach(e.Line, what, err)
		}
		out = append(out, c)
	}
	return out
}

// list reads a list of words, which may be there more than once, and empty. Each is the word as it is
// written: a command's 007, 1.50 or true is no number to the program that gets it.
func list(r *yamlnode.Reader, to *[]string) func(yamlnode.Entry) {
	return func(e yamlnode.Entry) {
		if e.Value.Kind != yamlnode.List {
			r.Bad(e.Line, "%q is %s, it must be a list of words, as in [python3, train.py]", e.Key, e.Value)
			return
		}
		for _, item := range e.Value.Items {
			if item.Kind != yamlnode.Scalar {
				r.Bad(item.Line, "%q holds %s, it must hold words: put braces, brackets and null in quotes", e.Key, item)
				return
			}
			*to = append(*to, item.Source)
		}
	}
}

// span reads a duration such as 90s or 2h.
func span(r *yamlnode.Reader, to *time.Duration) func(yamlnode.Entry) {
	return func(e yamlnode.Entry) {
		d, err := time.ParseDuration(e.Value.String())
		if err != nil {
			r.Bad(e.Line, "%q is %s, it must be a duration, as in 30s or 2h", e.Key, e.Value)
			return
		}
		*to = d
	}
}
