package activities

import (
	"context"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/text"
	"tnaml/nn/child"
	"tnaml/nn/embedding"
)

// inputs returns what a child model is trained on: a task's data, a module's
// table in its vocabulary, and, where the module is frozen, the vectors that it
// makes of the examples. All of them are shared between the trials of a worker.
func (a *Activities) inputs(ctx context.Context, cfg child.Config, modality data.Kind, dataRef, moduleRef store.Ref, alive func() error) (*child.Data, *child.Table, *child.DocumentVectors, error) {
	if modality == data.Image {
		return a.imageInputs(ctx, dataRef, moduleRef, alive)
	}
	t, err := a.task(ctx, dataRef)
	if err != nil {
		return nil, nil, nil, err
	}
	data, err := a.bags(ctx, dataRef, t, max(1, cfg.WideNGrams))
	if err != nil {
		return nil, nil, nil, err
	}
	table, err := a.table(ctx, dataRef, moduleRef, t)
	if err != nil || cfg.FineTune {
		return data, table, nil, err
	}
	documents, err := a.documents(ctx, dataRef, moduleRef, data, table)
	return data, table, documents, err
}

// table returns a module's table in a task's vocabulary.
func (a *Activities) table(ctx context.Context, dataRef, moduleRef store.Ref, t *text.Task) (*child.Table, error) {
	v, err := a.cache.get(ctx, "table "+string(dataRef)+" "+string(moduleRef), func(ctx context.Context) (any, int64, error) {
		m, err := cached(ctx, a, "module", moduleRef, func(b []byte) (*embedding.Module, int64, error) {
			m, err := embedding.Decode(b)
			return m, 2 * int64(len(b)), err
		})
		if err != nil {
			return nil, 0, err
		}
		table := m.Table(t.Vocabulary, t.WideVocabulary)
		return table, int64(4*len(table.Vectors) + len(table.Known)), nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*child.Table), nil
}

func (a *Activities) task(ctx context.Context, ref store.Ref) (*text.Task, error) {
	return cached(ctx, a, "task", ref, func(b []byte) (*text.Task, int64, error) {
		t, err := text.Decode(b)
		return t, 2 * int64(len(b)), err
	})
}

// bags returns what the child models of a text task train on whose wide tower
// sees n-grams of up to longest tokens.
func (a *Activities) bags(ctx context.Context, ref store.Ref, t *text.Task, longest int) (*child.Data, error) {
	v, err := a.cache.get(ctx, fmt.Sprintf("data %s %d", ref, longest), func(context.Context) (any, int64, error) {
		g, err := t.NGrams(longest)
		if err != nil {
			return nil, 0, err
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
	if err != nil {
		return nil, err
	}
	return v.(*child.Data), nil
}

// documents returns the document vectors of a frozen module: computed once per
// task and module, then shared by all trials of this worker.
func (a *Activities) documents(ctx context.Context, dataRef, moduleRef store.Ref, data *child.Data, table *child.Table) (*child.DocumentVectors, error) {
	v, err := a.cache.get(ctx, "documents "+string(dataRef)+" "+string(moduleRef), func(context.Context) (any, int64, error) {
		d := child.Embed(data, table)
		return d, int64(4 * (len(d.Train) + len(d.Validation) + len(d.Test))), nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*child.DocumentVectors), nil
}

// imageInputs are the inputs of an image task.
func (a *Activities) imageInputs(ctx context.Context, dataRef, moduleRef store.Ref, alive func() error) (*child.Data, *child.Table, *child.DocumentVectors, error) {
	data, err := cached(ctx, a, "image task", dataRef, func(b []byte) (*child.Data, int64, error) {
		t, err := image.Decode(b)
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
		return nil, nil, nil, err
	}
	set, err := a.features(ctx, dataRef, moduleRef, func(int, int) error { return alive() })
	if err != nil {
		return nil, nil, nil, err
	}
	return data, &child.Table{Dim: set.Dim}, &child.DocumentVectors{Train: set.Train, Validation: set.Validation, Test: set.Test}, nil
}
