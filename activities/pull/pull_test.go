package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tnaml/activities/download"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/archive/archivetest"
	"tnaml/experiments/data/labelled"
	"tnaml/experiments/data/text"
)

// bench is a puller whose mirror has made-up files.
type bench struct {
	*Puller
	t      *testing.T
	mu     sync.Mutex
	files  map[string][]byte
	asked  map[string]int
	events []string
}

func newBench(t *testing.T, files map[string][]byte) *bench {
	b := &bench{t: t, files: files, asked: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		b.mu.Lock()
		data, ok := b.files[name]
		b.asked[name]++
		b.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(server.Close)
	b.Puller = &Puller{Store: store.NewMemory(), Client: &download.Client{Dir: t.TempDir(), Mirror: server.URL, HTTP: server.Client(),
		Attempts: 1},
		Tell: func(e Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if e.Outcome == nil {
				b.events = append(b.events, e.Message)
			}
		}}
	return b
}

// left are the files in the directory of downloads, without locks and marks.
func (b *bench) left() []string {
	b.t.Helper()
	entries, err := os.ReadDir(b.Client.Dir)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") && !strings.HasSuffix(e.Name(), ".kept") {
			out = append(out, e.Name())
		}
	}
	return out
}

// sets are data sets of the catalogue without their digests and sizes, which
// made-up files do not have, and without their addresses.
func sets(names ...string) []catalog.Dataset {
	var out []catalog.Dataset
	for _, d := range catalog.Datasets() {
		if !slices.Contains(names, d.Name) {
			continue
		}
		d.Sources = slices.Clone(d.Sources)
		for i := range d.Sources {
			d.Sources[i].Files = slices.Clone(d.Sources[i].Files)
			for k := range d.Sources[i].Files {
				f := &d.Sources[i].Files[k]
				f.SHA256, f.Size, f.URLs = "", 0, nil
			}
		}
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(a, b catalog.Dataset) int { return slices.Index(names, a.Name) - slices.Index(names, b.Name) })
	return out
}

// Every source of every data set is read from a file in its real layout.
func TestEverySource(t *testing.T) {
	type want struct {
		classes  string
		examples int // of all classes
		given    bool
	}
	wants := map[string][]want{
		"airline":                 {{"negative neutral positive", 36, false}},
		"complaints":              {{"Fraud or scam, Managing an account", 24, false}, {"Debt collection, Mortgage, Student loan", 36, false}},
		"economic_news":           {{"not_relevant relevant", 24, false}},
		"economic_news_tone_only": {{"negative neutral positive", 60, false}},
		"news_aggregator": {{"business entertainment health science_technology", 48, false},
			{"business entertainment health science_technology", 144, true}},
		"political_message": {{"attack policy support", 36, false}},
		"political_bias":    {{"neutral partisan", 24, false}, {"", 0, false}},
		"primary_emotion":   {{"Awe Joy Neutral", 36, false}},
		"sentiment_sst":     {{"negative positive", 72, true}, {"negative positive", 72, true}},
		"us_economy":        {{"not_relevant relevant", 36, false}, {"not_relevant relevant", 24, false}},
		"20_newsgroups":     {{"alt.atheism rec.autos sci.space", 72, true}},
		"brown_corpus":      {{"lore news", 24, false}},
		"sms_spam":          {{"ham spam", 24, false}, {"ham spam", 24, false}},
		"corp_messaging":    {{"Action Dialogue Exclude Information", 48, false}},
		"disasters":         {{"Not Relevant, Relevant", 24, false}},
		"emotion":           {{"empty love worry", 36, false}},
		"global_warming":    {{"No Yes", 24, false}, {"No Yes", 48, false}},
		"prog_opinion":      {{"no_opinion opinion_about_other opinion_about_target", 36, false}},
		"customer_reviews":  {{"negative positive", 24, false}, {"negative positive", 48, false}, {"negative positive", 48, false}},
		"mpqa_opinion":      {{"negative positive", 24, false}},
		"sentiment_cine":    {{"negative positive", 48, false}},
		"spanish_tweets":    {{"negative neutral positive", 108, true}},
		"sentiment_imdb":    {{"neg pos", 48, true}},
		"subj_movie":        {{"objective subjective", 24, false}, {"objective subjective", 24, false}},
		"mnist":             {{"0 1", 52, true}},
		"cifar10":           {{"airplane automobile bird cat deer dog frog horse ship truck", 120, true}},
		"flowers5":          {{"daisy dandelion rose sunflower tulip", 25, false}},
	}
	files := layouts()
	for _, all := range catalog.Datasets() {
		if len(wants[all.Name]) != len(all.Sources) {
			t.Errorf("%s has %d sources, %d are expected", all.Name, len(all.Sources), len(wants[all.Name]))
			continue
		}
		for i, w := range wants[all.Name] {
			if w.examples == 0 {
				continue // the file stands for another set's labels in this test
			}
			t.Run(fmt.Sprintf("%s/%d", all.Name, i+1), func(t *testing.T) {
				d := sets(all.Name)
				d[0].Sources = d[0].Sources[i : i+1]
				b := newBench(t, files)
				o := b.Run(t.Context(), d)[0]
				if o.Status != Stored {
					t.Fatalf("%s: %s", o.Status, o.Error)
				}
				var classes []string
				n := 0
				for _, c := range o.Card.Classes {
					classes = append(classes, c.Label)
					n += c.Train + c.Validation + c.Test
				}
				sep := " "
				if strings.Contains(w.classes, ", ") {
					sep = ", "
				}
				if got := strings.Join(classes, sep); got != w.classes || n != w.examples || o.Card.Examples != n || o.Card.GivenSplit != w.given {
					t.Errorf("%d examples of %q, given split %v; want %+v", n, got, o.Card.GivenSplit, w)
				}
				if o.Card.Options.Licence != all.Licence || !strings.Contains(o.Card.Options.Source, all.Homepage) ||
					len(o.Card.Options.SourceDigest) != 64 {
					t.Errorf("the card says %+v", o.Card.Options)
				}
				if strings.Contains(fmt.Sprint(o.Card.Classes[0].Samples), "â€") {
					t.Errorf("not repaired: %q", o.Card.Classes[0].Samples)
				}
				if left := b.left(); len(left) != 0 {
					t.Errorf("left over: %q", left)
				}
			})
		}
	}
}

func TestRun(t *testing.T) {
	files := layouts()
	b := newBench(t, files)
	four := sets("sms_spam", "mpqa_opinion", "brown_corpus", "subj_movie")
	delete(files, "mpqa.all")
	delete(files, "brown.zip")
	delete(files, "rotten_imdb.tar.gz")
	// The set that has no address is asked of the mirror only: without it, by hand.
	mirror := b.Client.Mirror
	b.Client.Mirror = ""
	for i := range four {
		if four[i].Name == "mpqa_opinion" {
			continue
		}
		for k := range four[i].Sources {
			for j := range four[i].Sources[k].Files {
				f := &four[i].Sources[k].Files[j]
				f.URLs = []catalog.PublishedURL{{URL: mirror + "/" + f.Name}}
			}
		}
	}
	out := b.Run(t.Context(), four)
	for i, want := range []struct {
		status Status
		says   string
	}{{Stored, ""}, {ByHand, "mpqa.all has no address"}, {Failed, "brown.zip: 404 Not Found"}, {Stored, ""}} {
		if out[i].Status != want.status || !strings.Contains(out[i].Error, want.says) || out[i].Name != four[i].Name {
			t.Errorf("%s: %s, %s; want %+v", out[i].Name, out[i].Status, out[i].Error, want)
		}
	}
	if len(b.events) != 1 || !strings.Contains(b.events[0], "subj_movie: rotten_imdb.tar.gz cannot be had; trying another source") ||
		len(out[3].Notes) == 0 {
		t.Errorf("events %q, notes %q", b.events, out[3].Notes)
	}
	if hint := Hint(&four[1], b.Client.Dir); !strings.Contains(hint, "Put mpqa.all into "+b.Client.Dir) ||
		!strings.Contains(hint, "starter data pull mpqa_opinion") {
		t.Errorf("hint: %s", hint)
	}
	// The person puts the file there, and all is well; what is there is left alone.
	if err := os.WriteFile(filepath.Join(b.Client.Dir, "mpqa.all"), layouts()["mpqa.all"], 0o600); err != nil {
		t.Fatal(err)
	}
	asked := b.asked["sms-spam-collection.zip"]
	out = b.Run(t.Context(), four[:2])
	if out[0].Status != There || out[1].Status != Stored || b.asked["sms-spam-collection.zip"] != asked {
		t.Errorf("%+v", out)
	}
	if left := b.left(); !slices.Equal(left, []string{"mpqa.all"}) {
		t.Errorf("the file put there by hand must stay, others must not: %q", left)
	}
	b.Overwrite, b.Keep = true, true
	if out = b.Run(t.Context(), four[:1]); out[0].Status != Stored || !slices.Contains(b.left(), "sms-spam-collection.zip") {
		t.Errorf("overwrite and keep: %+v, %q", out, b.left())
	}
}

// A file that is not what the catalogue says is set aside, and the next source
// taken; when the store fails, what came stays for the next time.
func TestFailures(t *testing.T) {
	files := layouts()
	files["rotten_imdb.tar.gz"] = zipped(entry{"x", "y"})
	b := newBench(t, files)
	out := b.Run(t.Context(), sets("subj_movie"))
	if out[0].Status != Stored || !strings.Contains(fmt.Sprint(out[0].Notes), "plot.tok") ||
		!slices.Equal(b.left(), []string{"rotten_imdb.tar.gz.bad"}) {
		t.Errorf("%+v, %q", out[0], b.left())
	}
	b = newBench(t, layouts())
	b.Store = broken{b.Store}
	out = b.Run(t.Context(), sets("sms_spam"))
	if out[0].Status != Failed || !strings.Contains(out[0].Error, "no store") ||
		!slices.Equal(b.left(), []string{"sms-spam-collection.zip"}) || len(b.asked) != 1 {
		t.Errorf("%+v, %q, asked %v", out[0], b.left(), b.asked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, o := range b.Run(ctx, sets("sms_spam", "brown_corpus")) {
		if o.Status != Failed || !errors.Is(o.Err(), context.Canceled) {
			t.Errorf("cancelled: %+v", o)
		}
	}
}

// Where one file of a set does not come, those that did stay for the next pull,
// and go with it; so do those of a source in the place of which another was taken.
func TestHalfASet(t *testing.T) {
	files := layouts()
	b := newBench(t, files)
	mirror := b.Client.Mirror
	b.Client.Mirror = ""
	set := sets("mnist")[0]
	n := len(set.Sources[0].Files)
	for k, f := range set.Sources[0].Files {
		set.Sources[0].Files[k].URLs = []catalog.PublishedURL{{URL: mirror + "/" + f.Name}}
	}
	first, last := set.Sources[0].Files[0].Name, set.Sources[0].Files[n-1].Name
	b.mu.Lock()
	missing := files[last]
	delete(files, last)
	files["elsewhere"] = missing
	b.mu.Unlock()
	half := func() {
		t.Helper()
		out := b.Run(t.Context(), []catalog.Dataset{set})
		if out[0].Status != Failed || !strings.Contains(out[0].Error, last) || len(out[0].Files) != n-1 || out[0].Files[0].Name != first ||
			len(b.left()) != n-1 {
			t.Fatalf("%+v, left %q", out[0], b.left())
		}
	}
	half()
	half() // as often as it takes
	two := set
	two.Sources = append(slices.Clone(set.Sources), set.Sources[0])
	two.Sources[1].Files = slices.Clone(set.Sources[0].Files)
	two.Sources[1].Files[n-1].URLs = []catalog.PublishedURL{{URL: mirror + "/elsewhere"}}
	if out := b.Run(t.Context(), []catalog.Dataset{two}); out[0].Status != Stored || b.asked[first] != 1 || len(b.left()) != 0 {
		t.Errorf("another source: %+v, asked %v, left %q", out[0], b.asked, b.left())
	}
	b.Overwrite = true
	half()
	b.mu.Lock()
	files[last] = missing
	b.mu.Unlock()
	if out := b.Run(t.Context(), []catalog.Dataset{set}); out[0].Status != Stored || b.asked[first] != 2 || len(b.left()) != 0 {
		t.Errorf("the rest: %+v, asked %v, left %q", out[0], b.asked, b.left())
	}
	// A person puts a file of his own in the place of one that was kept.
	b.mu.Lock()
	delete(files, last)
	b.mu.Unlock()
	half()
	b.mu.Lock()
	files[last] = missing
	b.mu.Unlock()
	own := append(slices.Clone(files[first]), archivetest.Gzip(nil)...)
	if err := os.WriteFile(filepath.Join(b.Client.Dir, first), own, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := b.Run(t.Context(), []catalog.Dataset{set}); out[0].Status != Stored || !slices.Equal(b.left(), []string{first}) {
		t.Errorf("a file put there by hand: %+v, left %q", out[0], b.left())
	}
}

// An interrupt ends the reading, and the wait for others to be read; what came
// stays as it is.
func TestInterruptedWhileReading(t *testing.T) {
	b := newBench(t, layouts())
	set := sets("sms_spam")[0]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.got = &gets{}
	out := b.one(ctx, dataset(&set), func() func() { cancel(); return func() {} })
	if out.Status != Failed || !errors.Is(out.Err(), context.Canceled) || !slices.Equal(b.left(), []string{"sms-spam-collection.zip"}) {
		t.Errorf("%+v, %q", out, b.left())
	}
	pieces, err := b.Puller.files(t.Context(), set.Sources[0].Files)
	if err != nil || len(pieces) != 1 {
		t.Fatalf("%+v: %v", pieces, err)
	}
	defer release(pieces)
	if _, _, err := set.Sources[0].Read.Examples(sourcesOf(ctx, pieces)); !errors.Is(err, context.Canceled) {
		t.Errorf("read on: %v", err)
	}
}

// broken is a store that takes nothing.
type broken struct{ store.Store }

func (broken) Put(context.Context, []byte) (store.Ref, error) { return "", errors.New("no store") }

// Two sets of one file: it is downloaded once, used by both, and removed only
// when neither needs it any more.
func TestSharedFile(t *testing.T) {
	for _, fails := range []bool{false, true} {
		files := layouts()
		b := newBench(t, files)
		two := sets("economic_news", "economic_news_tone_only")
		two[1].Sources[0].Files = two[0].Sources[0].Files
		two[1].Sources[0].Read = two[0].Sources[0].Read
		want := []Status{Stored, Stored}
		if fails { // to store: the file is as good as ever, and stays
			b.Store = refuses{b.Store, two[1].Name}
			want[1] = Failed
		}
		out := b.Run(t.Context(), two)
		if out[0].Status != want[0] || out[1].Status != want[1] || b.asked["Full-Economic-News-DFE-839861.csv"] != 1 {
			t.Errorf("fails %v: %+v, asked %v", fails, out, b.asked)
		}
		if left := b.left(); (len(left) > 0) != fails {
			t.Errorf("fails %v: left over: %q", fails, left)
		}
	}
}

// refuses is a store that gives no record to a name.
type refuses struct {
	store.Store
	name string
}

func (r refuses) SetName(ctx context.Context, kind store.Kind, name string, value []byte, old store.Version) (store.Version, error) {
	if name == r.name {
		return "", errors.New("refused")
	}
	return r.Store.SetName(ctx, kind, name, value, old)
}

// The pulled task is the one that the direct import makes of the same examples,
// for real data in the layout of the original.
func TestRealData(t *testing.T) {
	dir := os.Getenv("TNAML_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	for _, c := range []struct {
		name, file string
		layout     func(examples []text.Example) []byte
	}{
		{"sms_spam", "sms-spam-collection.zip", func(examples []text.Example) []byte {
			var b strings.Builder
			for _, e := range examples {
				fmt.Fprintf(&b, "%s\t%s\n", e.Label, e.Text)
			}
			return zipped(entry{"SMSSpamCollection", b.String()}, entry{"readme", ""})
		}},
		{"20_newsgroups", "20news-bydate.tar.gz", func(examples []text.Example) []byte {
			var out []entry
			for i, e := range examples {
				b := make([]byte, 0, len(e.Text)) // as the original, in Latin-1
				for _, r := range e.Text {
					if r > 255 {
						panic("not Latin-1")
					}
					b = append(b, byte(r))
				}
				out = append(out, entry{fmt.Sprintf("20news-bydate-%s/%s/%06d", e.Split, e.Label, i), string(b)})
			}
			return tarred(out...)
		}},
		{"sentiment_imdb", "aclImdb_v1.tar.gz", func(examples []text.Example) []byte {
			out := []entry{{"aclImdb/README", ""}, {"aclImdb/train/unsup/0_0.txt", "no label"}, {"aclImdb/train/urls_pos.txt", "http://"}}
			for i, e := range examples {
				out = append(out, entry{fmt.Sprintf("aclImdb/%s/%s/%06d_1.txt", e.Split, e.Label, i), e.Text})
			}
			return tarred(out...)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "text", c.name, "data.tsv.gz")
			f, err := os.Open(path)
			if err != nil {
				t.Skipf("the data set is not there: %v (TNAML_DATA)", err)
			}
			defer f.Close()
			if testing.Short() && c.name == "sentiment_imdb" {
				t.Skip("50,000 reviews take too long for a short test")
			}
			examples, err := labelled.Read(f, path, labelled.Options{})
			if err != nil {
				t.Fatal(err)
			}
			// In the order of the archive's paths.
			slices.SortStableFunc(examples, func(a, b text.Example) int {
				return strings.Compare(a.Split+"/"+a.Label, b.Split+"/"+b.Label)
			})
			b := newBench(t, map[string][]byte{c.file: c.layout(examples)})
			d := sets(c.name)
			d[0].Sources = d[0].Sources[:1]
			start := time.Now()
			o := b.Run(t.Context(), d)[0]
			if o.Status != Stored {
				t.Fatalf("%s: %s", o.Status, o.Error)
			}
			t.Logf("%d examples in %s", o.Card.Examples, time.Since(start).Round(time.Millisecond))
			want, err := text.Build(examples, o.Card.Options)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := library.LoadTask[*text.Task](t.Context(), b.Store, c.name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Encode(), want.Encode()) {
				t.Errorf("the tasks differ: %+v and %+v", got.Card, want.Card)
			}
		})
	}
}

// One source's files can be made of the shared data byte for byte: the digests
// of the catalogue are those of the real files, and what is read of them is
// what the direct import reads.
func TestRealDigests(t *testing.T) {
	dir := os.Getenv("TNAML_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(dir, "text", "sentiment_sst", "data.tsv.gz")
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the data set is not there: %v (TNAML_DATA)", err)
	}
	defer f.Close()
	examples, err := labelled.Read(f, path, labelled.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made := map[string][]byte{}
	for _, e := range examples {
		name := "stsa.binary." + map[string]string{data.Train: "train", data.Validation: "dev", data.Test: "test"}[e.Split]
		made[name] = fmt.Appendf(made[name], "%d %s\n", map[string]int{"negative": 0, "positive": 1}[e.Label], e.Text)
	}
	all := catalog.Datasets()
	d := all[slices.IndexFunc(all, func(d catalog.Dataset) bool { return d.Name == "sentiment_sst" })]
	d.Sources = slices.Clone(d.Sources[1:])
	d.Sources[0].Files = slices.Clone(d.Sources[0].Files)
	for i := range d.Sources[0].Files {
		d.Sources[0].Files[i].URLs = nil // the mirror only
	}
	b := newBench(t, made)
	o := b.Run(t.Context(), []catalog.Dataset{d})[0]
	if o.Status != Stored {
		t.Fatalf("%s: %s", o.Status, o.Error)
	}
	want, err := text.Build(examples, o.Card.Options)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := library.LoadTask[*text.Task](t.Context(), b.Store, d.Name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Encode(), want.Encode()) || got.Train.Len() != 6920 || got.Validation.Len() != 872 || got.Test.Len() != 1821 {
		t.Errorf("the tasks differ: %+v and %+v", got.Card, want.Card)
	}
}

// MNIST's own files become the image task, split as they are.
func TestRealImages(t *testing.T) {
	if testing.Short() {
		t.Skip("70,000 images take too long for a short test")
	}
	dir := os.Getenv("TNAML_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	files := map[string][]byte{}
	d := sets("mnist")
	for _, f := range d[0].Sources[0].Files {
		b, err := os.ReadFile(filepath.Join(dir, "image", "mnist", f.Name))
		if err != nil {
			t.Skipf("the data set is not there: %v (TNAML_DATA)", err)
		}
		files[f.Name] = b
	}
	b := newBench(t, files)
	o := b.Run(t.Context(), d)[0]
	if o.Status != Stored || !o.Card.GivenSplit || o.Card.Train != 54000 || o.Card.Validation != 6000 || o.Card.Test != 10000 ||
		len(o.Card.Classes) != 10 || o.Card.Classes[7].Test != 1028 {
		t.Errorf("%s: %+v", o.Error, o.Card)
	}
	if len(b.events) != 1 || !strings.Contains(b.events[0], "mnist: reading 1") {
		t.Errorf("told: %q", b.events)
	}
}
