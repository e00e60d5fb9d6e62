package trainers

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/text"
	"tnaml/nn/child"
	"tnaml/nn/embedding"
	nnimage "tnaml/nn/image"
)

// inputs are what a child model is trained on: a task's data, a module's table in
// its vocabulary, and, where the module is frozen, the vectors that it makes of
// the examples. All of them are shared between the trials of a worker.
type inputs struct {
	data      *child.Data
	table     *child.Table
	documents *child.DocumentVectors
	// weighted returns the features weighted, nil for a trial that weighs its own.
	weighted func(context.Context) (*child.WeightedFeatures, error)
}

// module is a module of texts: of tokens, or of the documents of certain tasks.
type module struct {
	tokens    *embedding.Module
	documents *library.DocumentModule
}

func decodeModule(b []byte) (m module, size int64, err error) {
	if m.documents, err = library.DecodeDocuments(b); err == nil && m.documents == nil {
		m.tokens, err = embedding.Decode(b)
	}
	return m, 2 * int64(len(b)), err
}

// object loads and decodes an object once per worker.
func object[T any](ctx context.Context, b *Builtin, what string, ref store.Ref, decode func([]byte) (T, int64, error)) (T, error) {
	return memory.Of(ctx, b.memory, what+" "+string(ref), func(ctx context.Context) (v T, size int64, err error) {
		bytes, err := b.store.Get(ctx, ref)
		if err != nil {
			return v, 0, fmt.Errorf("%s %s: %w", what, ref, err)
		}
		if v, size, err = decode(bytes); err != nil {
			return v, 0, library.Invalid(fmt.Errorf("%s %s: %w", what, ref, err))
		}
		return v, size, nil
	})
}

// load returns the inputs of a text model. Vectors of documents have nothing to tune:
// cfg then says that they stay. Features are weighted unless the trial has a training split
// of its own: what they weigh is taken from that.
func (b *Builtin) load(ctx context.Context, cfg *child.Config, data, ref store.Ref, own bool) (in inputs, err error) {
	t, err := object(ctx, b, "task", data, func(bytes []byte) (*text.Task, int64, error) {
		t, err := text.Decode(bytes)
		return t, 2 * int64(len(bytes)), err
	})
	if err != nil {
		return in, err
	}
	if cfg.WideFeatures == "" {
		in.data, err = b.bags(ctx, data, t, max(1, cfg.WideNGrams))
	} else if in.data, err = b.features(ctx, data, t, cfg.WideFeatures); err == nil && !own {
		of := fmt.Sprintf("weighted %s %s %s %s", data, cfg.WideFeatures, cfg.WideWeighting, cfg.WideNormalisation)
		how, data := *cfg, in.data
		in.weighted = func(ctx context.Context) (*child.WeightedFeatures, error) {
			return memory.Of(ctx, b.memory, of, func(context.Context) (*child.WeightedFeatures, int64, error) {
				w := child.Weigh(how, data)
				return w, w.Bytes(), nil
			})
		}
	}
	if err != nil {
		return in, err
	}
	in.table, err = memory.Of(ctx, b.memory, fmt.Sprintf("table %s %s", data, ref), func(ctx context.Context) (*child.Table, int64, error) {
		m, err := object(ctx, b, "module", ref, decodeModule)
		if err != nil {
			return nil, 0, err
		}
		if m.documents != nil {
			return &child.Table{Dim: m.documents.Dim}, 0, nil
		}
		table := m.tokens.Table(t.Vocabulary, t.WideVocabulary)
		return table, int64(4*len(table.Vectors) + len(table.Known)), nil
	})
	if err != nil {
		return in, err
	}
	given := len(in.table.Known) == 0
	if cfg.FineTune = cfg.FineTune && !given; cfg.FineTune {
		return in, nil
	}
	pooling := cfg.Pooling.Documents()
	if given {
		pooling = child.Mean
	}
	of := fmt.Sprintf("documents %s %s %s", data, ref, pooling)
	in.documents, err = memory.Of(ctx, b.memory, of, func(ctx context.Context) (*child.DocumentVectors,
		int64, error) {
		var d *child.DocumentVectors
		if given {
			m, err := object(ctx, b, "module", ref, decodeModule)
			if err != nil {
				return nil, 0, err
			}
			set, err := m.documents.Of(ctx, b.store, data)
			if err != nil {
				return nil, 0, err
			}
			d = &child.DocumentVectors{Train: set.Train, Validation: set.Validation, Test: set.Test}
		} else {
			d = child.EmbedBy(in.data, in.table, pooling)
		}
		return d, int64(4 * (len(d.Train) + len(d.Validation) + len(d.Test))), nil
	})
	return in, err
}

// bags returns what the child models of a text task train on whose wide tower
// sees n-grams of up to longest tokens.
func (b *Builtin) bags(ctx context.Context, ref store.Ref, t *text.Task, longest int) (*child.Data, error) {
	return memory.Of(ctx, b.memory, fmt.Sprintf("data %s %d", ref, longest), func(context.Context) (*child.Data, int64, error) {
		g, err := t.NGrams(longest)
		if err != nil {
			return nil, 0, library.Invalid(fmt.Errorf("task %s: %w", ref, err))
		}
		d := t.Data(g)
		size := 0
		for _, e := range []*child.Examples{&d.Train, &d.Validation, &d.Test} {
			size += len(e.Offsets) + len(e.IDs) + len(e.Counts) + len(e.Labels)
			if e.Wide != nil {
				size += len(e.Wide.Offsets) + len(e.Wide.IDs)
			}
		}
		return d, 4 * int64(size), nil
	})
}

// features returns what the child models of a text task train on whose wide tower sees
// features.
func (b *Builtin) features(ctx context.Context, ref store.Ref, t *text.Task, f child.Features) (*child.Data, error) {
	d, err := b.bags(ctx, ref, t, 1)
	if err != nil {
		return nil, err
	}
	return memory.Of(ctx, b.memory, fmt.Sprintf("features %s %s", ref, f), func(context.Context) (*child.Data, int64, error) {
		d, err := t.WithFeatures(d, f)
		if err != nil {
			return nil, 0, library.Invalid(err)
		}
		return d, d.Train.Wide.Bytes() + d.Validation.Wide.Bytes() + d.Test.Wide.Bytes(), nil
	})
}

// loadImages returns the inputs of an image model.
func (b *Builtin) loadImages(ctx context.Context, data, module store.Ref, alive func() error) (in inputs, err error) {
	in.data, err = object(ctx, b, "image task", data, func(bytes []byte) (*child.Data, int64, error) {
		t, err := image.Decode(bytes)
		if err != nil {
			return nil, 0, err
		}
		d := t.Data()
		size := 0
		for _, e := range []*child.Examples{&d.Train, &d.Validation, &d.Test} {
			e.Pixels = append([]uint8(nil), e.Pixels...) // let go of the whole object
			size += len(e.Pixels) + 8*len(e.Labels)
		}
		return d, int64(size), nil
	})
	if err != nil {
		return in, err
	}
	set, err := b.Features(ctx, data, module, func(int, int) error { return alive() })
	if err != nil {
		return in, err
	}
	in.table = &child.Table{Dim: set.Dim}
	in.documents = &child.DocumentVectors{Train: set.Train, Validation: set.Validation, Test: set.Test}
	return in, nil
}

// Features returns the features of an image task under a module, standardised:
// from memory, else from the store, else computed and stored.
func (b *Builtin) Features(ctx context.Context, data, module store.Ref, progress func(done, total int) error) (*nnimage.FeatureSet, error) {
	return memory.Of(ctx, b.memory, fmt.Sprintf("features %s %s", data, module), func(ctx context.Context) (*nnimage.FeatureSet, int64,
		error) {
		set, err := library.StoredFeatures(ctx, b.store, data, module)
		if errors.Is(err, store.ErrNotFound) {
			// One at a time: each takes all cores, and the task's images in memory.
			select {
			case b.extracting <- struct{}{}:
				defer func() { <-b.extracting }()
			case <-ctx.Done():
				return nil, 0, ctx.Err()
			}
			// Another worker may have computed them meanwhile: searches of one
			// experiment ask for the same ones in the same order.
			if set, err = library.StoredFeatures(ctx, b.store, data, module); errors.Is(err, store.ErrNotFound) {
				set, err = library.ComputeFeatures(ctx, b.store, data, module, progress)
			}
		}
		if err != nil {
			return nil, 0, err
		}
		return set, int64(4 * (len(set.Train) + len(set.Validation) + len(set.Test))), nil
	})
}
