package library

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/nn/safetensors"
)

// DatasetRecord is the value of names/dataset/<task name>.
type DatasetRecord struct {
	// Ref references the encoded task.
	Ref  store.Ref `json:"ref"`
	Card data.Card `json:"card"`
}

// Name is the task's name.
func (d DatasetRecord) Name() string { return d.Card.Options.Name }

// PublishTask stores a text task and gives it its name: see publishObject.
func PublishTask(ctx context.Context, s store.Store, t *text.Task, overwrite bool) (store.Ref, error) {
	return publishObject(ctx, s, datasets, t.Name, t, func(ref store.Ref) DatasetRecord { return DatasetRecord{ref, t.Card} }, overwrite)
}

// PublishImageTask stores an image task and gives it its name: see publishObject.
func PublishImageTask(ctx context.Context, s store.Store, t *image.Task, overwrite bool) (store.Ref, error) {
	return publishObject(ctx, s, datasets, t.Name, t, func(ref store.Ref) DatasetRecord { return DatasetRecord{ref, t.Card} }, overwrite)
}

// Dataset reads a task's record: its object and its card.
func Dataset(ctx context.Context, s store.Store, name string) (DatasetRecord, error) {
	return datasets.read(ctx, s, name)
}

// Datasets lists the imported tasks, by name: see records.list.
func Datasets(ctx context.Context, s store.Store) ([]DatasetRecord, error) {
	return datasets.list(ctx, s)
}

// LoadTask reads a text task by its name.
func LoadTask(ctx context.Context, s store.Store, name string) (*text.Task, store.Ref, error) {
	return loadTask(ctx, s, name, data.Text, text.Decode)
}

// LoadImageTask reads an image task by its name.
func LoadImageTask(ctx context.Context, s store.Store, name string) (*image.Task, store.Ref, error) {
	return loadTask(ctx, s, name, data.Image, image.Decode)
}

func loadTask[T any](ctx context.Context, s store.Store, name string, of data.Kind, decode func([]byte) (*T, error)) (*T, store.Ref, error) {
	record, err := Dataset(ctx, s, name)
	if err != nil {
		return nil, "", err
	}
	if is := record.Card.Kind(); is != of {
		return nil, "", fmt.Errorf("task %q is of %ss, not of %ss", name, is, of)
	}
	t, err := open(ctx, s, fmt.Sprintf("task %q", name), record.Ref, decode)
	return t, record.Ref, err
}

// CardOf reads the card of a search's task, of texts or of images.
func CardOf(ctx context.Context, s store.Store, t search.Task) (*data.Card, error) {
	record, err := datasets.get(ctx, s, t.Name)
	switch {
	case err == nil && string(record.Ref) == t.Data:
		return &record.Card, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	// The name has gone, or stands for other data now.
	return open(ctx, s, fmt.Sprintf("task %q", t.Name), store.Ref(t.Data), decodeCard)
}

// decodeCard reads the card of a task's object, of texts or of images.
func decodeCard(b []byte) (*data.Card, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, err
	}
	if image.IsTask(f) {
		t, err := image.Decode(b)
		if err != nil {
			return nil, err
		}
		return &t.Card, nil
	}
	t, err := text.Decode(b)
	if err != nil {
		return nil, err
	}
	return &t.Card, nil
}
