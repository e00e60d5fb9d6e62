package kinds

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/data/external"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/table"
	"tnaml/experiments/data/text"
	nnimage "tnaml/nn/image"
	"tnaml/nn/safetensors"
)

// tasks has a task of each kind.
func tasks(t *testing.T) []data.Task {
	t.Helper()
	var examples []text.Example
	set := &image.Set{Images: nnimage.Images{Height: 2, Width: 2, Channels: 1}, Classes: []string{"even", "odd"}}
	for i := range 40 {
		examples = append(examples, text.Example{Text: fmt.Sprintf("the number %d", i), Label: set.Classes[i%2]})
		set.Pixels = append(set.Pixels, byte(i), byte(i/2), byte(i/3), 9)
		set.Labels, set.Splits = append(set.Labels, int32(i%2)), append(set.Splits, "")
	}
	texts, err1 := text.Build(examples, data.Options{Name: "words"})
	images, err2 := image.Build(set, data.Options{Name: "pictures", MinCount: 7})
	rows := []table.Row{{Choices: map[string]any{"depth": 1}, Metrics: map[string]float64{"validation": 0.5}}}
	recorded, err3 := table.Build(table.Recorded{Metrics: []string{"validation"}, Rows: rows}, data.Options{Name: "bench", Seed: 7})
	others, err4 := external.Build(external.Spec{Parameters: []byte(`{"fold": 3, "about": {"table": "sales"}}`), Description: "our sales",
		Attached: &data.Attached{Ref: "sha256:x", Name: "sales.csv", Files: 1, Bytes: 9}}, data.Options{Name: "sales"})
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return []data.Task{texts, images, recorded, others}
}

// Whatever the kind, a task is found again from its object and from its card, and
// to complete its options once more changes nothing.
func TestEveryKind(t *testing.T) {
	all := tasks(t)
	if len(all) != len(Table()) {
		t.Fatalf("%d tasks for %d kinds", len(all), len(Table()))
	}
	for i, task := range all {
		d := Table()[i]
		card := task.Describe()
		if task.Kind() != d.Kind || card.Kind() != d.Kind || Of(card).Kind != d.Kind || card.Options.Name != task.TaskName() {
			t.Errorf("task %s is of kind %s, its card %s, in the table %s", task.TaskName(), task.Kind(), card.Kind(), d.Kind)
		}
		if zero := reflect.Zero(reflect.TypeOf(task)).Interface().(data.Task); zero.Kind() != d.Kind {
			t.Errorf("no task of kind %s is of kind %s", d.Kind, zero.Kind())
		}
		back, err := Decode(task.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Encode(), task.Encode()) || !reflect.DeepEqual(back.Describe(), card) {
			t.Errorf("task %s is another one when it has been decoded", task.TaskName())
		}
		if again, err := d.Complete(card.Options); err != nil || again != card.Options {
			t.Errorf("options of %s: %+v, %v", task.TaskName(), again, err)
		}
		if d.Size(card) == "" || len(d.Facts(card)) == 0 {
			t.Errorf("the card of %s says nothing: %q %v", task.TaskName(), d.Size(card), d.Facts(card))
		}
		if found, err := Find(d.Kind); err != nil || found.Container != d.Container {
			t.Errorf("%s: %+v, %v", d.Kind, found, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for want, object := range map[string][]byte{
		"shorter than a header":    nil,
		`is a "model", not a task`: safetensors.New("model").Encode(),
		`no metadata "table"`:      safetensors.New("table").Encode(),
		`no metadata "external"`:   safetensors.New("external").Encode(),
	} {
		if got, err := Decode(object); err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", want, got, err)
		}
	}
	if _, err := Find("sound"); err == nil || !strings.Contains(err.Error(), `"sound" (known: text, image, table, external)`) {
		t.Error(err)
	}
}
