// Package yamlnode reads YAML that people write, so that everything wrong with
// it can be told at once, each with its line: a Reader collects the problems, a
// Node is a piece of the document with the line it stands on. Anchors, aliases
// and merges are refused: what a file says stands in it.
package yamlnode

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"tnaml/experiments/limit"
)

// Node is a piece of YAML. The zero Node stands for what could not be read,
// which has been reported.
type Node struct {
	Line int
	Kind Kind
	// Value is a scalar's: a string, bool, int64, uint64 or float64.
	Value any
	// Source is the scalar as it is written, without its quotes: of 007, whose value is 7,
	// it is 007.
	Source string
	// Items are a list's.
	Items []Node
	// Entries are a mapping's, in their order.
	Entries []Entry
}

// Entry is a key of a mapping with its value.
type Entry struct {
	Key   string
	Line  int
	Value Node
}

// Kind is what a node is.
type Kind int

// The kinds. Null is the null value, and the zero Node.
const (
	Null Kind = iota
	Scalar
	List
	Mapping
)

// MaxNumber bounds the numbers that Reader.Number and Reader.Real take.
const MaxNumber = 10_000_000

// maxBytes and maxDepth bound what is read.
const (
	maxBytes = 1 << 20
	maxDepth = 20
)

var errTooDeep = fmt.Errorf("nested more than %d deep", maxDepth)

// Reader collects what is wrong with a file.
type Reader struct{ problems []problem }

type problem struct {
	line int
	err  error
}

// Read parses a file that holds one document, what it is for being named by
// what ("experiment"). It returns the reader to go on with, and the root: of a file
// without anything in it, or of nothing but comments, a null in line 1, which those
// who need something refuse, as Fields does.
func Read(b []byte, what string) (*Reader, Node) {
	r := &Reader{}
	if len(b) > maxBytes {
		r.Bad(1, "the file has %d bytes, more than %d", len(b), maxBytes)
		return r, Node{}
	}
	tokens := lexer.Tokenize(string(bytes.TrimPrefix(b, []byte("\ufeff"))))
	if line, err := excess(tokens); err != nil {
		r.Bad(line, "%w", err)
		return r, Node{}
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // told with all the rest
	if err != nil {
		line := 1
		message := err.Error()
		if e := yaml.Error(nil); errors.As(err, &e) {
			message = e.GetMessage()
			if t := e.GetToken(); t != nil && t.Position != nil {
				line = t.Position.Line
			}
		}
		r.Bad(line, "not valid YAML: %s", message)
		return r, Node{}
	}
	var documents []Node
	for _, d := range file.Docs {
		if _, comment := d.Body.(*ast.CommentGroupNode); d.Body != nil && !comment {
			documents = append(documents, r.convert(d.Body, 0))
		}
	}
	switch len(documents) {
	case 0:
		return r, Node{Line: 1}
	case 1:
		return r, documents[0]
	}
	r.Bad(documents[1].Line, "a second document: one %s a file", what)
	return r, documents[0]
}

// Bad reports something wrong with a line.
func (r *Reader) Bad(line int, format string, a ...any) {
	r.problems = append(r.problems, problem{line, fmt.Errorf(format, a...)})
}

// BadEach reports an error, and each of several that were joined as its own;
// what says in front what they are about.
func (r *Reader) BadEach(line int, what string, err error) {
	for _, one := range limit.Apart(err) {
		r.Bad(line, "%s: %w", what, one)
	}
}

// Problems returns how many there are so far.
func (r *Reader) Problems() int { return len(r.problems) }

// Err returns the problems in the order of their lines, the first limit.MaxProblems of
// them with the number of the others, nil where there are none.
func (r *Reader) Err() error {
	slices.SortStableFunc(r.problems, func(a, b problem) int { return a.line - b.line })
	var errs []error
	for _, p := range r.problems {
		errs = append(errs, fmt.Errorf("line %d: %w", p.line, p.err))
	}
	return limit.Problems(errs)
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

func (r *Reader) convert(n ast.Node, depth int) Node {
	out := Node{Line: lineOf(n)}
	if depth > maxDepth {
		r.Bad(out.Line, "%w", errTooDeep)
		return out
	}
	scalar := func(source string, v any) { out.Kind, out.Source, out.Value = Scalar, source, v }
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		scalar(n.Value, n.Value)
		if n.Token.Type == token.StringType { // not in quotes
			out.Value = plain(n.Value)
		}
	case *ast.LiteralNode:
		scalar(n.Value.Value, n.Value.Value)
	case *ast.BoolNode:
		scalar(n.Token.Value, n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		scalar(n.GetToken().Value, plain(n.GetToken().Value))
	case *ast.InfinityNode:
		scalar(n.Token.Value, n.Value)
	case *ast.NanNode:
		scalar(n.Token.Value, math.NaN())
	case *ast.SequenceNode:
		out.Kind = List
		for _, v := range n.Values {
			out.Items = append(out.Items, r.convert(v, depth+1))
		}
	case *ast.MappingNode:
		r.mapping(&out, n.Values, depth)
	case *ast.MappingValueNode:
		r.mapping(&out, []*ast.MappingValueNode{n}, depth)
	default:
		r.Bad(out.Line, "%s: write it out", strings.ToLower(n.Type().String()))
	}
	return out
}

func (r *Reader) mapping(out *Node, values []*ast.MappingValueNode, depth int) {
	out.Kind = Mapping
	lines := map[string]int{} // of the keys
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			r.Bad(lineOf(v.Key), "the key %s is no word", v.Key.String())
			continue
		}
		if line, twice := lines[key.Value]; twice {
			r.Bad(lineOf(key), "%q is there twice, in line %d already", key.Value, line)
			continue
		}
		lines[key.Value] = lineOf(key)
		out.Entries = append(out.Entries, Entry{key.Value, lineOf(key), r.convert(v.Value, depth+1)})
	}
	if len(out.Entries) > 0 {
		out.Line = out.Entries[0].Line
	}
}

// Plain is a node as encoding/json takes it.
func (n Node) Plain() any {
	switch n.Kind {
	case Scalar:
		return n.Value
	case List:
		out := make([]any, len(n.Items))
		for i, v := range n.Items {
			out[i] = v.Plain()
		}
		return out
	case Mapping:
		out := map[string]any{}
		for _, e := range n.Entries {
			out[e.Key] = e.Value.Plain()
		}
		return out
	}
	return nil
}

// String names what a node is, for people: a scalar as it is written.
func (n Node) String() string {
	switch n.Kind {
	case Scalar:
		return n.Source
	case List:
		return "a list"
	case Mapping:
		return "a mapping"
	}
	return "nothing"
}

// Whole returns a scalar that is a whole number and not negative.
func (n Node) Whole() (uint64, bool) {
	switch v := n.Value.(type) {
	case uint64:
		return v, true
	case int64:
		return uint64(v), v >= 0
	}
	return 0, false
}

// Entry returns a mapping's entry, nil where there is none.
func (n Node) Entry(key string) *Entry {
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return &n.Entries[i]
		}
	}
	return nil
}

// Fields reads a mapping: each entry by its own function, unknown ones refused
// with the known ones. what names the mapping for people.
func (r *Reader) Fields(n Node, what string, read map[string]func(Entry)) {
	if n.Kind != Mapping {
		if n.Line > 0 {
			r.Bad(n.Line, "%s is %s, it must be a mapping", what, n)
		}
		return
	}
	for _, e := range n.Entries {
		if f, ok := read[e.Key]; ok {
			f(e)
			continue
		}
		known := slices.Sorted(maps.Keys(read))
		r.Bad(e.Line, "unknown field %q of %s (known: %s)", e.Key, what, strings.Join(known, ", "))
	}
}

// Need reports a field that a section lacks, unless what is wrong with it has
// been told.
func (r *Reader) Need(section Entry, field string, there bool) {
	if there || section.Value.Kind != Mapping {
		return
	}
	e := section.Value.Entry(field)
	switch {
	case e == nil:
		r.Bad(section.Line, "%q lacks %q", section.Key, field)
	case e.Value.Kind == List && len(e.Value.Items) == 0, e.Value.Kind == Mapping && len(e.Value.Entries) == 0:
		r.Bad(e.Line, "%q is empty", field)
	}
}

// Text reads text, without the space around it.
func (r *Reader) Text(to *string) func(Entry) {
	return func(e Entry) {
		s, ok := e.Value.Value.(string)
		if !ok {
			r.Bad(e.Line, "%q is %s, it must be text", e.Key, e.Value)
			return
		}
		*to = strings.TrimSpace(s)
	}
}

// Flag reads a truth value.
func (r *Reader) Flag(to *bool) func(Entry) {
	return func(e Entry) {
		b, ok := e.Value.Value.(bool)
		if !ok {
			r.Bad(e.Line, "%q is %s, it must be true or false", e.Key, e.Value)
			return
		}
		*to = b
	}
}

// Number reads a whole number from least to MaxNumber.
func (r *Reader) Number(to *int, least int) func(Entry) {
	return func(e Entry) {
		v, ok := e.Value.Whole()
		if !ok || v > MaxNumber || int(v) < least {
			r.Bad(e.Line, "%q is %s, it must be a whole number from %d to %d", e.Key, e.Value, least, MaxNumber)
			return
		}
		*to = int(v)
	}
}

// Seed reads a whole number of any size.
func (r *Reader) Seed(to *uint64) func(Entry) {
	return func(e Entry) {
		v, ok := e.Value.Whole()
		if !ok {
			r.Bad(e.Line, "%q is %s, it must be a whole number", e.Key, e.Value)
			return
		}
		*to = v
	}
}

// Real reads a positive number, at most MaxNumber.
func (r *Reader) Real(to *float64) func(Entry) {
	return func(e Entry) {
		v, ok := e.Value.Value.(float64)
		if u, isWhole := e.Value.Whole(); isWhole {
			v, ok = float64(u), true
		}
		if !ok || !(v > 0) || v > MaxNumber {
			r.Bad(e.Line, "%q is %s, it must be a positive number", e.Key, e.Value)
			return
		}
		*to = v
	}
}

// Words reads a list of words that differ; check, unless nil, sees each with
// its line.
func (r *Reader) Words(to *[]string, check func(line int, word string)) func(Entry) {
	return func(e Entry) {
		if e.Value.Kind != List {
			r.Bad(e.Line, "%q is %s, it must be a list", e.Key, e.Value)
			return
		}
		*to = []string{}
		seen := map[string]bool{}
		for _, v := range e.Value.Items {
			s, ok := v.Value.(string)
			switch {
			case !ok || strings.TrimSpace(s) == "":
				r.Bad(v.Line, "%q holds %s, it must hold words", e.Key, v)
			case seen[s]:
				r.Bad(v.Line, "%q holds %q twice", e.Key, s)
			default:
				seen[s] = true
				*to = append(*to, s)
				if check != nil {
					check(v.Line, s)
				}
			}
		}
	}
}

// Seeds reads a list of whole numbers that differ, at least one.
func (r *Reader) Seeds(to *[]uint64) func(Entry) {
	return func(e Entry) {
		if e.Value.Kind != List || len(e.Value.Items) == 0 {
			r.Bad(e.Line, "%q is %s, it must be a list of whole numbers", e.Key, e.Value)
			return
		}
		*to = nil
		seen := map[uint64]bool{}
		for _, v := range e.Value.Items {
			s, ok := v.Whole()
			switch {
			case !ok:
				r.Bad(v.Line, "%q holds %s, it must hold whole numbers", e.Key, v)
			case seen[s]:
				r.Bad(v.Line, "%q holds %d twice", e.Key, s)
			default:
				seen[s] = true
				*to = append(*to, s)
			}
		}
	}
}
