package exchange

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
)

// WriteTensorBoard writes a ledger as TensorBoard's event files, which create makes by
// their paths: one that says what the parameters and metrics are, and one for each trial
// in a folder of its own, trial-000017, with its curve and its metrics as scalars, those
// at its last step, and what the HParams tab takes its rows from. at is when, in seconds since 1970.
func WriteTensorBoard(l Ledger, at float64, create func(path string) (io.WriteCloser, error)) error {
	file := fmt.Sprintf("events.out.tfevents.%010d.tnaml", int64(at))
	write := func(path string, events ...[]byte) error {
		w, err := create(path)
		if err != nil {
			return err
		}
		b := framed(nil, event(at, 0, 3, []byte("brain.Event:2")))
		for _, e := range events {
			b = framed(b, e)
		}
		if _, err = w.Write(b); err != nil {
			_ = w.Close() // the first error is the one
			return fmt.Errorf("writing %s: %w", path, err)
		}
		return w.Close()
	}
	if err := write(file, event(at, 0, 5, plugin("_hparams_/experiment", 2, experimentOf(&l, at)))); err != nil {
		return err
	}
	objective := CurveMetric(l.Trials, l.Config.Space.Objective)
	for _, t := range l.Trials {
		name := fmt.Sprintf("trial-%06d", t.Trial)
		status := uint64(2)
		if t.OK() {
			status = 1
		}
		on, step := Way(t, objective)
		events := [][]byte{event(at, 0, 5, plugin("_hparams_/session_start_info", 3, sessionOf(&l, t, name, at)))}
		for _, p := range on {
			events = append(events, event(at, p.Step, 5, scalar(nil, objective, p.Value)))
		}
		var scalars []byte
		for _, metric := range slices.Sorted(maps.Keys(t.Metrics)) {
			scalars = scalar(scalars, metric, t.Metrics[metric])
		}
		if len(scalars) > 0 {
			events = append(events, event(at, step, 5, scalars))
		}
		end := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), status)
		events = append(events, event(at, step, 5, plugin("_hparams_/session_end_info", 4, double(end, 2, at))))
		if err := write(name+"/"+file, events...); err != nil {
			return err
		}
	}
	return nil
}

// scalar appends a value of a message Summary.
func scalar(b []byte, metric string, v float64) []byte {
	value := bytesField(nil, 1, []byte(metric))
	value = protowire.AppendTag(value, 2, protowire.Fixed32Type)
	return bytesField(b, 1, protowire.AppendFixed32(value, math.Float32bits(float32(v))))
}

// experimentOf is the message Experiment (tensorboard/plugins/hparams/api.proto).
func experimentOf(l *Ledger, at float64) []byte {
	b := bytesField(double(nil, 3, at), 6, []byte(l.Name))
	for _, c := range l.Config.Space.Choices {
		var values []byte
		for _, o := range c.Options {
			values = bytesField(values, 1, valueOf(o))
		}
		b = bytesField(b, 4, hparam(c.Name, c.Options[0], values))
	}
	if len(l.Config.Tasks) > 1 {
		var values []byte
		for _, t := range l.Config.Tasks {
			values = bytesField(values, 1, valueOf(t.Name))
		}
		b = bytesField(b, 4, hparam(attrTask, "", values))
	}
	metrics := map[string]bool{}
	for _, t := range l.Trials {
		for name := range t.Metrics {
			metrics[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		info := bytesField(nil, 1, bytesField(nil, 2, []byte(name)))
		if strings.HasPrefix(name, "validation_") {
			info = protowire.AppendVarint(protowire.AppendTag(info, 5, protowire.VarintType), 2)
		}
		b = bytesField(b, 5, info)
	}
	return b
}

// hparam is a message HParamInfo with a discrete domain; like says of what type it is.
func hparam(name string, like any, values []byte) []byte {
	kind := uint64(3) // of numbers
	switch like.(type) {
	case string:
		kind = 1
	case bool:
		kind = 2
	}
	b := bytesField(nil, 1, []byte(name))
	b = protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), kind)
	return bytesField(b, 5, values)
}

// sessionOf is the message SessionStartInfo (plugin_data.proto) of a trial.
func sessionOf(l *Ledger, t search.Trial, name string, at float64) []byte {
	var b []byte
	put := func(name string, v any) {
		b = bytesField(b, 1, bytesField(bytesField(nil, 1, []byte(name)), 2, valueOf(v))) // an entry of a map
	}
	for k, c := range l.Config.Space.Choices {
		put(c.Name, c.Options[t.Actions[k]])
	}
	if len(l.Config.Tasks) > 1 {
		put(attrTask, l.Config.Tasks[t.Task].Name)
	}
	return double(bytesField(b, 4, []byte(name)), 5, at)
}

// valueOf is a message google.protobuf.Value.
func valueOf(option any) []byte {
	switch o := option.(type) {
	case bool:
		return protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), protowire.EncodeBool(o))
	case int64:
		return double(nil, 2, float64(o))
	case float64:
		return double(nil, 2, o)
	}
	return bytesField(nil, 3, []byte(space.List([]any{option})))
}

// plugin is a message Summary with what the plugin hparams takes: the field of its data
// that is set.
func plugin(tag string, field protowire.Number, data []byte) []byte {
	content := bytesField(nil, field, data) // of version 0
	metadata := bytesField(nil, 1, bytesField(bytesField(nil, 1, []byte("hparams")), 2, content))
	return bytesField(nil, 1, bytesField(bytesField(nil, 1, []byte(tag)), 9, metadata))
}

// event is a message Event (tensorboard/compat/proto/event.proto) with one field set.
func event(at float64, step int, field protowire.Number, what []byte) []byte {
	b := double(nil, 1, at)
	if step > 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(step))
	}
	return bytesField(b, field, what)
}

func bytesField(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func double(b []byte, field protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), math.Float64bits(v))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the checksum of TensorFlow's records: CRC-32C, rotated, and a constant added.
func masked(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// framed appends a record: its length, that one's checksum, the record, its checksum.
func framed(b, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(append(b, length...), masked(length))
	return binary.LittleEndian.AppendUint32(append(b, data...), masked(data))
}
