package vectors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// maxHeader bounds the header of a safetensors file.
const maxHeader = 100 << 20

// fromSafetensors reads one array of a file of any program's, of the types that embeddings
// have; that of nn/safetensors reads ours.
func fromSafetensors(b []byte, name string) (*Matrix, error) {
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil, fmt.Errorf("the safetensors header is said to have %d bytes, the file has %d", n, len(b))
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(bytes.TrimRight(b[8:8+n], " "), &raw); err != nil {
		return nil, fmt.Errorf("the safetensors header: %w", err)
	}
	delete(raw, "__metadata__")
	names := slices.Sorted(maps.Keys(raw))
	if name == "" {
		if len(names) != 1 {
			return nil, fmt.Errorf("the file has %d arrays (%s): name the one with the vectors", len(names), list(names))
		}
		name = names[0]
	}
	if raw[name] == nil {
		return nil, fmt.Errorf("the file has no array %q (there are: %s)", name, list(names))
	}
	var e struct {
		Type    string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw[name], &e); err != nil {
		return nil, fmt.Errorf("array %q: %w", name, err)
	}
	d, ok := decoderOf(map[string]string{"F16": "f2", "BF16": "bf2", "F32": "f4", "F64": "f8"}[e.Type], binary.LittleEndian)
	if !ok {
		return nil, fmt.Errorf("array %q holds %q: F16, BF16, F32 and F64 are read", name, e.Type)
	}
	body := b[8+n:]
	if e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > len(body) {
		return nil, fmt.Errorf("array %q lies at the bytes %v of %d", name, e.Offsets, len(body))
	}
	body = body[e.Offsets[0]:e.Offsets[1]]
	m, err := shaped(e.Shape, d.size, len(body))
	if err != nil {
		return nil, fmt.Errorf("array %q: %w", name, err)
	}
	m.fill(body, d, false)
	return m, nil
}
