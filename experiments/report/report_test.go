package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/guard"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
	"tnaml/experiments/yardstick"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func page(t testing.TB, in Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	a, b := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("%s line %d changed: look at the page, then run with -update\n got %.300s\nwant %.300s", name, i+1, a[i], b[i])
		}
	}
	t.Fatalf("%s: %d lines, want %d", name, len(a), len(b))
}

func TestGolden(t *testing.T) {
	for name, in := range map[string]Input{"transfer": realistic(t), "seeds": repeated(t), "hostile": hostile(t)} {
		golden(t, name+".html", page(t, in))
	}
	var b bytes.Buffer
	in := hostile(t)
	if err := WriteCSV(&b, in); err != nil {
		t.Fatal(err)
	}
	golden(t, "hostile.csv", b.String())
	b.Reset()
	in.Searches = in.Searches[:1]
	if err := WriteJSON(&b, in); err != nil {
		t.Fatal(err)
	}
	golden(t, "hostile.json", b.String())
}

func TestEqualBytes(t *testing.T) {
	first := page(t, realistic(t))
	for range 3 {
		if page(t, realistic(t)) != first {
			t.Fatal("equal inputs give other bytes")
		}
	}
}

var external = regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed|base|image)\b|\bsrc=|(href|action)="[^#]|url\(|` +
	`@import|\bon\w+="`)

// The page is well-formed, needs nothing from elsewhere, has each id once, and
// no reference to an id that is not there; nothing of the input becomes markup.
func TestPageIsSelfContained(t *testing.T) {
	for name, in := range map[string]Input{"transfer": realistic(t), "seeds": repeated(t), "hostile": hostile(t), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			got := page(t, in)
			if found := external.FindString(got); found != "" {
				t.Errorf("the page has %q", found)
			}
			d := xml.NewDecoder(strings.NewReader(got))
			d.Entity = xml.HTMLEntity
			ids, refs := map[string]bool{}, map[string]bool{}
			for {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				start, ok := token.(xml.StartElement)
				if !ok {
					continue
				}
				for _, a := range start.Attr {
					switch a.Name.Local {
					case "id":
						if ids[a.Value] {
							t.Errorf("id %q is there twice", a.Value)
						}
						ids[a.Value] = true
					case "href":
						refs[strings.TrimPrefix(a.Value, "#")] = true
					case "aria-labelledby":
						for _, id := range strings.Fields(a.Value) {
							refs[id] = true
						}
					}
				}
			}
			for id := range refs {
				if !ids[id] {
					t.Errorf("nothing has the id %q", id)
				}
			}
		})
	}
}

// The drawings have no colour and no font of their own.
func TestPlotsFollowThePage(t *testing.T) {
	got := page(t, repeated(t))
	plots := regexp.MustCompile(`(?s)<svg class="plot".*?</svg>`).FindAllString(got, -1)
	if len(plots) != 6+2 {
		t.Fatalf("%d plots, want one for each of six searches, and validation and test over seeds", len(plots))
	}
	for _, p := range plots {
		if found := regexp.MustCompile(`#[0-9A-Fa-f]{6}|font-family`).FindString(p); found != "" {
			t.Errorf("a plot has %s", found)
		}
		if !strings.Contains(p, "var(--s") || !strings.Contains(p, "var(--rule)") || !strings.Contains(p, "var(--soft)") {
			t.Error("a plot lacks the page's colours")
		}
		if strings.Contains(p, "NaN") || strings.Contains(p, "Inf") {
			t.Error("a plot has coordinates that are no numbers")
		}
	}
	if bands := strings.Count(got, "fill-opacity:.16"); bands != 4 {
		t.Errorf("%d bands, want two strategies twice", bands)
	}
}

func TestEmptyAndPartial(t *testing.T) {
	in := realistic(t)
	in.Searches[0].Trials, in.Searches[0].Costs = nil, nil         // not begun
	in.Searches[1].Trials = in.Searches[1].Trials[:4]              // fewer than ten models
	in.Searches[2].Costs = nil                                     // no costs known
	in.Searches[3].Trials[0].Model, in.Searches[3].Status = "", "" // nothing of this is required
	for i := range in.Searches[4].Trials {                         // nothing but failures
		x := &in.Searches[4].Trials[i]
		x.Status, x.Validation, x.Test = "diverged", 0, 0
	}
	got := page(t, in)
	for _, want := range []string{
		`<span class="soft">of 4</span>`,
		"500 trials of sms_spam-transfer-s1 have no record of their cost.",
		"240 of 240",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(strings.ReplaceAll(got, "not finite: NaN", ""), "NaN") {
		t.Error("the page has a figure that is no number")
	}
	if !strings.Contains(page(t, Input{Title: "none"}), "There is no search in this report.") {
		t.Error("an empty report does not say so")
	}
}

func TestOtherDataUnderOneName(t *testing.T) {
	in := realistic(t)
	if strings.Contains(page(t, in), "different data") {
		t.Error("equal data is called different")
	}
	in.Searches[1].Config.Tasks[0].Data = "sha256:other"
	if !strings.Contains(page(t, in), "different data") {
		t.Error("different data is not reported")
	}
}

// What would make figures meaningless is refused, all of it together, and
// nothing is written.
func TestValidate(t *testing.T) {
	in := realistic(t)
	in.Searches[0].Trials[3].Task = 1
	in.Searches[0].Trials[5].Trial = 2
	in.Searches[1].Trials[7].Validation = 1.5
	in.Searches[1].Trials[6].Test = math.Inf(1)
	in.Searches[1].Trials[8].Actions = in.Searches[1].Trials[8].Actions[:3]
	in.Searches[1].Trials[9].Actions[1] = 2
	for i := range in.Searches[2].Trials {
		in.Searches[2].Trials[i].Task = -1
	}
	for name, write := range map[string]func(io.Writer, Input) error{"Write": Write, "WriteCSV": WriteCSV, "WriteJSON": WriteJSON} {
		var b bytes.Buffer
		err := write(&b, in)
		if err == nil || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, b.Len())
			continue
		}
		for _, want := range []string{
			`search "sms_spam-random-s1": trial 3: task 1 of 1`, "trial 2: stands after trial 4", "that of a validation accuracy of 1.5 is 1.5",
			"accuracy: +Inf is no value",
			"3 actions for 12 choices", `choice "fine_tune" has no option 2 of 2`, `search "sms_spam-transfer-s1": 495 more problems`,
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nlacks %q", name, err, want)
			}
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteErrors(t *testing.T) {
	for name, write := range map[string]func(io.Writer, Input) error{"Write": Write, "WriteCSV": WriteCSV, "WriteJSON": WriteJSON} {
		if err := write(brokenWriter{}, realistic(t)); err == nil || !strings.Contains(err.Error(), "writing") ||
			!strings.Contains(err.Error(), "no space left") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The CSV has a line a trial, with costs by trial number and options by name.
func TestCSV(t *testing.T) {
	in := realistic(t)
	in.Searches[1].Costs = in.Searches[1].Costs[1:] // the first trial has none
	in.Searches[2].Config.Space.Choices = in.Searches[2].Config.Space.Choices[:2]
	for i := range in.Searches[2].Trials {
		in.Searches[2].Trials[i].Actions = in.Searches[2].Trials[i].Actions[:2]
	}
	var b bytes.Buffer
	if err := WriteCSV(&b, in); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 1+3*500+3*240 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, c := range []struct {
		row          int
		column, want string
	}{
		{1, "search", "sms_spam-random-s1"}, {1, "strategy", "random"}, {1001, "strategy", "naml, transferred"},
		{502, "trial", "1"}, {501, "cpu_seconds", ""}, {502, "cpu_seconds", fmt.Sprint(in.Searches[1].Costs[0].CPUSeconds)},
		{1, "choice.module", fmt.Sprint(in.Searches[0].Config.Space.Choices[0].Options[in.Searches[0].Trials[0].Actions[0]])},
		{1001, "choice.steps", ""},
	} {
		if got := rows[c.row][column[c.column]]; got != c.want {
			t.Errorf("row %d, %s: %q, want %q", c.row, c.column, got, c.want)
		}
	}
}

// A search that goes on from others says so.
func TestLineage(t *testing.T) {
	in := realistic(t)
	if got := page(t, in); strings.Contains(got, "goes on from") {
		t.Error("searches of their own go on from none")
	}
	in.Searches[0].From = "a (4 trials), b & c (9 trials)"
	if got := page(t, in); !strings.Contains(got, "goes on from a (4 trials), b &amp; c (9 trials)") {
		t.Error("the page does not say what a search goes on from")
	}
}

// The JSON is the input again, and the results on top.
func TestJSON(t *testing.T) {
	in := realistic(t)
	var b bytes.Buffer
	if err := WriteJSON(&b, in); err != nil {
		t.Fatal(err)
	}
	var back Input
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if page(t, back) != page(t, in) {
		t.Error("the page of the JSON is another one")
	}
	var d document
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Results) != 6 || d.TopN != 10 {
		t.Fatalf("%d results of top%d", len(d.Results), d.TopN)
	}
	for _, r := range d.Results {
		last := r.Curve[len(r.Curve)-1]
		if r.Models != 10 || len(r.Best) != 10 || last.Trials != r.Trials || last.Validation != r.Validation.Mean || last.Test != r.Test.Mean {
			t.Errorf("%s: %+v, its curve ends with %+v", r.Search, r.Best, last)
		}
	}
	if d.Results[2].Strategy != "naml, transferred" || in.Searches[2].Config.Strategy != strategy.NAML {
		t.Errorf("strategy %q", d.Results[2].Strategy)
	}
}

// A page does not list thousands of classes.
// What is expected of the best model is on the page and in the data.
func TestCorrected(t *testing.T) {
	s := made("naml", "a", 1, 20, always(.8))
	s.Corrected = []*guard.Corrected{{Models: 1200, Accuracy: .7804, Error: .011}}
	in := Input{Searches: []Search{s}}
	if got := page(t, in); !strings.Contains(got, "validation 80.00 (of 1,200 models; corrected 78.0 ± 1.1)") {
		t.Error("the page lacks it")
	}
	var b bytes.Buffer
	if err := WriteJSON(&b, in); err != nil || !strings.Contains(b.String(), `"accuracy": 0.7804`) {
		t.Errorf("%v, %s", err, b.String())
	}
	in.Searches[0].Corrected = append(s.Corrected, nil)
	if err := Write(io.Discard, in); err == nil || !strings.Contains(err.Error(), "2 corrected accuracies of 1 tasks") {
		t.Error(err)
	}
}

func TestManyClassesAreFolded(t *testing.T) {
	in := realistic(t)
	card := opinions
	card.Card.Classes = nil
	for i := range 10_000 {
		card.Card.Classes = append(card.Card.Classes, data.Class{Label: fmt.Sprintf("class-%d", i), Train: 10_000 - i})
	}
	in.Cards = []Card{card}
	html := page(t, in)
	if n := strings.Count(html, ">class-"); n != 30 || !strings.Contains(html, "… and 9,970 more") || !strings.Contains(html, ">class-24<") ||
		!strings.Contains(html, ">class-9999<") {
		t.Errorf("%d classes are on the page", n)
	}
}

// What others wrote is no formula in a spreadsheet; numbers are numbers.
func TestCSVHasNoFormulas(t *testing.T) {
	in := realistic(t)
	s := &in.Searches[0]
	s.Name, s.Config.Tasks[0].Name = "=HYPERLINK(\"http://127.0.0.1\")", "@SUM(A1)"
	s.Trials[0].Task, s.Trials[0].Reason = 0, "-1+1|cmd"
	s.Trials[0].Metrics = map[string]float64{"gain": -.5}
	var b strings.Builder
	if err := WriteCSV(&b, in); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if _, err := strconv.ParseFloat(cell, 64); cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") && err != nil {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
	if rows[1][0] != "'"+s.Name || rows[1][4] != "'@SUM(A1)" || rows[1][6] != "'-1+1|cmd" ||
		rows[1][slices.Index(rows[0], "metric.gain")] != "-0.5" {
		t.Errorf("%q", rows[1])
	}
}

// What is to beat is on both pages, in the comparison of arms and in the data.
func TestYardsticks(t *testing.T) {
	found := []yardstick.Result{
		{Name: "naive Bayes", Validation: yardstick.Score{Accuracy: .7}, Test: yardstick.Score{Accuracy: .95, Examples: 400}},
		{Name: "SVM, words", C: 2, Validation: yardstick.Score{Accuracy: .9, Examples: 400},
			Test: yardstick.Score{Accuracy: .8, MacroF1: .66, Examples: 400}, CPUSeconds: 1.5},
	}
	in := Input{Searches: []Search{made("naml", "a", 1, 20, always(.8))}}
	if strings.Contains(page(t, in), "To beat") {
		t.Error("nothing is to beat, and the page says so")
	}
	in.Cards = []Card{{Task: "a", Yardsticks: found}}
	const row = `<th scope="row">SVM, words</th><td class="n">90.00</td>` +
		`<td class="n">80.00 ± 2.00</td><td class="n">66.00</td><td class="n">1.50 s</td>`
	if got := page(t, in); !strings.Contains(got, row) {
		t.Errorf("the page lacks it: %s", got)
	}
	var b bytes.Buffer
	if err := WriteJSON(&b, in); err != nil || !strings.Contains(b.String(), `"macro_f1": 0.66`) {
		t.Errorf("%v, %s", err, b.String())
	}
	s := experiment(t)
	if before := columns(Tables(s)[0]); strings.Contains(before, "to beat") {
		t.Errorf("columns %s", before)
	}
	s.Cards = []study.Card{{Task: "sms_spam", Yardsticks: found}}
	first := Tables(s)[0]
	last := len(first.Columns) - 1
	for _, r := range first.Rows {
		want := Cell{Text: "–"}
		if r[0].Text == "sms_spam" {
			want = Cell{Text: "80 ± 4", Note: "SVM, words"}
		}
		if first.Columns[last].Name != "to beat" || len(r) != last+1 || r[last] != want {
			t.Errorf("%s: %+v, want %+v", r[0].Text, r[len(r)-1], want)
		}
	}
	if got := experimentPage(t, s); !strings.Contains(got, row) {
		t.Error("the experiment's page lacks it")
	}
}
