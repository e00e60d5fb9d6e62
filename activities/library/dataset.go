package library

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/nn/embedding"
	nnimage "tnaml/nn/image"
	"tnaml/nn/safetensors"
)

// DatasetRecord is the value of names/dataset/<task name>.
type DatasetRecord struct {
	Ref  store.Ref `json:"ref"`
	Card data.Card `json:"card"`
}

// ModuleRecord is the value of names/module/<module name>.
type ModuleRecord struct {
	// Modality is what the module embeds.
	Modality data.Kind `json:"modality,omitempty"`
	Ref      store.Ref `json:"ref"`
	Name     string    `json:"name"`
	Language string    `json:"language"`
	Source   string    `json:"source"`
	Dim      int       `json:"dim"`
	// Tokens is the number of tokens with a vector, 0 for images.
	Tokens int `json:"tokens,omitempty"`
	// Subword is how the module makes vectors of other words, if it does.
	Subword embedding.SubwordKind `json:"subword,omitempty"`
}

// NewModuleRecord is the record of a text module.
func NewModuleRecord(ref store.Ref, m *embedding.Module) ModuleRecord {
	r := ModuleRecord{Ref: ref, Name: m.Name, Language: m.Language, Source: m.Source, Dim: m.Dim, Tokens: len(m.Tokens)}
	if m.Subword != nil {
		r.Subword = m.Subword.Kind
	}
	return r
}

// ErrExists says that a name is taken.
var ErrExists = errors.New("exists already")

// PublishTask stores a task and gives it its name; the name comes last, so
// that nothing is ever half there. A name taken by other data is ErrExists,
// unless overwrite is set; searches that use the old data keep it.
func PublishTask(ctx context.Context, s store.Store, t *text.Task, overwrite bool) (store.Ref, error) {
	ref, err := s.Put(ctx, t.Encode())
	if err != nil {
		return "", fmt.Errorf("task %s: %w", t.Name, err)
	}
	return ref, publish(ctx, s, store.Dataset, t.Name, ref, DatasetRecord{ref, t.Card}, overwrite)
}

// PublishImageTask stores an image task and gives it its name, as PublishTask
// does.
func PublishImageTask(ctx context.Context, s store.Store, t *image.Task, overwrite bool) (store.Ref, error) {
	ref, err := s.Put(ctx, t.Encode())
	if err != nil {
		return "", fmt.Errorf("task %s: %w", t.Name, err)
	}
	return ref, publish(ctx, s, store.Dataset, t.Name, ref, DatasetRecord{ref, t.Card}, overwrite)
}

// PublishModule stores an embedding module and gives it its name, as
// PublishTask does.
func PublishModule(ctx context.Context, s store.Store, m *embedding.Module, overwrite bool) (store.Ref, error) {
	ref, err := s.Put(ctx, m.Encode())
	if err != nil {
		return "", fmt.Errorf("module %s: %w", m.Name, err)
	}
	return ref, publish(ctx, s, store.Module, m.Name, ref, NewModuleRecord(ref, m), overwrite)
}

// PublishImageModule stores an image module and gives it its name, as
// PublishTask does.
func PublishImageModule(ctx context.Context, s store.Store, e nnimage.Extractor, overwrite bool) (store.Ref, error) {
	ref, err := s.Put(ctx, e.Encode())
	if err != nil {
		return "", fmt.Errorf("module %s: %w", e.Name(), err)
	}
	return ref, publish(ctx, s, store.Module, e.Name(), ref, ModuleRecord{
		Ref: ref, Modality: data.Image, Name: e.Name(), Source: e.Source(), Dim: e.Dim(),
	}, overwrite)
}

// publish points a name at an object.
func publish(ctx context.Context, s store.Store, kind store.Kind, name string, ref store.Ref, record any, overwrite bool) error {
	value, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return store.Update(ctx, s, kind, name, func(old []byte) ([]byte, error) {
		if old != nil && !overwrite {
			var o struct{ Ref store.Ref }
			if json.Unmarshal(old, &o) != nil || o.Ref != ref {
				return nil, fmt.Errorf("%s %q %w, with other data: choose another name, or overwrite it", kind, name, ErrExists)
			}
		}
		return value, nil
	})
}

// Dataset reads a task's record: its object and its card.
func Dataset(ctx context.Context, s store.Store, name string) (DatasetRecord, error) {
	var record DatasetRecord
	return record, readName(ctx, s, store.Dataset, name, &record)
}

// CardOf reads the card of a search's task, of texts or of images.
func CardOf(ctx context.Context, s store.Store, t search.Task) (*data.Card, error) {
	var record DatasetRecord
	switch err := readName(ctx, s, store.Dataset, t.Name, &record); {
	case err == nil && string(record.Ref) == t.Data:
		return &record.Card, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	// The name has gone, or stands for other data now.
	b, err := s.Get(ctx, store.Ref(t.Data))
	if err != nil {
		return nil, fmt.Errorf("task %q: %w", t.Name, err)
	}
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("task %q: %w", t.Name, err)
	}
	if image.IsTask(f) {
		decoded, err := image.Decode(b)
		if err != nil {
			return nil, fmt.Errorf("task %q: %w", t.Name, err)
		}
		return &decoded.Card, nil
	}
	decoded, err := text.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("task %q: %w", t.Name, err)
	}
	return &decoded.Card, nil
}

// LoadTask reads a text task by its name.
func LoadTask(ctx context.Context, s store.Store, name string) (*text.Task, store.Ref, error) {
	record, err := Dataset(ctx, s, name)
	if err != nil {
		return nil, "", err
	}
	if record.Card.Kind() != data.Text {
		return nil, "", fmt.Errorf("task %q is of images, not of texts", name)
	}
	b, err := s.Get(ctx, record.Ref)
	if err != nil {
		return nil, "", fmt.Errorf("task %q: %w", name, err)
	}
	t, err := text.Decode(b)
	if err != nil {
		return nil, "", fmt.Errorf("task %q: %w", name, err)
	}
	return t, record.Ref, nil
}

// LoadImageTask reads an image task by its name.
func LoadImageTask(ctx context.Context, s store.Store, name string) (*image.Task, store.Ref, error) {
	record, err := Dataset(ctx, s, name)
	if err != nil {
		return nil, "", err
	}
	if record.Card.Kind() != data.Image {
		return nil, "", fmt.Errorf("task %q is of texts, not of images", name)
	}
	b, err := s.Get(ctx, record.Ref)
	if err != nil {
		return nil, "", fmt.Errorf("task %q: %w", name, err)
	}
	t, err := image.Decode(b)
	if err != nil {
		return nil, "", fmt.Errorf("task %q: %w", name, err)
	}
	return t, record.Ref, nil
}

// Module reads a module's record.
func Module(ctx context.Context, s store.Store, name string) (ModuleRecord, error) {
	var record ModuleRecord
	return record, readName(ctx, s, store.Module, name, &record)
}

// LoadModule reads an embedding module by its name.
func LoadModule(ctx context.Context, s store.Store, name string) (*embedding.Module, store.Ref, error) {
	record, err := Module(ctx, s, name)
	if err != nil {
		return nil, "", err
	}
	if record.Modality != data.Text {
		return nil, "", fmt.Errorf("module %q is one of %ss, not of texts", name, record.Modality)
	}
	b, err := s.Get(ctx, record.Ref)
	if err != nil {
		return nil, "", fmt.Errorf("module %q: %w", name, err)
	}
	m, err := embedding.Decode(b)
	if err != nil {
		return nil, "", fmt.Errorf("module %q: %w", name, err)
	}
	return m, record.Ref, nil
}

// Datasets lists the imported tasks, by name.
func Datasets(ctx context.Context, s store.Store) ([]DatasetRecord, error) {
	return readAll[DatasetRecord](ctx, s, store.Dataset)
}

// Modules lists the embedding modules, by name.
func Modules(ctx context.Context, s store.Store) ([]ModuleRecord, error) {
	return readAll[ModuleRecord](ctx, s, store.Module)
}

func readAll[T any](ctx context.Context, s store.Store, kind store.Kind) ([]T, error) {
	entries, err := s.Names(ctx, kind, "")
	if err != nil {
		return nil, fmt.Errorf("listing %ss: %w", kind, err)
	}
	out := make([]T, len(entries))
	for i, e := range entries {
		if err := readName(ctx, s, kind, e.Name, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readName decodes a name's JSON value. Where the name does not exist, the
// error lists those that do, nearest first.
func readName(ctx context.Context, s store.Store, kind store.Kind, name string, v any) error {
	b, _, err := s.GetName(ctx, kind, name)
	if errors.Is(err, store.ErrNotFound) {
		return unknownName(ctx, s, kind, name)
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", kind, name, err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s %q: its record is not valid: %w", kind, name, err)
	}
	return nil
}

func unknownName(ctx context.Context, s store.Store, kind store.Kind, name string) error {
	entries, err := s.Names(ctx, kind, "")
	if err != nil || len(entries) == 0 {
		return fmt.Errorf("%s %q: %w, and there are no others", kind, name, store.ErrNotFound)
	}
	const most = 12
	known := make([]string, 0, most+1)
	for _, e := range entries {
		known = append(known, e.Name)
	}
	slices.SortStableFunc(known, func(a, b string) int {
		return commonPrefix(b, name) - commonPrefix(a, name)
	})
	if len(known) > most {
		known = append(known[:most], "…")
	}
	return fmt.Errorf("%s %q: %w (there are: %s)", kind, name, store.ErrNotFound, strings.Join(known, ", "))
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// LoadSpace returns a search space by name: a stored one, else a built-in one.
func LoadSpace(ctx context.Context, s store.Store, name string) (*space.Space, error) {
	b, _, err := s.GetName(ctx, store.Space, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		sp, err := space.Builtin(name)
		if err != nil {
			return nil, fmt.Errorf("%w; a space of your own is stored with `starter space add`", err)
		}
		return sp, nil
	case err != nil:
		return nil, fmt.Errorf("space %q: %w", name, err)
	}
	var sp space.Space
	if err := json.Unmarshal(b, &sp); err != nil {
		return nil, fmt.Errorf("space %q: %w", name, err)
	}
	return &sp, sp.Validate()
}

// PublishSpace stores a search space under its name.
func PublishSpace(ctx context.Context, s store.Store, sp *space.Space, overwrite bool) error {
	if err := sp.Validate(); err != nil {
		return err
	}
	value, err := json.Marshal(sp)
	if err != nil {
		return err
	}
	return store.Update(ctx, s, store.Space, sp.Name, func(old []byte) ([]byte, error) {
		if old != nil && !overwrite && string(old) != string(value) {
			return nil, fmt.Errorf("space %q %w: choose another name, or overwrite it", sp.Name, ErrExists)
		}
		return value, nil
	})
}
