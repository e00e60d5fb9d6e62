package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/data/labelled"
	"tnaml/experiments/data/text"
	"tnaml/experiments/limit"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// importer reads the sources of an import.
type importer struct {
	ctx      context.Context // whose end stops the reading
	kind     data.Kind       // "": text or image, to find out
	coarse   bool            // the coarse label of CIFAR-100, which must be it
	read     labelled.Options
	images   image.FileOptions
	task     data.Options
	progress *terminal.Progress
	closers  []io.Closer // of what is open till the end
	others   []string    // what was left out, since it is no regular file
	total    int64       // bytes of the files, for the progress
	done     int64
	shown    time.Time
	sums     []string // of what was read, by name
}

// loaded is what the sources of an import hold: texts, images, or one file of
// another kind.
type loaded struct {
	texts *text.Builder
	first []text.Example // of the texts
	// splits are those that texts come with, in the order in which they are met.
	splits []string
	set    *image.Set
	file   []byte
	kind   data.Definition
	// reports say what each source of texts is, lines the same for images.
	reports []labelled.Report
	lines   []string
	others  []string // what was left out
	digest  string
	coarse  bool // images of CIFAR-100 have their coarse labels
}

// load reads all the sources; with an error too it returns what was found so
// far.
func (im *importer) load(sources []source) (*loaded, error) {
	im.count(sources)
	out := new(loaded)
	if out.kind, _ = kinds.Find(im.kind); out.kind.Read != nil {
		return out, im.file(sources, out)
	}
	var sets []*image.Set
	var wrong []error
	last := map[data.Kind]string{} // the last source of each kind
	for i := 0; i < len(sources); i++ {
		s := sources[i]
		var err error
		var set *image.Set
		switch s.form {
		case idxImages, idxLabels:
			set, err = im.idx(sources, i, out)
			if set == nil && err == nil {
				continue // the other one of its pair
			}
		case cifarBatch:
			set, err = im.cifar(s, out)
		case aTable:
			err = im.table(s, out)
		default:
			set, err = im.files(s, out)
		}
		if im.ctx.Err() != nil {
			return out, terminal.ErrInterrupted
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		kind := data.Text
		if set != nil {
			sets, kind = append(sets, set), data.Image
		}
		last[kind] = s.name
	}
	if len(wrong) > 0 {
		return out, together(wrong)
	}
	if len(last) > 1 {
		return out, client.Usage(fmt.Errorf("%s holds texts and %s images: a task has one of them", last[data.Text], last[data.Image]))
	}
	if len(sets) > 0 {
		set, err := image.Join(sets...)
		if err != nil {
			return out, err
		}
		if out.set, err = set.Converted(im.images); err != nil {
			return out, err
		}
	}
	if im.coarse && out.set != nil && !out.coarse {
		return out, client.Usage(errors.New("--label is for CIFAR-100, whose images have two labels"))
	}
	out.digest, out.kind = im.digest(), text.Definition
	if out.set != nil {
		out.kind = image.Definition
	}
	return out, nil
}

// together is what is wrong with several sources, that of the first ones.
func together(wrong []error) error {
	if more := len(wrong) - limit.MaxProblems; more > 0 {
		wrong = append(wrong[:limit.MaxProblems:limit.MaxProblems], fmt.Errorf("and %d files more", more))
	}
	return errors.Join(wrong...)
}

// file reads the one file of a kind that is read from one.
func (im *importer) file(sources []source, out *loaded) error {
	s := sources[0]
	if len(sources) != 1 || s.form != aTable || s.split != "" {
		return client.Usage(fmt.Errorf("a task of kind %s is one file, without a split", im.kind))
	}
	err := im.open(s, func(r io.Reader) (err error) {
		out.file, _, err = archive.ReadAll(r, im.read.MaxBytes)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	out.digest = im.digest()
	return nil
}

// build makes the task.
func (f *loaded) build(o importOptions) (data.Task, error) {
	o.task.SourceDigest = f.digest
	for _, k := range kindFlags {
		if flag := o.given[k.kind]; flag != "" && k.kind != f.kind.Kind {
			return nil, client.Usage(fmt.Errorf("--%s is for %ss, and these are %ss", flag, k.kind, f.kind.Kind))
		}
	}
	switch {
	case f.kind.Read != nil:
		return f.kind.Read(f.file, o.task)
	case f.set != nil:
		return image.Build(f.set, o.task)
	}
	f.texts.SourceDigest(f.digest)
	return f.texts.Task()
}

// digest is the file's SHA-256, or, of several, that of their names and digests.
func (im *importer) digest() string {
	if len(im.sums) == 1 {
		return im.sums[0][:2*sha256.Size]
	}
	sum := sha256.Sum256([]byte(strings.Join(im.sums, "\n")))
	return hex.EncodeToString(sum[:])
}

// digestOf returns the digest that load would, without parsing what is read.
func (im *importer) digestOf(sources []source) (string, error) {
	alone := &importer{ctx: im.ctx, read: im.read, progress: im.progress}
	defer alone.close()
	all := func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	alone.count(sources)
	for i, s := range sources {
		var err error
		switch s.form {
		case idxLabels:
			continue // after their images
		case aFolder:
			_, err = alone.entries(s)
		case idxImages:
			if pair := pairOf(sources, i); pair != nil {
				err = alone.open(*pair, all)
			}
			err = errors.Join(err, alone.open(s, all))
		default:
			err = alone.open(s, all)
		}
		if err != nil {
			return "", err
		}
	}
	return alone.digest(), nil
}

// count adds up the sizes of the sources, for the progress.
func (im *importer) count(sources []source) {
	for _, s := range sources {
		if info, err := os.Stat(s.path); err == nil && !info.IsDir() {
			im.total += info.Size()
		}
	}
}

func (im *importer) sum(name string, sum []byte) {
	im.sums = append(im.sums, hex.EncodeToString(sum)+" "+name)
}

// close gives back what was open.
func (im *importer) close() {
	for _, c := range im.closers {
		_ = c.Close() // read only
	}
	im.closers = nil
}

// open calls f with the contents of a file, and takes its digest.
func (im *importer) open(s source, f func(r io.Reader) error) error {
	file, err := s.reader()
	if err != nil {
		return err
	}
	defer file.Close() // read only
	h := sha256.New()
	r := io.TeeReader(&progressReader{file, im, s.name}, h)
	if err := f(r); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	if s.path != "" {
		im.sum(s.name, h.Sum(nil))
	}
	return nil
}

// entry is a source that is read several times; what it opens shows the progress.
func (im *importer) entry(s source) archive.Entry {
	return archive.Entry{Name: s.name, Open: func() (io.ReadCloser, error) {
		f, err := s.reader()
		if err != nil {
			return nil, err
		}
		if any, ok := f.(anywhere); ok {
			return &progressFile{any, progressReader{f, im, s.name}}, nil
		}
		return &progressReader{f, im, s.name}, nil
	}}
}

// anywhere is a file that can be read from any place.
type anywhere interface {
	io.ReadCloser
	io.ReaderAt
	io.Seeker
}

type progressFile struct {
	anywhere
	p progressReader
}

func (f *progressFile) Read(b []byte) (int, error) { return f.p.Read(b) }

// shownEvery is how often the progress changes.
const shownEvery = 100 * time.Millisecond

// show shows the progress, if it is time for that.
func (im *importer) show(state func() string) {
	if now := time.Now(); now.Sub(im.shown) >= shownEvery {
		im.shown = now
		im.progress.Update(state())
	}
}

// progressReader shows how much of the files has been read.
type progressReader struct {
	io.ReadCloser
	im   *importer
	name string
}

func (p *progressReader) Read(b []byte) (int, error) {
	if p.im.ctx.Err() != nil {
		return 0, terminal.ErrInterrupted
	}
	n, err := p.ReadCloser.Read(b)
	p.im.done += int64(n)
	p.im.show(func() string {
		return fmt.Sprintf("reading %s: %s of %s", p.name, humanize.Bytes(uint64(p.im.done)), humanize.Bytes(uint64(p.im.total)))
	})
	return n, err
}

// table reads a table of texts.
func (im *importer) table(s source, out *loaded) error {
	if im.kind == data.Image {
		return client.Usage(fmt.Errorf("%s is a table: images are read from IDX and CIFAR files, folders and archives", s.name))
	}
	e := im.entry(s)
	if err := im.open(s, func(io.Reader) error { return nil }); err != nil { // its digest
		return err
	}
	return im.texts(s, out, func(o labelled.Options, each func(text.Example) error) error { return labelled.Stream(e, o, each) })
}

func (im *importer) texts(s source, out *loaded, read func(o labelled.Options, each func(text.Example) error) error) error {
	o := im.read
	o.Split, o.SplitWritten = or(s.split, o.Split), s.written
	out.reports = append(out.reports, labelled.Report{})
	o.Report = &out.reports[len(out.reports)-1]
	if out.texts == nil {
		var err error
		if out.texts, err = text.NewBuilder(im.task); err != nil {
			return err
		}
	}
	return read(o, func(e text.Example) error {
		if len(out.first) < shownRows {
			out.first = append(out.first, text.Example{Text: glimpse(e.Text), Label: glimpse(e.Label), Split: e.Split})
		}
		if im.ctx.Err() != nil {
			return terminal.ErrInterrupted
		}
		if !slices.Contains(out.splits, e.Split) {
			out.splits = append(out.splits, e.Split)
		}
		return out.texts.Add(e)
	})
}

// glimpse is the beginning of a text, without a hold on the rest.
func glimpse(s string) string { return strings.ToValidUTF8(strings.Clone(s[:min(len(s), 1<<10)]), "") }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// files reads a folder or an archive: of images, of texts, of tables.
func (im *importer) files(s source, out *loaded) (*image.Set, error) {
	files, err := im.entries(s)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(files))
	pictures := 0
	for i, f := range files {
		names[i] = f.Name
		if isPicture(f.Name) {
			pictures++
		}
	}
	if slices.Contains(names, "[Content_Types].xml") {
		return nil, fmt.Errorf("%s is an Office document: save its table as CSV", s.name)
	}
	var set *image.Set
	variant := im.variant(image.CIFAROf(names))
	switch {
	case variant != "" && im.kind != data.Text, im.kind == data.Image || im.kind == "" && pictures*2 > len(files):
		var held []archive.File
		if held, err = archive.Load(files, s.name, im.read.MaxBytes); err != nil {
			return nil, err
		}
		if variant != "" && im.kind != data.Text {
			set, err = image.ReadCIFARFiles(held, s.name, variant)
		} else {
			set, err = image.ReadFiles(held, s.name, im.images)
		}
	case im.read.Format != labelled.Folder && holdsTables(names):
		return nil, im.tables(s, files, out)
	default:
		im.progress.Update("decoding " + s.name)
		return nil, im.texts(s, out, func(o labelled.Options, each func(text.Example) error) error {
			return labelled.StreamFiles(files, s.name, o, each)
		})
	}
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%s of image files", s.form)
	if variant != "" {
		what = fmt.Sprintf("CIFAR binaries (%s) in an archive", variant)
		out.coarse = variant == image.CIFAR100Coarse
	}
	if s.split != "" {
		for i, own := range set.Splits {
			if s.written && own != "" && own != s.split {
				return nil, client.Usage(fmt.Errorf("%s: it has images of the split %s, by its folders or files, and %s was given for all of it: "+
					"leave %s= out", s.name, own, s.split, s.split))
			}
			set.Splits[i] = or(own, s.split)
		}
	}
	out.describe(s.name, what, set)
	return set, nil
}

// tables reads the tables of an archive or folder; what lies beside them is left out.
func (im *importer) tables(s source, files []archive.Entry, out *loaded) error {
	var inner []source
	var beside []string
	for _, f := range files {
		if !isTable(f.Name) {
			beside = append(beside, f.Name)
			continue
		}
		inner = append(inner, source{name: s.name + "/" + f.Name, split: s.split, written: s.written, form: aTable, open: f.Open})
	}
	im.leftOut(s.name, besideTables, beside)
	im.otherSplits(s, inner)
	if err := nameSplits(inner); err != nil {
		return err
	}
	var wrong []error
	for _, t := range inner {
		if err := im.table(t, out); err != nil {
			wrong = append(wrong, err)
		}
		if im.ctx.Err() != nil {
			return terminal.ErrInterrupted
		}
	}
	return together(wrong)
}

func (f *loaded) describe(name, what string, s *image.Set) {
	f.lines = append(f.lines, fmt.Sprintf("%s: %s, %s images of %s in %d classes", name, what, humanize.Comma(int64(s.Len())),
		image.SizeOf(s.Height, s.Width, s.Channels), len(s.Classes)))
}

// cifar reads a batch of CIFAR; its size says which variant it is.
func (im *importer) cifar(s source, out *loaded) (set *image.Set, err error) {
	err = im.open(s, func(r io.Reader) error {
		b, _, err := archive.ReadAll(r, im.read.MaxBytes)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		variant := image.CIFAR10
		if len(b)%3074 == 0 && (len(b)%3073 != 0 || im.coarse) {
			variant = im.variant(image.CIFAR100)
		}
		if set, err = image.ReadCIFAR(image.File{Name: s.name, Reader: bytes.NewReader(b)}, variant, s.split); err == nil {
			out.describe(s.name, fmt.Sprintf("CIFAR binary (%s)", variant), set)
			out.coarse = variant == image.CIFAR100Coarse
		}
		return err
	})
	return set, err
}

// variant is CIFAR-100 with the label that is wanted.
func (im *importer) variant(of image.CIFAR) image.CIFAR {
	if of == image.CIFAR100 && im.coarse {
		return image.CIFAR100Coarse
	}
	return of
}

// idx reads a pair of IDX files when it comes to the images; nil without an
// error means that the file was the other one of a pair.
func (im *importer) idx(sources []source, i int, out *loaded) (*image.Set, error) {
	s, pair := sources[i], pairOf(sources, i)
	other := map[form]form{idxImages: idxLabels, idxLabels: idxImages}[s.form]
	if pair == nil || pair.form != other {
		return nil, client.Usage(fmt.Errorf("%s: %s without their %s: name both files, alike but for the words images and labels", s.name,
			s.form, strings.TrimPrefix(string(other), "IDX ")))
	}
	if s.form == idxLabels {
		return nil, nil
	}
	if pair.split != "" && s.split != "" && pair.split != s.split {
		return nil, client.Usage(errors.New(s.name + " and " + pair.name + " are a pair and have different splits"))
	}
	var set *image.Set
	err := im.open(s, func(images io.Reader) error {
		return im.open(*pair, func(labels io.Reader) (err error) {
			set, err = image.ReadIDX(image.File{Name: s.name, Reader: images}, image.File{Name: pair.name, Reader: labels}, or(s.split, pair.split))
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	out.describe(s.name+" and "+pair.name, "a pair of IDX files", set)
	return set, nil
}

// pairOf is the other file of a pair of IDX files, or nil.
func pairOf(sources []source, i int) (pair *source) {
	s := sources[i]
	for k := range sources {
		if k != i && (sources[k].form == idxImages || sources[k].form == idxLabels) && sources[k].form != s.form &&
			pairName(sources[k].name) == pairName(s.name) {
			pair = &sources[k]
		}
	}
	if pair == nil && len(sources) == 2 && sources[1-i].form != s.form { // whatever their names
		pair = &sources[1-i]
	}
	return pair
}

// pairName is a name without the words that tell the two files of a pair apart.
func pairName(name string) string {
	return strings.NewReplacer("images", "", "labels", "", "image", "", "label", "", "idx3", "idx", "idx1",
		"idx").Replace(strings.ToLower(unpackedName(name)))
}
