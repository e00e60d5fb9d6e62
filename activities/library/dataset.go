package library

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/external"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/search"
)

// DatasetRecord is the value of names/dataset/<task name>.
type DatasetRecord struct {
	Name string `json:"name"`
	// Ref references the encoded task.
	Ref  store.Ref `json:"ref"`
	Card data.Card `json:"card"`
}

// task is what a search knows of the task.
func (r *DatasetRecord) task() search.Task {
	t := search.Task{Name: r.Name, Kind: string(r.Card.Kind()), Data: string(r.Ref)}
	if e := r.Card.External; e != nil {
		t.Data, t.Parameters = "", e.Parameters
		if e.Attached != nil {
			t.Data = e.Attached.Ref
		}
	}
	return t
}

// PublishExternal stores an external task, with the object that is attached to it, or
// nil, and gives it its name. What is wrong with it is ErrInvalid.
func PublishExternal(
	ctx context.Context, s store.Store, spec external.Spec, object []byte, o data.Options, overwrite bool,
) (*external.Task, store.Ref, error) {
	if spec.Attached != nil {
		a := *spec.Attached
		a.Ref, a.Bytes = string(store.RefOf(object)), int64(len(object))
		spec.Attached = &a
	}
	t, err := external.Build(spec, o)
	if err != nil {
		return nil, "", Invalid(err)
	}
	if spec.Attached != nil {
		if _, err := s.Put(ctx, object); err != nil {
			return nil, "", fmt.Errorf("what is attached to the task %q: %w", o.Name, err)
		}
	}
	ref, err := PublishTask(ctx, s, t, overwrite)
	return t, ref, err
}

// PublishTask stores a task of any kind and gives it its name: see publishObject.
func PublishTask(ctx context.Context, s store.Store, t data.Task, overwrite bool) (store.Ref, error) {
	return publishObject(ctx, s, datasets, t.TaskName(), t, func(ref store.Ref) DatasetRecord {
		return DatasetRecord{t.TaskName(), ref, *t.Describe()}
	}, overwrite)
}

// Dataset reads a task's record: its object and its card.
func Dataset(ctx context.Context, s store.Store, name string) (DatasetRecord, error) {
	return datasets.read(ctx, s, name)
}

// Datasets lists the imported tasks, by name: see records.list.
func Datasets(ctx context.Context, s store.Store) ([]DatasetRecord, error) {
	return datasets.list(ctx, s)
}

// LoadTask reads a task by its name; one of another kind than T is an error.
func LoadTask[T data.Task](ctx context.Context, s store.Store, name string) (t T, ref store.Ref, err error) {
	record, err := Dataset(ctx, s, name)
	if err != nil {
		return t, "", err
	}
	decoded, err := open(ctx, s, fmt.Sprintf("task %q", name), record.Ref, kinds.Decode)
	if err != nil {
		return t, "", err
	}
	t, ok := decoded.(T)
	if !ok {
		return t, "", fmt.Errorf("task %q is of %ss, not of %ss", name, decoded.Kind(), t.Kind())
	}
	return t, record.Ref, nil
}

// CardOf reads the card of a search's task.
func CardOf(ctx context.Context, s store.Store, t search.Task) (*data.Card, error) {
	record, err := datasets.get(ctx, s, t.Name)
	switch {
	case err == nil && reflect.DeepEqual(record.task(), t):
		return &record.Card, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	// The name has gone, or stands for other data now.
	if t.Kind == string(data.External) {
		return external.CardOf(t.Name, t.Parameters)
	}
	decoded, err := open(ctx, s, fmt.Sprintf("task %q", t.Name), store.Ref(t.Data), kinds.Decode)
	if err != nil {
		return nil, err
	}
	return decoded.Describe(), nil
}
