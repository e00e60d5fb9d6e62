package exchange

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// fields decodes a message: of each field its values, numbers as the wire has them.
func fields(t *testing.T, b []byte) map[protowire.Number][][]byte {
	t.Helper()
	out := map[protowire.Number][][]byte{}
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		b = b[size:]
		var v []byte
		if kind == protowire.BytesType {
			v, size = protowire.ConsumeBytes(b)
		} else if size = protowire.ConsumeFieldValue(n, kind, b); size > 0 {
			v = b[:size]
		}
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		out[n], b = append(out[n], v), b[size:]
	}
	return out
}

// events decodes a file of TensorFlow's records, and checks their sums.
func events(t *testing.T, b []byte) (out []map[protowire.Number][][]byte) {
	t.Helper()
	unmasked := func(v uint32) uint32 { v -= 0xa282ead8; return v>>17 | v<<15 }
	sum := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
	for len(b) > 0 {
		n := int(binary.LittleEndian.Uint64(b))
		if unmasked(binary.LittleEndian.Uint32(b[8:])) != sum(b[:8]) || unmasked(binary.LittleEndian.Uint32(b[12+n:])) != sum(b[12:12+n]) {
			t.Fatal("a record's checksum is wrong")
		}
		out, b = append(out, fields(t, b[12:12+n])), b[16+n:]
	}
	if len(out) == 0 || string(out[0][3][0]) != "brain.Event:2" {
		t.Fatal("the file does not say what it is")
	}
	return out[1:]
}

type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }

// hparams is what the plugin of that name is given by an event.
func hparams(t *testing.T, e map[protowire.Number][][]byte) (tag string, data map[protowire.Number][][]byte) {
	t.Helper()
	value := fields(t, fields(t, e[5][0])[1][0])
	if len(value[9]) == 0 {
		return "", nil
	}
	plugin := fields(t, fields(t, value[9][0])[1][0])
	if string(plugin[1][0]) != "hparams" {
		t.Fatalf("plugin %q", plugin[1][0])
	}
	return string(value[1][0]), fields(t, plugin[2][0])
}

// word writes a google.protobuf.Value.
func word(t *testing.T, b []byte) string {
	v := fields(t, b)
	switch {
	case v[2] != nil:
		return fmt.Sprint(math.Float64frombits(binary.LittleEndian.Uint64(v[2][0])))
	case v[3] != nil:
		return string(v[3][0])
	}
	return fmt.Sprint(v[4][0][0] == 1)
}

// TensorBoard's files are whole, and say of each trial its parameters, metrics and how it
// ended, with the space's options as the parameters' domains.
func TestTensorBoard(t *testing.T) {
	l := made("t", space.Minimise, 2, 12)
	l.Trials[3].Curve = []trainer.Point{{Step: 20, Value: 3}, {Step: l.Trials[3].Steps, Value: 2}} // the last is its metrics'
	files := map[string]*buffer{}
	err := WriteTensorBoard(l, 1e9, func(path string) (io.WriteCloser, error) {
		files[path] = &buffer{}
		return files[path], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 13 {
		t.Fatalf("%d files", len(files))
	}
	const file = "events.out.tfevents.1000000000.tnaml"
	tag, data := hparams(t, events(t, files[file].Bytes())[0])
	experiment := fields(t, data[2][0])
	var infos, metrics []string
	for _, b := range experiment[4] {
		info := fields(t, b)
		var domain []string
		for _, v := range fields(t, info[5][0])[1] {
			domain = append(domain, word(t, v))
		}
		infos = append(infos, fmt.Sprintf("%s %d %v", info[1][0], info[4][0][0], domain))
	}
	for _, b := range experiment[5] {
		metrics = append(metrics, string(fields(t, fields(t, b)[1][0])[2][0]))
	}
	want := []string{"layers 3 [1 2 3]", "width 3 [16 64 256]", "rate 3 [1e-05 0.1 1]", "words 2 [true false]",
		`kernel 1 [a "b" <c> =1+1 rbf]`, "task 1 [task-0 task-1]"}
	if tag != "_hparams_/experiment" || !slices.Equal(infos, want) ||
		!slices.Equal(metrics, []string{"latency_ms", "test_loss", "validation_loss"}) || string(experiment[6][0]) != "t" {
		t.Errorf("%s: %q, metrics %q", tag, infos, metrics)
	}
	on := 0
	for _, r := range l.Trials {
		all := events(t, files[fmt.Sprintf("trial-%06d/%s", r.Trial, file)].Bytes())
		choices, _ := l.Config.Space.Values(r.Actions)
		choices["task"] = l.Config.Tasks[r.Task].Name
		tag, data := hparams(t, all[0])
		if tag != "_hparams_/session_start_info" {
			t.Errorf("trial %d begins with %s", r.Trial, tag)
		}
		got := map[string]string{}
		for _, entry := range fields(t, data[3][0])[1] {
			e := fields(t, entry)
			got[string(e[1][0])] = word(t, e[2][0])
		}
		for name, v := range choices {
			if got[name] != fmt.Sprint(v) {
				t.Errorf("trial %d: %s is %s, want %v", r.Trial, name, got[name], v)
			}
		}
		tag, data = hparams(t, all[len(all)-1])
		if status := fields(t, data[4][0])[1][0][0]; tag != "_hparams_/session_end_info" || (status == 1) != r.OK() {
			t.Errorf("trial %d ended as %d (%s)", r.Trial, status, tag)
		}
		scalars := map[string]float64{}
		for _, e := range all[1 : len(all)-1] {
			switch step, _ := protowire.ConsumeVarint(e[2][0]); {
			case step == 20 && r.Trial == 3:
				v := fields(t, fields(t, e[5][0])[1][0])
				got := math.Float32frombits(binary.LittleEndian.Uint32(v[2][0]))
				if on++; string(v[1][0]) != "validation_loss" || got != 3 {
					t.Errorf("%s is %v on the way", v[1][0], got)
				}
			case int(step) != r.Steps:
				t.Errorf("trial %d: step %d", r.Trial, step)
			}
			for _, b := range fields(t, e[5][0])[1] {
				v := fields(t, b)
				scalars[string(v[1][0])] = float64(math.Float32frombits(binary.LittleEndian.Uint32(v[2][0])))
			}
		}
		for name, v := range r.Metrics {
			if scalars[name] != float64(float32(v)) {
				t.Errorf("trial %d: %s is %v, want %v", r.Trial, name, scalars[name], v)
			}
		}
		if len(scalars) != len(r.Metrics) {
			t.Errorf("trial %d has %v", r.Trial, scalars)
		}
	}
	if on != 1 {
		t.Errorf("%d points on the way", on)
	}
	failing := func(string) (io.WriteCloser, error) { return nil, io.ErrShortWrite }
	if err := WriteTensorBoard(l, 0, failing); err == nil || !strings.Contains(err.Error(), "short") {
		t.Error(err)
	}
}
