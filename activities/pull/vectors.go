package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data/archive"
	"tnaml/nn/embedding"
)

// RunVectors pulls published vectors: each becomes the embedding module of their
// name. See run.
func (p *Puller) RunVectors(ctx context.Context, sets []catalog.Vectors) []Outcome {
	items := make([]item, len(sets))
	for i := range sets {
		items[i] = vectors(&sets[i])
	}
	return p.run(ctx, items)
}

func vectors(v *catalog.Vectors) item {
	return item{kind: store.Module, name: v.Name, sources: []source{{
		files: []catalog.PublishedFile{v.File},
		build: func(ctx context.Context, p *Puller, pieces []Piece) (Outcome, error) {
			return p.buildModule(ctx, v, pieces)
		},
	}}}
}

// buildModule makes the module of the vectors' file and publishes it.
func (p *Puller) buildModule(ctx context.Context, v *catalog.Vectors, pieces []Piece) (Outcome, error) {
	var o Outcome
	p.tellReading(v.Name, pieces)
	file := sourcesOf(ctx, pieces)[0]
	var in io.Reader = io.NewSectionReader(file.Data, 0, file.Size)
	where := file.Name
	if v.Member != "" {
		r, at, err := archive.OpenMember(file.Data, file.Size, file.Name, v.Member)
		if err != nil {
			return o, &unreadable{err}
		}
		defer r.Close()
		in, where = r, at
	}
	m, err := embedding.ReadWords(in, v.Name, v.Top)
	if err == nil && m.Dim != v.Dim {
		err = fmt.Errorf("vectors of length %d, %d is expected", m.Dim, v.Dim)
	}
	if err != nil {
		return o, &unreadable{fmt.Errorf("%s: %w", where, err)}
	}
	// Some tokens cannot be read, and are few: a file that was cut off lacks many.
	if want := v.Kept(); len(m.Tokens) < want-want/100 {
		few := fmt.Sprintf("%s has %s tokens, %s are expected", where, humanize.Comma(int64(len(m.Tokens))), humanize.Comma(int64(want)))
		if 2*len(m.Tokens) < want {
			return o, &unreadable{errors.New(few)}
		}
		o.Notes = append(o.Notes, few+": is it whole?")
	}
	m.Language, m.Source = v.Language, v.Source(len(m.Tokens))
	if o.Ref, err = library.PublishModule(ctx, p.Store, m, p.Overwrite); err != nil {
		return o, err
	}
	record := library.NewModuleRecord(o.Ref, m)
	o.Module = &record
	return o, nil
}

// VectorsHint says what a person can do for vectors that did not come, as Hint does.
func VectorsHint(v *catalog.Vectors, dir string) string {
	return fmt.Sprintf("Get %s from the links of %s.\nPut it into %s, then run `starter module pull %s`.", v.File.Name, v.Homepage,
		filepath.Clean(dir), v.Name)
}
