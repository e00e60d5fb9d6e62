// Package safetensors reads and writes the safetensors container: named dense
// arrays behind a JSON header. Every binary object of the project (task,
// module, checkpoint, controller, model) is one such file, so that it can be
// opened with the field's ordinary tools.
//
// Layout (https://huggingface.co/docs/safetensors): an 8-byte little-endian
// header length n; n bytes of JSON, {"name":{"dtype","shape","data_offsets"},
// "__metadata__":{string:string}}; then the arrays, little-endian, row-major,
// back to back in header order. This writer is canonical: names sorted, header
// padded with spaces to a multiple of 8. Equal contents give equal bytes.
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
)

// maxHeader bounds the header of a file read, against hostile input.
const maxHeader = 100 << 20

// File is a decoded container. Tensors are added with Put and read with Get.
type File struct {
	// Metadata holds free strings; by the project's convention "kind" names
	// what the object is and the other keys hold JSON.
	Metadata map[string]string
	tensors  map[string]tensor
}

type tensor struct {
	dtype string
	shape []int
	data  any // one of the slices of Element
}

// Element is the set of array element types of the container that we use.
type Element interface {
	float32 | float64 | int32 | int64 | uint64 | uint8
}

// New returns an empty file whose metadata says its kind.
func New(kind string) *File {
	return &File{Metadata: map[string]string{"kind": kind}, tensors: map[string]tensor{}}
}

// Kind returns what the object says it is.
func (f *File) Kind() string { return f.Metadata["kind"] }

func dtypeOf(v any) (name string, size int) {
	switch v.(type) {
	case []float32:
		return "F32", 4
	case []float64:
		return "F64", 8
	case []int32:
		return "I32", 4
	case []int64:
		return "I64", 8
	case []uint64:
		return "U64", 8
	case []uint8:
		return "U8", 1
	}
	panic(fmt.Sprintf("safetensors: unsupported element type %T", v))
}

// Put stores an array under a name; the data is not copied. With no shape the
// array is one-dimensional. It panics when the shape's product is not
// len(data), or when the name is reserved or already taken: programmer errors.
func Put[T Element](f *File, name string, data []T, shape ...int) {
	if len(shape) == 0 {
		shape = []int{len(data)}
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	if n != len(data) {
		panic(fmt.Sprintf("safetensors: %s has %d elements for shape %v", name, len(data), shape))
	}
	if _, taken := f.tensors[name]; taken || name == "__metadata__" {
		panic("safetensors: name taken: " + name)
	}
	dt, _ := dtypeOf(data)
	f.tensors[name] = tensor{dtype: dt, shape: slices.Clone(shape), data: data}
}

// Get returns an array and its shape. It is an error when the name is absent,
// the element type differs, or (with dims given) the shape differs; a negative
// dim matches anything.
func Get[T Element](f *File, name string, dims ...int) ([]T, []int, error) {
	t, ok := f.tensors[name]
	if !ok {
		return nil, nil, fmt.Errorf("safetensors: no array %q in %s", name, f.Kind())
	}
	data, ok := t.data.([]T)
	if !ok {
		return nil, nil, fmt.Errorf("safetensors: array %q holds %s, not %T", name, t.dtype, data)
	}
	if len(dims) > 0 {
		same := len(dims) == len(t.shape)
		for i := 0; same && i < len(dims); i++ {
			same = dims[i] < 0 || dims[i] == t.shape[i]
		}
		if !same {
			return nil, nil, fmt.Errorf("safetensors: array %q has shape %v, want %v", name, t.shape, dims)
		}
	}
	return data, t.shape, nil
}

// Has reports whether an array of that name is present.
func (f *File) Has(name string) bool { _, ok := f.tensors[name]; return ok }

// Names lists the arrays, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.tensors)) }

// PutJSON stores v as JSON in the metadata under a key. It panics where v
// cannot be marshalled: a programmer error.
func (f *File) PutJSON(key string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("safetensors: " + err.Error())
	}
	f.Metadata[key] = string(b)
}

// GetJSON decodes the metadata under a key into v.
func (f *File) GetJSON(key string, v any) error {
	s, ok := f.Metadata[key]
	if !ok {
		return fmt.Errorf("safetensors: no metadata %q in %s", key, f.Kind())
	}
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return fmt.Errorf("safetensors: metadata %q: %w", key, err)
	}
	return nil
}

type entry struct {
	DType   string `json:"dtype"`
	Shape   dims   `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// dims is an array's shape. An array of ours has two dimensions at most; that of others, some.
type dims []int

const maxDims = 32

// UnmarshalJSON refuses too many dimensions before there is room for them.
func (d *dims) UnmarshalJSON(b []byte) error {
	if bytes.Count(b, []byte{','}) >= maxDims {
		return fmt.Errorf("a shape of more than %d dimensions", maxDims)
	}
	return json.Unmarshal(b, (*[]int)(d))
}

// span is an array as the header has it.
type span struct {
	name string
	entry
}

// header reads a header, entry by entry: the first that is wrong ends it, so that one of a
// hundred megabytes takes little more than it is long.
func header(b []byte) (metadata map[string]string, spans []span, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	bad := func(err error) error { return fmt.Errorf("safetensors: header: %w", err) }
	t, err := d.Token()
	if err != nil {
		return nil, nil, bad(err)
	}
	if t != json.Delim('{') {
		return nil, nil, bad(fmt.Errorf("it is no JSON object: it begins with %v", t))
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, bad(err)
		}
		name := t.(string) // the decoder takes nothing else for a key
		if name == "__metadata__" {
			if err := d.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("safetensors: metadata: %w", err)
			}
			continue
		}
		s := span{name: name}
		if err := d.Decode(&s.entry); err != nil {
			return nil, nil, fmt.Errorf("safetensors: array %q: %w", name, err)
		}
		if _, err := sizeOf(s.DType); err != nil {
			return nil, nil, fmt.Errorf("safetensors: array %q: %w", name, err)
		}
		spans = append(spans, s)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, bad(err)
	}
	if rest := bytes.TrimSpace(b[d.InputOffset():]); len(rest) > 0 {
		return nil, nil, bad(fmt.Errorf("%d bytes after its end", len(rest)))
	}
	return metadata, spans, nil
}

// Encode returns the canonical bytes of the file.
func (f *File) Encode() []byte {
	entries := map[string]any{}
	if len(f.Metadata) > 0 {
		entries["__metadata__"] = f.Metadata
	}
	off := 0
	names := f.Names()
	for _, name := range names {
		t := f.tensors[name]
		_, size := dtypeOf(t.data)
		n := size
		for _, d := range t.shape {
			n *= d
		}
		entries[name] = entry{t.dtype, t.shape, [2]int{off, off + n}}
		off += n
	}
	h, err := json.Marshal(entries) // map keys are sorted by encoding/json
	if err != nil {
		panic("safetensors: " + err.Error())
	}
	for len(h)%8 != 0 {
		h = append(h, ' ')
	}
	out := make([]byte, 8, 8+len(h)+off)
	binary.LittleEndian.PutUint64(out, uint64(len(h)))
	out = append(out, h...)
	for _, name := range names {
		if out, err = binary.Append(out, binary.LittleEndian, f.tensors[name].data); err != nil {
			panic("safetensors: " + err.Error())
		}
	}
	return out
}

// DecodeKind is Decode of an object that must be of a kind.
func DecodeKind(b []byte, kind string) (*File, error) {
	f, err := Decode(b)
	if err == nil && f.Kind() != kind {
		return nil, fmt.Errorf("the object is of kind %q, not %q", f.Kind(), kind)
	}
	return f, err
}

// Decode parses a container. Arrays are copied out of b. Every inconsistency
// (short file, overlapping or missing bytes, unknown type) is an error.
func Decode(b []byte) (*File, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("safetensors: %d bytes is shorter than a header", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil, fmt.Errorf("safetensors: header of %d bytes does not fit a file of %d", n, len(b))
	}
	body := b[8+n:]
	metadata, spans, err := header(b[8 : 8+n])
	if err != nil {
		return nil, err
	}
	if metadata == nil { // there was none, or null
		metadata = map[string]string{}
	}
	f := &File{Metadata: metadata, tensors: make(map[string]tensor, len(spans))}
	slices.SortFunc(spans, func(a, b span) int {
		if a.Offsets != b.Offsets {
			return slices.Compare(a.Offsets[:], b.Offsets[:])
		}
		return bytes.Compare([]byte(a.name), []byte(b.name))
	})
	at := 0
	for _, s := range spans {
		if s.Offsets[0] != at || s.Offsets[1] < at || s.Offsets[1] > len(body) {
			return nil, fmt.Errorf("safetensors: array %q: offsets %v do not follow byte %d of %d", s.name, s.Offsets, at, len(body))
		}
		if _, there := f.tensors[s.name]; there {
			return nil, fmt.Errorf("safetensors: array %q: it is there twice", s.name)
		}
		at = s.Offsets[1]
		t, err := decodeTensor(s.entry, body[s.Offsets[0]:s.Offsets[1]])
		if err != nil {
			return nil, fmt.Errorf("safetensors: array %q: %w", s.name, err)
		}
		f.tensors[s.name] = t
	}
	if at != len(body) {
		return nil, fmt.Errorf("safetensors: %d bytes after the last array", len(body)-at)
	}
	return f, nil
}

// sizeOf is the number of bytes of an element.
func sizeOf(dtype string) (int, error) {
	switch dtype {
	case "F32", "I32":
		return 4, nil
	case "F64", "I64", "U64":
		return 8, nil
	case "U8":
		return 1, nil
	}
	return 0, fmt.Errorf("unknown dtype %q (known: F32 F64 I32 I64 U64 U8)", dtype)
}

func decodeTensor(e entry, b []byte) (tensor, error) {
	n := 1
	for _, d := range e.Shape {
		if d < 0 || (d > 0 && n > math.MaxInt32*64/d) {
			return tensor{}, fmt.Errorf("impossible shape %v", e.Shape)
		}
		n *= d
	}
	t := tensor{dtype: e.DType, shape: e.Shape}
	size, err := sizeOf(e.DType)
	if err != nil {
		return tensor{}, err
	}
	if n*size != len(b) {
		return tensor{}, fmt.Errorf("shape %v of %s needs %d bytes, has %d", e.Shape, e.DType, n*size, len(b))
	}
	switch e.DType {
	case "F32":
		t.data = make([]float32, n)
	case "F64":
		t.data = make([]float64, n)
	case "I32":
		t.data = make([]int32, n)
	case "I64":
		t.data = make([]int64, n)
	case "U64":
		t.data = make([]uint64, n)
	case "U8":
		t.data = make([]uint8, n)
	}
	if _, err := binary.Decode(b, binary.LittleEndian, t.data); err != nil {
		return tensor{}, err
	}
	return t, nil
}
