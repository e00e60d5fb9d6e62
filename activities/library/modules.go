package library

import (
	"context"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/nn/embedding"
	nnimage "tnaml/nn/image"
)

// ModuleRecord is the value of names/module/<module name>.
type ModuleRecord struct {
	// Kind is that of the tasks it is for: what the module embeds.
	Kind     data.Kind `json:"kind"`
	Ref      store.Ref `json:"ref"`
	Name     string    `json:"name"`
	Language string    `json:"language"`
	Source   string    `json:"source"`
	Dim      int       `json:"dim"`
	// Tokens is the number of tokens with a vector, 0 for images.
	Tokens int `json:"tokens,omitempty"`
	// Subword is how the module makes vectors of other words, if it does.
	Subword embedding.SubwordKind `json:"subword,omitempty"`
	// Documents are the tasks whose documents' vectors the module holds, where that is all
	// that it is (DocumentModule): the digests of their data, in hexadecimal alone, since
	// the module does not keep these.
	Documents []string `json:"documents,omitempty"`
}

// NewModuleRecord is the record of a text module.
func NewModuleRecord(ref store.Ref, m *embedding.Module) ModuleRecord {
	r := ModuleRecord{Kind: data.Text, Ref: ref, Name: m.Name, Language: m.Language, Source: m.Source, Dim: m.Dim, Tokens: len(m.Tokens)}
	if m.Subword != nil {
		r.Subword = m.Subword.Kind
	}
	return r
}

// PublishModule stores an embedding module and gives it its name: see
// publishObject.
func PublishModule(ctx context.Context, s store.Store, m *embedding.Module, overwrite bool) (store.Ref, error) {
	return publishObject(ctx, s, modules, m.Name, m, func(ref store.Ref) ModuleRecord { return NewModuleRecord(ref, m) }, overwrite)
}

// PublishImageModule stores an image module and gives it its name: see
// publishObject.
func PublishImageModule(ctx context.Context, s store.Store, e nnimage.Extractor, overwrite bool) (store.Ref, error) {
	return publishObject(ctx, s, modules, e.Name(), e, func(ref store.Ref) ModuleRecord {
		return ModuleRecord{Kind: data.Image, Ref: ref, Name: e.Name(), Source: e.Source(), Dim: e.Dim()}
	}, overwrite)
}

// Module reads a module's record.
func Module(ctx context.Context, s store.Store, name string) (ModuleRecord, error) {
	return modules.read(ctx, s, name)
}

// Modules lists the embedding modules, by name: see records.list.
func Modules(ctx context.Context, s store.Store) ([]ModuleRecord, error) {
	return modules.list(ctx, s)
}

// LoadModule reads an embedding module by its name.
func LoadModule(ctx context.Context, s store.Store, name string) (*embedding.Module, store.Ref, error) {
	record, err := Module(ctx, s, name)
	if err != nil {
		return nil, "", err
	}
	if record.Kind != data.Text {
		return nil, "", fmt.Errorf("module %q is one of %ss, not of texts", name, record.Kind)
	}
	if len(record.Documents) > 0 {
		return nil, "", fmt.Errorf("module %q holds vectors of whole documents: it has no tokens", name)
	}
	m, err := open(ctx, s, fmt.Sprintf("module %q", name), record.Ref, embedding.Decode)
	return m, record.Ref, err
}
