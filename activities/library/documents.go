package library

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/search"
	nnimage "tnaml/nn/image"
	"tnaml/nn/safetensors"
)

// DocumentModule is a module of texts that makes nothing of tokens: the vectors of tasks'
// documents, computed elsewhere. It names them by the tasks' data, so that a search which
// has pinned the module has pinned all of its vectors.
type DocumentModule struct {
	Name string `json:"name"`
	// Dim is how long the vectors are, Source says where they come from.
	Dim    int    `json:"dim"`
	Source string `json:"source,omitempty"`
	// Vectors are the encoded vectors (nnimage.FeatureSet) of each task, by its data.
	Vectors map[store.Ref]store.Ref `json:"vectors"`
}

// MaxDocumentTasks bounds the tasks that one document module has vectors of: it is read
// whole, and its record names them.
const MaxDocumentTasks = 5000

// documentKind is the kind of a document module's object.
const documentKind = "document-module"

// Encode returns the module as an object: equal modules, equal bytes.
func (m *DocumentModule) Encode() []byte {
	f := safetensors.New(documentKind)
	f.PutJSON(documentKind, m)
	return f.Encode()
}

// DecodeDocuments reads what Encode wrote; nil where the object is another module.
func DecodeDocuments(b []byte) (*DocumentModule, error) {
	f, err := safetensors.Decode(b)
	if err != nil || f.Kind() != documentKind {
		return nil, err
	}
	m := &DocumentModule{}
	if err := f.GetJSON(documentKind, m); err != nil {
		return nil, fmt.Errorf("document module: %w", err)
	}
	return m, nil
}

// IsDocumentModule says that an object which begins so is a document module. What it
// holds comes before its kind, which may be far from the beginning.
func IsDocumentModule(head []byte) bool {
	return bytes.Contains(head, []byte(`{"__metadata__":{"`+documentKind+`":`))
}

// Of reads the vectors of a task's documents.
func (m *DocumentModule) Of(ctx context.Context, s store.Store, dataRef store.Ref) (*nnimage.FeatureSet, error) {
	ref := m.Vectors[dataRef]
	if ref == "" {
		return nil, Invalid(fmt.Errorf("the module %q has no vectors of the task's documents (%s)", m.Name, dataRef))
	}
	return open(ctx, s, fmt.Sprintf("vectors of the module %q", m.Name), ref, nnimage.DecodeFeatures)
}

// DocumentVectors stores the vectors of a task's documents under a module's name, beside
// those of other tasks. Other vectors of the same task are ErrExists, unless overwrite is
// set; searches keep those that they have pinned.
func DocumentVectors(ctx context.Context, s store.Store, dataRef store.Ref, set *nnimage.FeatureSet, source string, overwrite bool) (
	ModuleRecord, error,
) {
	name := set.Module
	fail := func(err error) (ModuleRecord, error) { return ModuleRecord{}, fmt.Errorf("module %q: %w", name, err) }
	if err := FreeForVectors(ctx, s, name, set.Dim); err != nil {
		return ModuleRecord{}, err
	}
	ref, err := s.Put(ctx, set.Encode())
	if err != nil {
		return fail(err)
	}
	var record ModuleRecord
	err = modules.update(ctx, s, name, func(r *ModuleRecord, there bool) error {
		m := &DocumentModule{Name: name, Dim: set.Dim, Source: source, Vectors: map[store.Ref]store.Ref{}}
		if there {
			old, err := open(ctx, s, fmt.Sprintf("module %q", name), r.Ref, DecodeDocuments)
			switch {
			case err != nil:
				return err
			case old == nil || old.Dim != set.Dim:
				return ErrExists
			case old.Vectors[dataRef] != "" && old.Vectors[dataRef] != ref && !overwrite:
				return fmt.Errorf("it has other vectors of the task %q: choose another name, or overwrite them (%w)", set.Task, ErrExists)
			}
			m.Source = cmp.Or(old.Source, source)
			maps.Copy(m.Vectors, old.Vectors)
		}
		if m.Vectors[dataRef] = ref; len(m.Vectors) > MaxDocumentTasks {
			return Invalid(fmt.Errorf("it has vectors of %d tasks, the most that one can have: give those of the task %q to a module "+
				"of another name", MaxDocumentTasks, set.Task))
		}
		object, err := s.Put(ctx, m.Encode())
		if err != nil {
			return err
		}
		record = ModuleRecord{Kind: data.Text, Ref: object, Name: name, Source: m.Source, Dim: m.Dim,
			Documents: m.tasks()}
		*r = record
		return nil
	})
	if err != nil {
		return fail(err)
	}
	return record, nil
}

// tasks are the tasks that it has vectors of, as a record names them.
func (m *DocumentModule) tasks() (out []string) {
	for _, ref := range slices.Sorted(maps.Keys(m.Vectors)) {
		out = append(out, hexOf(ref))
	}
	return out
}

func hexOf(ref store.Ref) string { return strings.TrimPrefix(string(ref), "sha256:") }

// FreeForVectors makes sure that a module's name can take vectors of a length.
func FreeForVectors(ctx context.Context, s store.Store, name string, dim int) error {
	r, err := modules.get(ctx, s, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case len(r.Documents) == 0:
		return fmt.Errorf("module %q %w, and is one of %ss: choose another name", name, ErrExists, r.Kind)
	case r.Dim != dim:
		return fmt.Errorf("module %q %w, with vectors of %d numbers, these have %d: choose another name", name, ErrExists, r.Dim, dim)
	}
	return nil
}

// lacks names the first of the tasks whose documents the module has no vectors of, where it
// is one of vectors; "" means that it will do.
func (r *ModuleRecord) lacks(tasks []search.Task) string {
	for _, t := range tasks {
		if len(r.Documents) > 0 && !slices.Contains(r.Documents, hexOf(store.Ref(t.Data))) {
			return t.Name
		}
	}
	return ""
}

// vectorsOf reads the vectors of its task's documents that a trial's model takes.
func vectorsOf(ctx context.Context, s store.Store, config *search.Config, t search.Trial) (*nnimage.FeatureSet, error) {
	name, ref, err := moduleOf(config, t)
	if err != nil {
		return nil, err
	}
	m, err := open(ctx, s, fmt.Sprintf("module %q", name), ref, DecodeDocuments)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, fmt.Errorf("module %q has no vectors of documents", name)
	}
	return m.Of(ctx, s, store.Ref(config.Tasks[t.Task].Data))
}
