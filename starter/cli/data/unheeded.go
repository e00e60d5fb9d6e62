package data

import (
	"fmt"
	"slices"

	"tnaml/experiments/data"
	"tnaml/experiments/data/labelled"
	"tnaml/starter/client"
)

// heeded are the formats of texts for which a flag means something.
var heeded = []struct {
	flags   []string
	formats []labelled.Format
	what    string
}{
	{[]string{"text-column", "label-column", "split-column"}, []labelled.Format{labelled.TSV, labelled.CSV, labelled.JSONL, labelled.Parquet},
		"tables"},
	{[]string{"columns", "delimiter"}, []labelled.Format{labelled.TSV, labelled.CSV}, "TSV and CSV files"},
}

// splitFlags say how a split is made.
var splitFlags = []string{"validation", "test", "seed", "stratified"}

// unheeded refuses flags that what was read leaves without a meaning: whoever gave one would
// take the task for one that it has made.
func (f *loaded) unheeded(changed []string) error {
	for _, h := range heeded {
		if len(f.reports) == 0 || slices.ContainsFunc(f.reports, func(r labelled.Report) bool { return slices.Contains(h.formats, r.Format) }) {
			continue
		}
		for _, flag := range h.flags {
			if slices.Contains(changed, flag) {
				return client.Usage(fmt.Errorf("--%s is for %s, and %s is none: leave it out", flag, h.what, f.reports[0].Name))
			}
		}
	}
	splits := f.splits
	if f.set != nil {
		splits = f.set.Splits
	}
	given := slices.ContainsFunc(splits, func(s string) bool { return s != "" })
	for _, flag := range splitFlags {
		switch {
		case !slices.Contains(changed, flag):
		case f.kind.Read != nil:
			return client.Usage(fmt.Errorf("--%s is for examples, which are split, and these are %ss: leave it out", flag, f.kind.Kind))
		case given && (flag == "test" || slices.Contains(splits, data.Validation)):
			return client.Usage(fmt.Errorf("--%s is for a split that is made here, and these examples have their own: leave it out", flag))
		}
	}
	return nil
}
