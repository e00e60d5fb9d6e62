package space

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"tnaml/experiments/yamlnode"
)

//go:embed builtin/*.yaml
var builtin embed.FS

// Load reads a space from YAML: name, description, trainer, settings, objective,
// constraints, and choices, each with a name, a kind and its options. Everything wrong is
// reported together, each with its line: unknown fields, and what check finds in
// the space (trainer.Check).
func Load(b []byte, check func(*Space) []Problem) (*Space, error) {
	r, root := yamlnode.Read(b, "space")
	l := loader{Reader: r, fields: map[string]int{}, unread: map[string]bool{}}
	var s Space
	l.space(root, &s)
	if root.Kind == yamlnode.Mapping {
		if l.unread["trainer"] {
			check = (*Space).Validate
		}
		for _, p := range check(&s) {
			if !l.told(p) {
				r.Bad(l.line(root, p), "%w", p.Err)
			}
		}
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("space: %w", err)
	}
	return &s, nil
}

// loader remembers where the parts of a space stand, and which of them could not
// be read: what check finds missing there has been told.
type loader struct {
	*yamlnode.Reader
	fields  map[string]int
	unread  map[string]bool
	choices []choiceLines
}

type choiceLines struct {
	line    int
	options []int
	unread  bool
}

// noting runs read where what it reports sets unread.
func (l *loader) noting(read func(yamlnode.Entry), unread func()) func(yamlnode.Entry) {
	return func(e yamlnode.Entry) {
		before := l.Problems()
		if read(e); l.Problems() > before {
			unread()
		}
	}
}

// told says that a problem comes of what has been reported as unreadable.
func (l *loader) told(p Problem) bool {
	if p.Choice >= 0 && p.Choice < len(l.choices) {
		return p.Option < 0 && l.choices[p.Choice].unread
	}
	return l.unread[p.Field]
}

// line is where a problem is: the option's line, else the choice's, else the
// field's, else the first one.
func (l *loader) line(root yamlnode.Node, p Problem) int {
	if p.Choice >= 0 && p.Choice < len(l.choices) {
		c := l.choices[p.Choice]
		if p.Option >= 0 && p.Option < len(c.options) {
			return c.options[p.Option]
		}
		return c.line
	}
	if line := l.fields[p.Field]; line > 0 {
		return line
	}
	return root.Line
}

func (l *loader) space(n yamlnode.Node, s *Space) {
	at := func(read func(yamlnode.Entry)) func(yamlnode.Entry) {
		return func(e yamlnode.Entry) { l.fields[e.Key] = e.Line; read(e) }
	}
	unread := func(field string) func() { return func() { l.unread[field] = true } }
	l.Fields(n, "the space", map[string]func(yamlnode.Entry){
		"name":        at(l.noting(l.Text(&s.Name), unread("name"))),
		"description": at(l.Text(&s.Description)),
		"trainer":     at(l.noting(l.Text(&s.Trainer), unread("trainer"))),
		"settings": at(func(e yamlnode.Entry) {
			b, err := json.Marshal(e.Value.Plain())
			if err != nil {
				l.Bad(e.Line, "%q: %w", e.Key, err)
				return
			}
			s.Settings = b
		}),
		"objective": at(func(e yamlnode.Entry) {
			l.Fields(e.Value, `"objective"`, map[string]func(yamlnode.Entry){
				"metric":    l.Text(&s.Objective.Metric),
				"direction": l.Text((*string)(&s.Objective.Direction)),
			})
		}),
		"constraints": at(l.noting(func(e yamlnode.Entry) {
			if e.Value.Kind != yamlnode.List {
				l.Bad(e.Line, "%q is %s, it must be a list of constraints", e.Key, e.Value)
				return
			}
			for _, item := range e.Value.Items {
				var c Constraint
				bound := func(to **float64) func(yamlnode.Entry) {
					return func(e yamlnode.Entry) {
						v, ok := number(e.Value.Plain())
						if *to = &v; !ok {
							l.Bad(e.Line, "%q is %s, it must be a number", e.Key, e.Value)
						}
					}
				}
				l.Fields(item, "a constraint", map[string]func(yamlnode.Entry){
					"metric": l.Text(&c.Metric), "min": bound(&c.Min), "max": bound(&c.Max),
				})
				s.Constraints = append(s.Constraints, c)
			}
		}, unread("constraints"))),
		"choices": at(func(e yamlnode.Entry) {
			if e.Value.Kind != yamlnode.List {
				l.Bad(e.Line, "%q is %s, it must be a list of choices", e.Key, e.Value)
				l.unread[e.Key] = true
				return
			}
			for _, item := range e.Value.Items {
				l.choice(item, s)
			}
		}),
	})
}

func (l *loader) choice(n yamlnode.Node, s *Space) {
	var c Choice
	lines := choiceLines{line: n.Line, unread: n.Kind != yamlnode.Mapping}
	unread := func() { lines.unread = true }
	l.Fields(n, "a choice", map[string]func(yamlnode.Entry){
		"name": l.noting(l.Text(&c.Name), unread),
		"kind": l.Text((*string)(&c.Kind)),
		"options": l.noting(func(e yamlnode.Entry) {
			if e.Value.Kind != yamlnode.List {
				l.Bad(e.Line, "%q is %s, it must be a list", e.Key, e.Value)
				return
			}
			for _, o := range e.Value.Items {
				c.Options = append(c.Options, o.Plain())
				lines.options = append(lines.options, o.Line)
			}
		}, unread),
	})
	c.normalise()
	s.Choices = append(s.Choices, c)
	l.choices = append(l.choices, lines)
}

// BuiltinNames lists the built-in spaces, sorted.
func BuiltinNames() []string {
	entries, err := fs.ReadDir(builtin, "builtin")
	if err != nil {
		panic(err) // embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Builtin returns a built-in space by name.
func Builtin(name string) (*Space, error) {
	if !slices.Contains(BuiltinNames(), name) {
		return nil, fmt.Errorf("no search space %q (built in: %s)", name, strings.Join(BuiltinNames(), ", "))
	}
	b, err := builtin.ReadFile("builtin/" + name + ".yaml")
	if err != nil {
		return nil, err
	}
	return Load(b, (*Space).Validate)
}
