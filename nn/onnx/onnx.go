// Package onnx writes computations in ONNX, which many runtimes run: models of IR version 7
// and operator set 13, as https://onnx.ai/onnx/repo-docs/IR.html has them. The field numbers
// are those of onnx.proto.
package onnx

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	irVersion, operatorSet = 7, 13
	// MaxBytes is the size of the largest model: protocol buffers take no larger ones.
	MaxBytes = math.MaxInt32
)

// Type is the type of an element.
type Type int

// The types.
const (
	Float Type = 1
	Int64 Type = 7
)

// Value is an input or output. A dimension that is a string may have any size, the same in
// all values.
type Value struct {
	Name string
	Type Type
	Dims []any // int or string
}

// Tensor is a constant: of float32, or of int64.
type Tensor struct {
	Name   string
	Dims   []int
	Floats []float32
	Ints   []int64
}

// Node applies an operator. Attributes are int64, float32 or []int64.
type Node struct {
	Operator        string
	Inputs, Outputs []string
	Attributes      map[string]any
}

// Graph is a computation. Nodes come after those whose outputs they take.
type Graph struct {
	Name            string
	Inputs, Outputs []Value
	Constants       []Tensor
	Nodes           []Node
	// Metadata is for people and programs to read.
	Metadata map[string]string
}

// Constant adds a tensor of numbers, and returns its name.
func (g *Graph) Constant(name string, values []float32, dims ...int) string {
	g.Constants = append(g.Constants, Tensor{Name: name, Dims: dims, Floats: values})
	return name
}

// Axes adds a tensor of integers, and returns its name.
func (g *Graph) Axes(axes ...int64) string {
	name := fmt.Sprintf("constant_%d", len(g.Constants))
	g.Constants = append(g.Constants, Tensor{Name: name, Dims: []int{len(axes)}, Ints: axes})
	return name
}

// Scalar adds a number, and returns its name.
func (g *Graph) Scalar(v float32) string {
	return g.Constant(fmt.Sprintf("constant_%d", len(g.Constants)), []float32{v})
}

// Apply adds a node with one output, and returns its name.
func (g *Graph) Apply(operator string, attributes map[string]any, inputs ...string) string {
	out := fmt.Sprintf("%s_%d", operator, len(g.Nodes))
	g.Nodes = append(g.Nodes, Node{Operator: operator, Inputs: inputs, Outputs: []string{out}, Attributes: attributes})
	return out
}

// Encode returns the model. Equal graphs give equal bytes.
func (g *Graph) Encode() ([]byte, error) {
	size := 0
	for _, t := range g.Constants {
		size += 4*len(t.Floats) + 8*len(t.Ints)
	}
	if size > MaxBytes-1<<24 {
		return nil, fmt.Errorf("constants of %d bytes: a model of ONNX has at most %d", size, MaxBytes)
	}
	var b []byte
	b = number(b, 1, irVersion)
	b = text(b, 2, "tnaml")
	b = message(b, 7, g.encode())
	b = message(b, 8, number(nil, 2, operatorSet))
	for _, key := range slices.Sorted(maps.Keys(g.Metadata)) {
		b = message(b, 14, text(text(nil, 1, key), 2, g.Metadata[key]))
	}
	return b, nil
}

func (g *Graph) encode() (b []byte) {
	for _, n := range g.Nodes {
		b = message(b, 1, n.encode())
	}
	b = text(b, 2, g.Name)
	for _, t := range g.Constants {
		b = message(b, 5, t.encode())
	}
	for _, v := range g.Inputs {
		b = message(b, 11, v.encode())
	}
	for _, v := range g.Outputs {
		b = message(b, 12, v.encode())
	}
	return b
}

func (n *Node) encode() (b []byte) {
	for _, name := range n.Inputs {
		b = text(b, 1, name)
	}
	for _, name := range n.Outputs {
		b = text(b, 2, name)
	}
	b = text(b, 3, n.Outputs[0])
	b = text(b, 4, n.Operator)
	for _, name := range slices.Sorted(maps.Keys(n.Attributes)) {
		a := text(nil, 1, name)
		switch v := n.Attributes[name].(type) {
		case float32:
			a = protowire.AppendFixed32(protowire.AppendTag(a, 2, protowire.Fixed32Type), math.Float32bits(v))
			a = number(a, 20, 1)
		case int64:
			a = number(number(a, 3, v), 20, 2)
		case []int64:
			for _, i := range v {
				a = number(a, 8, i)
			}
			a = number(a, 20, 7)
		default:
			panic(fmt.Sprintf("onnx: attribute %s of type %T", name, v))
		}
		b = message(b, 5, a)
	}
	return b
}

func (t *Tensor) encode() (b []byte) {
	for _, d := range t.Dims {
		b = number(b, 1, int64(d))
	}
	kind, raw := Float, make([]byte, 0, 4*len(t.Floats)+8*len(t.Ints))
	for _, v := range t.Floats {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	if t.Ints != nil {
		kind = Int64
		for _, v := range t.Ints {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
	}
	b = number(b, 2, int64(kind))
	b = text(b, 8, t.Name)
	return message(b, 9, raw)
}

func (v *Value) encode() []byte {
	var shape []byte
	for _, d := range v.Dims {
		var dim []byte
		switch d := d.(type) {
		case int:
			dim = number(nil, 1, int64(d))
		case string:
			dim = text(nil, 2, d)
		default:
			panic(fmt.Sprintf("onnx: dimension of type %T", d))
		}
		shape = message(shape, 1, dim)
	}
	tensor := message(number(nil, 1, int64(v.Type)), 2, shape)
	return message(text(nil, 1, v.Name), 2, message(nil, 1, tensor))
}

func number(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func text(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func message(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}
