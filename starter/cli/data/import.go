package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/data/labelled"
	nnimage "tnaml/nn/image"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// kindFlags are those that mean something for tasks of one kind only.
var kindFlags = []struct {
	kind  data.Kind
	flags []string
}{
	{data.Text, []string{"text-column", "label-column", "split-column", "columns", "delimiter", "encoding", "format",
		"max-text", "max-vocabulary", "min-count", "max-tokens", "keep-case", "vectors", "vectors-name", "vectors-column"}},
	{data.Image, []string{"size", "grey", "label"}},
}

// importOptions are what the flags of an import say.
type importOptions struct {
	task           data.Options
	read           labelled.Options
	images         image.FileOptions
	format, size   string
	kind           data.Kind
	label          string // of CIFAR-100's two
	grey           bool
	vectors        vectorOptions
	overwrite, dry bool
	yes            bool
	given          map[data.Kind]string // a flag that was given for tasks of a kind
	changed        []string             // the flags that were given
}

func (a app) importCommand() *cobra.Command {
	var o importOptions
	var stratified *bool
	cmd := &cobra.Command{
		Use:   "import PATH…",
		Short: "Import labelled texts or images, or a recorded benchmark, as a task",
		Long: "Import labelled texts or images, or a recorded benchmark, as a task. What a path is, its contents say:\n\n" +
			"  texts   a table (TSV, CSV, JSON lines, Parquet) with the columns text, label and, where it is there, split;\n" +
			"          a folder of text files for each class, or a tar or zip archive of one\n" +
			"  images  a folder or archive of image files for each class; IDX files as MNIST's; binaries of CIFAR\n" +
			"  table   with --kind table: a recorded benchmark, the metrics of configurations, in the JSON that\n" +
			"          experiments/data/table/FORMAT.md describes\n\n" +
			"Each also compressed (.gz, .zst); Parquet by snappy, gzip, brotli, zstd or lz4_raw within. Character encodings are detected and " +
			"converted. Folders train, validation\n" +
			"and test above those of the classes give the split; so do several files whose names say train, validation or\n" +
			"test, or train=FILE test=FILE, which wins over a column split that --split-column does not ask for. What has no split\n" +
			"is divided 80/10/10 by a seeded shuffle that gives each class its share and keeps equal examples on one\n" +
			"side. Of a folder only regular files below it are read.\n\n" +
			"With --vectors a task of texts gets vectors of its documents that were computed elsewhere, as a module that searches of\n" +
			"it can choose: a row for each example in the order of the files, those without a text counted, before duplicates and\n" +
			"splits are looked at. The same import again gives them to a task that is there.\n\n" +
			"What was found is shown before it is stored; on a terminal you are asked first. Elsewhere an encoding that is told\n" +
			"by statistics must be 70 % certain, or be given.",
		Example: "  starter data import spam.tsv.gz --name spam\n" +
			"  starter data import reviews.csv --name reviews --text-column body --label-column stars --dry-run\n" +
			"  starter data import SMSSpamCollection --name spam --columns label,text\n" +
			"  starter data import aclImdb.tar.gz --name imdb\n" +
			"  starter data import train=a.parquet test=b.parquet --name ab\n" +
			"  starter data import flowers/ --name flowers --size 64x64\n" +
			"  starter data import *-ubyte.gz --name mnist\n" +
			"  starter data import cifar-100-binary.tar.gz --name cifar100-coarse --label coarse\n" +
			"  starter data import bench.json --kind table --name bench\n" +
			"  starter data import reviews.csv --name reviews --vectors embeddings.npy --vectors-name minilm",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.Flags().Visit(func(f *pflag.Flag) { o.changed = append(o.changed, f.Name) })
			o.given = map[data.Kind]string{}
			for _, k := range kindFlags {
				for _, f := range k.flags {
					if cmd.Flags().Changed(f) {
						o.given[k.kind] = f
					}
				}
			}
			o.task.Random = !*stratified
			if err := o.complete(args); err != nil {
				return err
			}
			return a.importData(cmd.Context(), args, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.task.Name, "name", "", "the task's name (default: the file's)")
	f.StringVar((*string)(&o.kind), "kind", "", strings.Join(kinds.Names(), ", ")+" (default: text or image, by the contents)")
	f.StringVar(&o.read.TextColumn, "text-column", "", "column of the texts (default text)")
	f.StringVar(&o.read.LabelColumn, "label-column", "", "column of the labels (default label)")
	f.StringVar(&o.read.SplitColumn, "split-column", "", "column of the split (default split, where it is there)")
	f.StringSliceVar(&o.read.Columns, "columns", nil, "names of the columns of a table without a header line, such as label,text")
	f.StringVar(&o.read.Delimiter, "delimiter", "", "what parts the fields of a TSV or CSV file: one character, or tab (default: found out)")
	f.StringVar(&o.read.Encoding, "encoding", "", "character encoding, such as utf-8, windows-1252, shift_jis (default: found out)")
	f.StringVar(&o.format, "format", "", "tsv, csv, jsonl, parquet or folder (default: found out)")
	f.StringVar(&o.size, "size", "", "resize images to HEIGHTxWIDTH, such as 64x64")
	f.StringVar(&o.label, "label", "fine", "which of CIFAR-100's two labels: fine (100 classes) or coarse (20)")
	f.BoolVar(&o.grey, "grey", false, "make images grey")
	f.Uint64Var(&o.task.Seed, "seed", 1, "seed of the split")
	stratified = f.Bool("stratified", true, "give each class its share of every split")
	f.Var((*size)(&o.read.MaxText), "max-text", "largest text that is read, such as 64MiB (default 16MiB)")
	f.Var((*size)(&o.read.MaxBytes), "max-bytes", "most that is read of a file or archive, decompressed (default 2GiB)")
	f.Float64Var(&o.task.Validation, "validation", .1, "share of the validation split")
	f.Float64Var(&o.task.Test, "test", .1, "share of the test split")
	f.IntVar(&o.task.MaxVocabulary, "max-vocabulary", 32768, "largest number of tokens")
	f.IntVar(&o.task.MinCount, "min-count", 2, "how often a token must occur for the wide tower to see it")
	f.IntVar(&o.task.MaxTokens, "max-tokens", 512, "tokens of a text that are read")
	f.BoolVar(&o.task.KeepCase, "keep-case", false, "leave letters as they are")
	o.vectors.flags(f)
	f.StringVar(&o.task.Source, "source", "", "where the data come from, for the card (default: the files' names)")
	f.StringVar(&o.task.Licence, "licence", "", "the data's licence, for the card")
	terminal.Positive(cmd, "seed", "validation", "test", "max-vocabulary", "min-count", "max-tokens")
	f.BoolVar(&o.overwrite, "overwrite", false, "give the name to these data even if it has others")
	f.BoolVar(&o.dry, "dry-run", false, "show what would be imported, and store nothing")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask before storing")
	return a.JSONFlag(cmd)
}

// size is a number of bytes as a flag: 16MiB.
type size int64

func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return humanize.IBytes(uint64(*s))
}
func (*size) Type() string { return "size" }
func (s *size) Set(v string) error {
	n, err := humanize.ParseBytes(v)
	if err != nil || n == 0 || n > math.MaxInt64/8 {
		return errors.New("it must be a number of bytes above 0, such as 64MiB")
	}
	*s = size(n)
	return nil
}

// complete checks the options and fills in those that follow from others.
func (o *importOptions) complete(args []string) error {
	if o.task.Name == "" {
		if len(args) > 1 {
			return client.Usage(errors.New("several paths have no name in common: give one with --name"))
		}
		_, path := splitArg(args[0])
		base := filepath.Base(filepath.Clean(path))
		o.task.Name, _, _ = strings.Cut(base, ".")
		if err := names.OfFile("task", o.task.Name); err != nil {
			return err
		}
	} else if err := client.CheckName("task", o.task.Name); err != nil {
		return err
	}
	if err := o.vectors.complete(o.task.Name); err != nil {
		return err
	}
	o.read.Format = labelled.Format(o.format)
	if err := errors.Join(o.read.Validate(), o.task.Validate()); err != nil {
		return client.Usage(err)
	}
	if o.kind != "" {
		if _, err := kinds.Find(o.kind); err != nil {
			return client.Usage(fmt.Errorf("--kind: %w", err))
		}
		if o.kind == data.External {
			return client.Usage(errors.New("--kind: external tasks are not imported: add them with `starter task add`"))
		}
	}
	if o.label != "fine" && o.label != "coarse" {
		return client.Usage(fmt.Errorf("--label is %q: it is fine or coarse, of CIFAR-100", o.label))
	}
	if o.size != "" {
		var rest string
		n, _ := fmt.Sscanf(strings.ReplaceAll(strings.ToLower(o.size), "×", "x")+" ", "%dx%d%1s", &o.images.Height, &o.images.Width, &rest)
		if n != 2 || o.images.Height < 1 || o.images.Width < 1 {
			return client.Usage(fmt.Errorf("--size is %q: give HEIGHTxWIDTH in pixels, such as 64x64", o.size))
		}
	}
	if o.grey {
		o.images.Channels = 1
	}
	return nil
}

// preview is what an import prints as JSON.
type preview struct {
	// Ref is the stored object's, absent after a dry run.
	Ref  store.Ref `json:"ref,omitempty"`
	Card data.Card `json:"card"`
	// Sources say what the texts were read from.
	Sources []labelled.Report `json:"sources,omitempty"`
	// LeftOut says what lies in folders and is no regular file.
	LeftOut []string `json:"left_out,omitempty"`
}

func (a app) importData(ctx context.Context, args []string, o importOptions) error {
	if o.task.Source == "" {
		var names []string
		for _, arg := range args {
			_, path := splitArg(arg)
			names = append(names, filepath.Base(filepath.Clean(path)))
		}
		o.task.Source = strings.Join(names, ", ")
	}
	im := &importer{ctx: ctx, kind: o.kind, coarse: o.label == "coarse", read: o.read, images: o.images, task: o.task,
		progress: a.NewProgress()}
	defer im.close()
	im.progress.Quiet()
	defer im.progress.Clear()
	sources, err := im.sourcesOf(args)
	if err = errors.Join(err, o.vectors.there()); err != nil {
		return err
	}
	if o.dry {
		return a.importFrom(ctx, nil, im, sources, o)
	}
	if !a.asks(o) { // nor looks anybody at the texts
		im.read.Certainty = labelled.Certain
	}
	// An import may take minutes: what would keep it from being stored is told before.
	return a.WithClient(ctx, func(c *client.Client) error { return a.importFrom(ctx, c.Store, im, sources, o) })
}

// asks says that a person is asked before an import is stored.
func (a app) asks(o importOptions) bool { return a.Interactive && !a.JSON && !o.yes }

// importFrom reads the sources, shows what they hold and stores it; s is nil for
// a dry run.
func (a app) importFrom(ctx context.Context, s store.Store, im *importer, sources []source, o importOptions) error {
	if s != nil && !o.overwrite {
		if err := im.free(s, sources, o.task); err != nil {
			return err
		}
	}
	f, err := im.load(sources)
	if ctx.Err() != nil {
		err = terminal.ErrInterrupted // a file of a folder that was not read is a problem among others
	}
	if err != nil {
		im.progress.Clear()
		for _, o := range im.others {
			a.Say("note: %s", terminal.Flat(o))
		}
		if hint := f.columnHint(); hint != "" {
			return fmt.Errorf("%w\n%s", err, hint)
		}
		if errors.Is(err, labelled.ErrTooLong) {
			return fmt.Errorf("%w\nraise the bound with --max-text if it is meant", err)
		}
		return terminal.EncodingHint(err)
	}
	f.others = im.others
	if err := f.unheeded(o.changed); err != nil {
		return err
	}
	im.progress.Update("building the task: splits, duplicates, vocabulary")
	t, err := f.build(o)
	var set *nnimage.FeatureSet
	if err == nil {
		set, err = o.vectors.read(ctx, s, f)
	}
	im.progress.Clear()
	if err != nil {
		return err
	}
	if !a.JSON {
		a.Print("%s%s", f.show(a.Columns()), card(o.task.Name, *t.Describe(), nil, a.Columns()))
	}
	if o.dry {
		if a.JSON {
			return a.PrintJSON(preview{Card: *t.Describe(), Sources: f.reports, LeftOut: im.others})
		}
		a.Print("\nNothing was stored: leave out --dry-run to import it.")
		return nil
	}
	if a.asks(o) {
		yes, err := a.Ask(ctx, fmt.Sprintf("\nStore it as %s? [Y/n] ", o.task.Name))
		if err != nil {
			return err
		}
		if !yes {
			a.Print("Nothing was stored.")
			return nil
		}
	}
	ref, err := library.PublishTask(ctx, s, t, o.overwrite)
	if err == nil && set != nil {
		_, err = library.DocumentVectors(ctx, s, ref, set, filepath.Base(o.vectors.file), o.overwrite)
	}
	if err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(preview{ref, *t.Describe(), f.reports, im.others})
	}
	if set != nil {
		a.Print("\nIts documents' vectors, of %d numbers, are the module %s.", set.Dim, set.Module)
	}
	space := ""
	if t.Kind() == data.Table { // no built-in space has its choices
		space = " --space SPACE"
	}
	a.Print("\nImported. Search it with `starter search --task %s%s`.", o.task.Name, space)
	return nil
}

// free makes sure that the name of the task is to be had. To import the same data
// again is no mistake: those of the same files and options go on.
func (im *importer) free(s store.Store, sources []source, o data.Options) error {
	err := names.Free(im.ctx, s, store.Dataset, o.Name, false)
	if !errors.Is(err, library.ErrExists) {
		return err
	}
	record, other := library.Dataset(im.ctx, s, o.Name)
	if other != nil {
		return other
	}
	there := record.Card.Options
	if o, other = kinds.Of(&record.Card).Complete(o); other != nil {
		return other
	}
	if o.SourceDigest = there.SourceDigest; o != there {
		return err
	}
	switch digest, other := im.digestOf(sources); {
	case other != nil:
		return other
	case digest != there.SourceDigest:
		return err
	}
	return nil
}

// columnHint says how to choose columns where a table lacks those looked for.
func (f *loaded) columnHint() string {
	for _, r := range f.reports {
		var flags []string
		for _, use := range []string{"text", "label"} {
			if !slices.ContainsFunc(r.Columns, func(c labelled.Column) bool { return c.Use == use }) {
				flags = append(flags, "--"+use+"-column")
			}
		}
		switch {
		case len(r.Columns) == 0 || len(flags) == 0 || r.Rows > 0:
		case r.Format == labelled.TSV || r.Format == labelled.CSV:
			return fmt.Sprintf("choose with %s, or, where there is no header line, name the columns with --columns", strings.Join(flags, " and "))
		default:
			return "choose with " + strings.Join(flags, " and ")
		}
	}
	return ""
}

// shownRows is how many examples a preview has.
const shownRows = 5

// show is the preview of what was read, for people.
func (f *loaded) show(width int) string {
	var b strings.Builder
	for _, line := range f.lines {
		fmt.Fprintf(&b, "%s\n", terminal.Wrap(terminal.Flat(line), width, "  "))
	}
	for i, r := range f.reports {
		fmt.Fprintf(&b, "%s\n", terminal.Wrap(describe(r), width, "  "))
		if len(r.Columns) > 0 && (i == 0 || !sameColumns(r, f.reports[0])) {
			var rows [][]any
			for _, c := range r.Columns {
				rows = append(rows, []any{terminal.Cut(c.Name, width/4), c.Type, c.Use, terminal.Cut(c.Example, max(10, width/2-10))})
			}
			fmt.Fprintf(&b, "\n%s\n\n", terminal.Table(width, []string{"column", "type", "read as", "~for example"}, rows))
		}
	}
	for _, r := range f.reports {
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "%s\n", terminal.Wrap(terminal.Flat("note: "+r.Name+": "+n), width, "      "))
		}
	}
	for _, o := range f.others {
		fmt.Fprintf(&b, "%s\n", terminal.Wrap(terminal.Flat("note: "+o), width, "      "))
	}
	if len(f.first) > 0 {
		if s := b.String(); !strings.HasSuffix(s, "\n\n") {
			b.WriteByte('\n')
		}
		columns, rows := []string{"label", "~first texts"}, [][]any{}
		split := f.first[0].Split != ""
		if split {
			columns = append([]string{"split"}, columns...)
		}
		for _, e := range f.first {
			row := []any{terminal.Cut(e.Label, width/4), terminal.Cut(e.Text, max(20, width*3/4-20))}
			if split {
				row = append([]any{e.Split}, row...)
			}
			rows = append(rows, row)
		}
		fmt.Fprintf(&b, "%s\n", terminal.Table(width, columns, rows))
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

func sameColumns(a, b labelled.Report) bool {
	if len(a.Columns) != len(b.Columns) {
		return false
	}
	for i := range a.Columns {
		if a.Columns[i].Name != b.Columns[i].Name || a.Columns[i].Use != b.Columns[i].Use {
			return false
		}
	}
	return true
}

// describe is a report in a line: "x.csv.gz: CSV parted by ;, gzip, windows-1252
// (73 %), 1,200 rows".
func describe(r labelled.Report) string {
	parts := []string{strings.ToUpper(string(r.Format))}
	switch {
	case r.Format == labelled.Folder:
		parts[0] = humanize.Comma(int64(r.Files)) + " text files in folders of their classes"
	case r.Format == labelled.JSONL:
		parts[0] = "JSON lines"
	case r.Format == labelled.Parquet:
		parts[0] = "Parquet"
	case r.Delimiter != "" && r.Delimiter != map[labelled.Format]string{labelled.TSV: "\t", labelled.CSV: ","}[r.Format]:
		parts[0] += fmt.Sprintf(" parted by %q", r.Delimiter)
	}
	if r.Compression != "" {
		parts = append(parts, string(r.Compression))
	}
	if e := r.Encoding; e.Name != "" {
		how := e.Name
		switch e.How {
		case "statistics":
			how += fmt.Sprintf(" (detected, %.0f %% sure)", 100*e.Confidence)
		case "given":
			how += " (as given)"
		case "byte order mark":
			how += " (byte order mark)"
		}
		parts = append(parts, how)
	}
	rows := humanize.Comma(int64(r.Rows)) + " rows"
	if r.Empty > 0 {
		rows += fmt.Sprintf(", %s of them without a text", humanize.Comma(int64(r.Empty)))
	}
	if r.Format != labelled.Folder || r.Empty > 0 {
		parts = append(parts, rows)
	}
	return terminal.Flat(r.Name + ": " + strings.Join(parts, ", "))
}
