// Package corpora reads public data sets in the layout their authors publish
// them in: which member of which archive holds the examples, what its columns
// are, how its labels are called here. What to do is data, a Recipe; the
// catalogue holds one for each data set.
package corpora

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/text"
)

// Source is one file of a data set, as it was downloaded.
type Source struct {
	Name string
	Data io.ReaderAt
	Size int64
}

// Form is the layout of a data set.
type Form string

// The layouts.
const (
	// Table is delimited columns, with a header line or Recipe.Columns.
	Table Form = "table"
	// Folders is a text file an example; the part's pattern says which folder
	// is the label and which the split.
	Folders Form = "folders"
	// Lines is an example a line, all lines of a part of one label.
	Lines Form = "lines"
	// LabelledLines is an example a line: the label, a space, the text.
	LabelledLines Form = "labelled-lines"
	// PairedLines is two files, of texts and of labels, a line each.
	PairedLines Form = "paired-lines"
	// Reviews is Hu and Liu's annotated customer reviews (2004): "feature[+2],
	// other[-1]##sentence"; the label is the sign of the sum, and sentences
	// without an opinion or with a sum of zero are left out.
	Reviews Form = "reviews"
	// Trees is the Stanford Sentiment Treebank's trees (Socher et al., 2013), one
	// a line; the label is the root's, the text the leaves.
	Trees Form = "trees"
	// Brown is the Brown corpus as NLTK has it: a tagged file a document, and
	// cats.txt with the genres.
	Brown Form = "brown"
	// Muchocine is the corpus of Spanish film reviews of Cruz et al. (2008): an
	// XML file a review; the label is its rank, the text its body.
	Muchocine Form = "muchocine"
	// IDX is pairs of IDX files, CIFAR an archive of CIFAR-10 binaries, and
	// Pictures an archive of image files in a folder for each class.
	IDX      Form = "idx"
	CIFAR    Form = "cifar10"
	Pictures Form = "pictures"
)

var textForms = map[Form]bool{Table: true, Folders: true, Lines: true, LabelledLines: true, PairedLines: true, Reviews: true, Trees: true,
	Brown: true, Muchocine: true}

// IsText and IsImages report what a layout holds.
func (f Form) IsText() bool   { return textForms[f] }
func (f Form) IsImages() bool { return f == IDX || f == CIFAR || f == Pictures }

// Part is one of the places where a data set's examples are.
type Part struct {
	// File is the name of the source; it may be empty where there is only one.
	File string `yaml:"file" json:"file,omitempty"`
	// Member is the pattern of the members of an archive, see match; empty: the
	// source itself.
	Member string `yaml:"member" json:"member,omitempty"`
	// Labels is the source of the labels, in the layouts of pairs.
	Labels string `yaml:"labels" json:"labels,omitempty"`
	// Split and Label are those of all the examples of this part.
	Split string `yaml:"split" json:"split,omitempty"`
	Label string `yaml:"label" json:"label,omitempty"`
}

// Condition says which rows of a table are taken.
type Condition struct {
	Column string `yaml:"column" json:"column,omitempty"`
	// Filled wants a value; From and To, where not empty, are bounds, inclusive,
	// in the order of bytes.
	Filled bool   `yaml:"filled" json:"filled,omitempty"`
	From   string `yaml:"from" json:"from,omitempty"`
	To     string `yaml:"to" json:"to,omitempty"`
}

// Recipe says how to read a data set. What a layout does not need stays empty.
type Recipe struct {
	As    Form   `yaml:"as" json:"as,omitempty"`
	Parts []Part `yaml:"parts" json:"parts,omitempty"`

	// Columns names the columns of a table that has no header line. Text and
	// Label are the columns wanted; the defaults are "text" and "label".
	Columns []string    `yaml:"columns" json:"columns,omitempty"`
	Text    string      `yaml:"text" json:"text,omitempty"`
	Label   string      `yaml:"label" json:"label,omitempty"`
	Where   []Condition `yaml:"where" json:"where,omitempty"`
	// Delimiter parts the columns; empty: a comma. With Literal a quotation mark
	// is part of the text. With CR a lone carriage return ends a line.
	Delimiter string `yaml:"delimiter" json:"delimiter,omitempty"`
	Literal   bool   `yaml:"literal" json:"literal,omitempty"`
	CR        bool   `yaml:"cr" json:"cr,omitempty"`

	// Encoding is the texts' (a name as on the web); empty: UTF-8. With "utf-8|"
	// before it, it is that of the texts that are not UTF-8. Repair undoes
	// wrong conversions that are in the source already, in order; see repair.
	Encoding string   `yaml:"encoding" json:"encoding,omitempty"`
	Repair   []string `yaml:"repair" json:"repair,omitempty"`

	// Labels are the names of the classes by the source's own; where it is set, it
	// must have them all. Drop lists labels of the source whose examples are left out.
	Labels map[string]string `yaml:"labels" json:"labels,omitempty"`
	Drop   []string          `yaml:"drop" json:"drop,omitempty"`

	// Tagged keeps the part-of-speech tags of the Brown corpus.
	Tagged bool `yaml:"tagged" json:"tagged,omitempty"`
	// Height and Width are the size to which pictures are resized.
	Height int `yaml:"height" json:"height,omitempty"`
	Width  int `yaml:"width" json:"width,omitempty"`
}

// Report says what was read.
type Report struct {
	// Examples were read, Dropped left out because their label is one of the
	// recipe's Drop or a condition does not hold.
	Examples, Dropped int
	// Skipped could not be read, a few among many; Problems says why.
	Skipped  int
	Problems []string
}

const (
	// maxProblems is how many problems of one input are reported together.
	maxProblems = 10
	// tolerated is the share of unreadable rows that a public file may have: there
	// are a few in many of them, and nobody will mend those.
	tolerated = 0.002
)

// ErrLayout says that a file has not the layout that the recipe says.
var ErrLayout = errors.New("not in the layout expected")

// Validate checks that a recipe can be followed.
func (r Recipe) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if !r.As.IsText() && !r.As.IsImages() {
		bad("unknown layout %q", r.As)
	}
	if len(r.Parts) == 0 {
		bad("no parts")
	}
	for i, p := range r.Parts {
		if p.Member != "" {
			for c := range strings.SplitSeq(p.Member, "/") {
				if _, err := path.Match(c, ""); err != nil {
					bad("part %d: pattern %q: %w", i+1, p.Member, err)
				}
			}
		}
		switch p.Split {
		case "", data.Train, data.Validation, data.Test:
		default:
			bad("part %d: unknown split %q", i+1, p.Split)
		}
		if (r.As == PairedLines || r.As == IDX) != (p.Labels != "") {
			bad("part %d: labels are for the layouts %s and %s, and needed there", i+1, PairedLines, IDX)
		}
		if (r.As == Lines) != (p.Label != "") {
			bad("part %d: a label is for the layout %s, and needed there", i+1, Lines)
		}
		if r.As == Folders && !strings.Contains(p.Member, "{label}") {
			bad("part %d: the pattern %q does not say which folder is the label", i+1, p.Member)
		}
	}
	if len([]rune(r.Delimiter)) > 1 {
		bad("delimiter %q: give one character", r.Delimiter)
	}
	if r.As != Table && (len(r.Columns) > 0 || r.Text != "" || r.Label != "" || len(r.Where) > 0 || r.Delimiter != "" || r.Literal) {
		bad("columns, conditions and delimiters are for the layout %s", Table)
	}
	if (r.As == Pictures) != (r.Height > 0 && r.Width > 0) {
		bad("a size is for the layout %s, and needed there", Pictures)
	}
	for _, l := range r.Drop {
		if _, ok := r.Labels[l]; ok {
			bad("label %q is both named and dropped", l)
		}
	}
	if _, _, err := r.decoder(); err != nil {
		errs = append(errs, err)
	}
	if _, err := parseRepair(r.Repair); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// collector gathers the examples and the problems of one data set.
type collector struct {
	r      *Recipe
	steps  []conversion
	out    []text.Example
	report Report
}

// problem notes an example that could not be read.
func (c *collector) problem(format string, a ...any) {
	if c.report.Skipped++; len(c.report.Problems) < maxProblems {
		c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, a...))
	}
}

// place is where an example is from, for problems: a member, and its line, or 0.
type place struct {
	name string
	line int
}

func (p place) String() string {
	if p.line == 0 {
		return p.name
	}
	return fmt.Sprintf("%s: line %d", p.name, p.line)
}

// add keeps an example.
func (c *collector) add(where place, words, label, split string) {
	label = strings.TrimSpace(label)
	if slices.Contains(c.r.Drop, label) {
		c.report.Dropped++
		return
	}
	if c.r.Labels != nil {
		name, ok := c.r.Labels[label]
		if !ok {
			c.problem("%s: unknown label %s", where, quoted(label))
			return
		}
		label = name
	}
	if label == "" {
		c.problem("%s: no label", where)
		return
	}
	c.out = append(c.out, text.Example{Text: strings.TrimSpace(repair(words, c.steps)), Label: label, Split: split})
}

func quoted(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:39]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// Task reads a data set from its files and builds its task, of the kind that the
// layout holds.
func (r Recipe) Task(sources []Source, o data.Options) (data.Task, Report, error) {
	if r.As.IsImages() {
		set, err := r.Images(sources)
		if err != nil {
			return nil, Report{}, err
		}
		t, err := image.Build(set, o)
		return t, Report{Examples: set.Len()}, err
	}
	examples, report, err := r.Examples(sources)
	if err != nil {
		return nil, report, err
	}
	t, err := text.Build(examples, o)
	return t, report, err
}

// Examples reads the texts of a data set from its files. Rows that cannot be
// read are left out and reported as long as they are a few among many.
func (r Recipe) Examples(sources []Source) ([]text.Example, Report, error) {
	if err := r.Validate(); err != nil {
		return nil, Report{}, err
	}
	if !r.As.IsText() {
		return nil, Report{}, fmt.Errorf("the layout %s holds no texts", r.As)
	}
	c := &collector{r: &r}
	c.steps, _ = parseRepair(r.Repair) // validated
	for _, p := range r.Parts {
		s, err := find(sources, p.File)
		if err == nil {
			err = c.part(s, p, sources)
		}
		if err != nil {
			return nil, c.report, err
		}
	}
	c.report.Examples = len(c.out)
	if n := c.report.Skipped; n > 0 && float64(n) > tolerated*float64(n+len(c.out)) {
		text := strings.Join(c.report.Problems, "\n")
		if n > len(c.report.Problems) {
			text += fmt.Sprintf("\nand %d more", n-len(c.report.Problems))
		}
		return nil, c.report, fmt.Errorf("%w: %d of %d examples cannot be read:\n%s", ErrLayout, n, n+len(c.out), text)
	}
	if len(c.out) == 0 {
		return nil, c.report, fmt.Errorf("%w: no examples (%d left out)", ErrLayout, c.report.Dropped)
	}
	return c.out, c.report, nil
}

// find returns a source by its name, or the only one.
func find(sources []Source, name string) (Source, error) {
	for _, s := range sources {
		if s.Name == name || name == "" && len(sources) == 1 {
			return s, nil
		}
	}
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.Name
	}
	return Source{}, fmt.Errorf("there is no file %q among %q", name, names)
}

// part reads one part.
func (c *collector) part(s Source, p Part, sources []Source) error {
	switch c.r.As {
	case Table:
		return stream(s, p.Member, func(name string, in io.Reader) error { return c.table(name, in, p) })
	case PairedLines:
		l, err := find(sources, p.Labels)
		if err != nil {
			return err
		}
		return c.paired(s, l, p)
	}
	members, err := c.members(s, p)
	if err != nil {
		return err
	}
	if c.r.As == Brown {
		return c.brown(s.Name, members, p)
	}
	for _, m := range members {
		text, err := c.decode(m)
		if err != nil {
			c.problem("%v", err)
			continue
		}
		switch c.r.As {
		case Folders:
			c.add(place{m.where, 0}, text, m.label, splitOf(m, p))
		case Lines, LabelledLines, Reviews, Trees:
			c.lines(m.where, text, p)
		case Muchocine:
			c.muchocine(place{m.where, 0}, text, p)
		}
	}
	return nil
}

// splitOf is the split of a member: what its pattern captured, else its part's.
func splitOf(m member, p Part) string {
	if s := archive.SplitOf(m.split); s != "" {
		return s
	}
	return p.Split
}
