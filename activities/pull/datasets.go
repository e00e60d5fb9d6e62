package pull

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
)

// Run pulls data sets: each becomes the task of its name. See run.
func (p *Puller) Run(ctx context.Context, sets []catalog.Dataset) []Outcome {
	items := make([]item, len(sets))
	for i := range sets {
		items[i] = dataset(&sets[i])
	}
	return p.run(ctx, items)
}

func dataset(d *catalog.Dataset) item {
	it := item{kind: store.Dataset, name: d.Name}
	for _, s := range d.Sources {
		it.sources = append(it.sources, source{s.Files, func(ctx context.Context, p *Puller, pieces []Piece) (Outcome, error) {
			return p.buildTask(ctx, d, s, pieces)
		}})
	}
	return it
}

// buildTask makes the task of a source's files and publishes it.
func (p *Puller) buildTask(ctx context.Context, d *catalog.Dataset, s catalog.DatasetSource, pieces []Piece) (Outcome, error) {
	var o Outcome
	if s.Note != "" {
		o.Notes = append(o.Notes, s.Note)
	}
	p.tellReading(d.Name, pieces)
	options := data.Options{Name: d.Name, Source: taskSource(d, pieces), Licence: d.Licence, SourceDigest: digest(pieces)}
	t, report, err := s.Read.Task(sourcesOf(ctx, pieces), options)
	if err != nil {
		return o, &unreadable{err}
	}
	if report.Skipped > 0 {
		o.Notes = append(o.Notes, fmt.Sprintf("%d of %d examples could not be read and were left out: %s",
			report.Skipped, report.Skipped+report.Examples, strings.Join(report.Problems, "; ")))
	}
	o.Card = t.Describe()
	o.Ref, err = library.PublishTask(ctx, p.Store, t, p.Overwrite)
	return o, err
}

// taskSource says for the card where a set is from.
func taskSource(d *catalog.Dataset, pieces []Piece) string {
	names := make([]string, len(pieces))
	for i, piece := range pieces {
		names[i] = piece.Name
	}
	return fmt.Sprintf("%s, %s (%s)", d.Title, d.Homepage, strings.Join(names, ", "))
}

// digest is the source digest for the card: the file's; of several files, that
// of the lines "<SHA-256>  <name>", as sha256sum prints them.
func digest(pieces []Piece) string {
	if len(pieces) == 1 {
		return pieces[0].SHA256
	}
	h := sha256.New()
	for _, piece := range pieces {
		_, _ = fmt.Fprintf(h, "%s  %s\n", piece.SHA256, piece.Name)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hint says what a person can do for a set that did not come: which files to
// put where, and what to run then. dir is the directory of downloads.
func Hint(d *catalog.Dataset, dir string) string {
	var names []string
	for _, s := range d.Sources {
		var files []string
		for _, f := range s.Files {
			files = append(files, f.Name)
		}
		names = append(names, strings.Join(files, " "))
	}
	return fmt.Sprintf("%s\nPut %s into %s, then run `starter data pull %s`.", d.Manual, strings.Join(slices.Compact(names), ", or "),
		filepath.Clean(dir), d.Name)
}
