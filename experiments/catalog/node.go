package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// node is a piece of YAML with the line it stands on.
type node struct {
	line int
	// One of: a scalar (string, bool, int64, uint64, float64), nil, a list, or
	// a mapping.
	scalar  any
	list    []node
	entries []entry
	kind    kind
}

type entry struct {
	key   string
	line  int
	value node
}

type kind int

const (
	nothing kind = iota
	scalar
	list
	mapping
)

// problem is something wrong with a line.
type problem struct {
	line int
	err  error
}

// reader collects what is wrong with a file, so that all of it can be told.
type reader struct{ problems []problem }

func (r *reader) bad(line int, format string, a ...any) {
	r.problems = append(r.problems, problem{line, fmt.Errorf(format, a...)})
}

// err returns all problems in the order of their lines.
func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b problem) int { return a.line - b.line })
	var errs []error
	for _, p := range r.problems {
		errs = append(errs, fmt.Errorf("line %d: %w", p.line, p.err))
	}
	return errors.Join(errs...)
}

// maxBytes and maxDepth bound what is read.
const (
	maxBytes = 1 << 20
	maxDepth = 20
)

// read parses one YAML document.
func (r *reader) read(b []byte) node {
	if len(b) > maxBytes {
		r.bad(1, "the file has %d bytes, more than %d", len(b), maxBytes)
		return node{}
	}
	file, err := parser.ParseBytes(b, 0, parser.AllowDuplicateMapKey()) // told with all the rest
	if err != nil {
		line := 1
		message := err.Error()
		if e := yaml.Error(nil); errors.As(err, &e) {
			message = e.GetMessage()
			if t := e.GetToken(); t != nil && t.Position != nil {
				line = t.Position.Line
			}
		}
		r.bad(line, "not valid YAML: %s", message)
		return node{}
	}
	var documents []node
	for _, d := range file.Docs {
		if d.Body != nil {
			documents = append(documents, r.convert(d.Body, 0))
		}
	}
	switch len(documents) {
	case 0:
		r.bad(1, "the file is empty")
		return node{}
	case 1:
		return documents[0]
	}
	r.bad(documents[1].line, "a second document: one experiment a file")
	return documents[0]
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

func (r *reader) convert(n ast.Node, depth int) node {
	out := node{line: lineOf(n)}
	if depth > maxDepth {
		r.bad(out.line, "nested more than %d deep", maxDepth)
		return out
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		out.kind, out.scalar = scalar, n.Value
	case *ast.LiteralNode:
		out.kind, out.scalar = scalar, n.Value.Value
	case *ast.BoolNode:
		out.kind, out.scalar = scalar, n.Value
	case *ast.IntegerNode:
		out.kind, out.scalar = scalar, n.Value
	case *ast.FloatNode:
		out.kind, out.scalar = scalar, n.Value
	case *ast.SequenceNode:
		out.kind = list
		for _, v := range n.Values {
			out.list = append(out.list, r.convert(v, depth+1))
		}
	case *ast.MappingNode:
		out.kind = mapping
		for _, v := range n.Values {
			r.entry(&out, v, depth)
		}
		if len(out.entries) > 0 {
			out.line = out.entries[0].line
		}
	case *ast.MappingValueNode:
		out.kind = mapping
		r.entry(&out, n, depth)
		if len(out.entries) > 0 {
			out.line = out.entries[0].line
		}
	default:
		r.bad(out.line, "%s: write it out", strings.ToLower(n.Type().String()))
	}
	return out
}

func (r *reader) entry(out *node, n *ast.MappingValueNode, depth int) {
	key, ok := n.Key.(*ast.StringNode)
	if !ok {
		r.bad(lineOf(n.Key), "the key %s is no word", n.Key.String())
		return
	}
	for _, e := range out.entries {
		if e.key == key.Value {
			r.bad(lineOf(key), "%q is there twice, in line %d already", key.Value, e.line)
			return
		}
	}
	out.entries = append(out.entries, entry{key.Value, lineOf(key), r.convert(n.Value, depth+1)})
}

// value is a node as encoding/json wants it.
func (n node) value() any {
	switch n.kind {
	case scalar:
		return n.scalar
	case list:
		out := make([]any, len(n.list))
		for i, v := range n.list {
			out[i] = v.value()
		}
		return out
	case mapping:
		out := map[string]any{}
		for _, e := range n.entries {
			out[e.key] = e.value.value()
		}
		return out
	}
	return nil
}

// what names a node's kind for people.
func (n node) what() string {
	switch n.kind {
	case scalar:
		return fmt.Sprintf("%v", n.scalar)
	case list:
		return "a list"
	case mapping:
		return "a mapping"
	}
	return "nothing"
}

// fields reads a mapping: each entry by its own function, unknown ones refused
// with the known ones.
func (r *reader) fields(n node, what string, read map[string]func(e entry)) {
	if n.kind != mapping {
		r.bad(n.line, "%s is %s, it must be a mapping", what, n.what())
		return
	}
	for _, e := range n.entries {
		if f, ok := read[e.key]; ok {
			f(e)
			continue
		}
		var known []string
		for k := range read {
			known = append(known, k)
		}
		slices.Sort(known)
		r.bad(e.line, "unknown field %q of %s (known: %s)", e.key, what, strings.Join(known, ", "))
	}
}

func (r *reader) text(to *string) func(entry) {
	return func(e entry) {
		s, ok := e.value.scalar.(string)
		if !ok {
			r.bad(e.line, "%q is %s, it must be text", e.key, e.value.what())
			return
		}
		*to = strings.TrimSpace(s)
	}
}

func (r *reader) flag(to *bool) func(entry) {
	return func(e entry) {
		b, ok := e.value.scalar.(bool)
		if !ok {
			r.bad(e.line, "%q is %s, it must be true or false", e.key, e.value.what())
			return
		}
		*to = b
	}
}

// whole reads a whole number that is not negative.
func whole(n node) (uint64, bool) {
	switch v := n.scalar.(type) {
	case uint64:
		return v, true
	case int64:
		return uint64(v), v >= 0
	}
	return 0, false
}

func (r *reader) number(to *int, least int) func(entry) {
	return func(e entry) {
		v, ok := whole(e.value)
		if !ok || v > maxNumber || int(v) < least {
			r.bad(e.line, "%q is %s, it must be a whole number from %d to %d", e.key, e.value.what(), least, maxNumber)
			return
		}
		*to = int(v)
	}
}

// maxNumber bounds budgets and the like.
const maxNumber = 10_000_000

func (r *reader) real(to *float64) func(entry) {
	return func(e entry) {
		v, ok := e.value.scalar.(float64)
		if u, isWhole := whole(e.value); isWhole {
			v, ok = float64(u), true
		}
		if !ok || !(v > 0) || v > maxNumber {
			r.bad(e.line, "%q is %s, it must be a positive number", e.key, e.value.what())
			return
		}
		*to = v
	}
}

// words reads a list of words; check sees each with its line.
func (r *reader) words(to *[]string, check func(line int, word string)) func(entry) {
	return func(e entry) {
		if e.value.kind != list {
			r.bad(e.line, "%q is %s, it must be a list", e.key, e.value.what())
			return
		}
		*to = []string{}
		for _, v := range e.value.list {
			s, ok := v.scalar.(string)
			switch {
			case !ok || strings.TrimSpace(s) == "":
				r.bad(v.line, "%q holds %s, it must hold words", e.key, v.what())
			case slices.Contains(*to, s):
				r.bad(v.line, "%q holds %q twice", e.key, s)
			default:
				*to = append(*to, s)
				if check != nil {
					check(v.line, s)
				}
			}
		}
	}
}
