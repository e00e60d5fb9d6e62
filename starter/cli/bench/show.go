package bench

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"tnaml/experiments/benchmark/compare"
	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/metrics"
	"tnaml/experiments/report"
	"tnaml/starter/cli/terminal"
)

// forms write a page, by what a file's name ends in.
var forms = map[string]func(p *page, byTask bool, width int, w io.Writer) error{
	".json": func(p *page, _ bool, _ int, w io.Writer) error { return json.NewEncoder(w).Encode(p) },
	".csv":  func(p *page, _ bool, _ int, w io.Writer) error { return p.rows(w) },
	".html": func(p *page, _ bool, _ int, w io.Writer) error { return p.html(w) },
	".txt": func(p *page, byTask bool, width int, w io.Writer) error {
		_, err := io.WriteString(w, p.text(width, byTask))
		return err
	},
}

// form is how the page is written to standard output.
func (a app) form(o options) (string, error) {
	ending := filepath.Ext(o.out)
	switch {
	case o.out != "" && forms[ending] == nil:
		return "", fmt.Errorf("--out %s: the name must end in .html, .json, .csv or .txt", o.out)
	case o.out != "" && !isDirectory(filepath.Dir(o.out)):
		return "", fmt.Errorf("--out %s: there is no directory %s", o.out, filepath.Dir(o.out))
	case o.out != "" && isDirectory(o.out):
		return "", fmt.Errorf("--out %s: it is a directory", o.out)
	case (o.csv || ending == ".csv") && o.baseline != "":
		return "", errors.New("CSV has no table of --baseline: leave it out, or write another form")
	case a.JSON && o.csv:
		return "", errors.New("--json and --csv exclude each other")
	case a.JSON:
		return ".json", nil
	case o.csv:
		return ".csv", nil
	}
	return ".txt", nil
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// show writes the page to the file, and shows it.
func (a app) show(o options, form string, p *page) error {
	var err error
	if o.out != "" {
		err = a.Output(o.out, func(w io.Writer) error { return forms[filepath.Ext(o.out)](p, o.byTask, 0, w) })
	}
	return errors.Join(forms[form](p, o.byTask, a.WidthOf(a.Stdout), a.Stdout), err)
}

// figure is a column of --csv beside those of compare.Columns: a value of the objective, or a
// regret.
type figure struct {
	name   string
	regret bool
	of     func(t *simulate.Task, at simulate.At) float64
}

var figures = []figure{
	{"validation", false, func(_ *simulate.Task, at simulate.At) float64 { return at.Validation }},
	{"test", false, func(_ *simulate.Task, at simulate.At) float64 { return at.Test }},
	{"top10_validation", false, func(_ *simulate.Task, at simulate.At) float64 { return at.TopValidation }},
	{"top10_test", false, func(_ *simulate.Task, at simulate.At) float64 { return at.TopTest }},
	{"regret", true, func(t *simulate.Task, at simulate.At) float64 { return t.Test.Regret(at.Test) }},
	{"validation_mean", false, func(_ *simulate.Task, at simulate.At) float64 { return at.Mean }},
	{"found_regret", true, func(t *simulate.Task, at simulate.At) float64 { return t.Validation.Regret(at.Mean) }},
}

// rows writes a row for each arm, task, seed and number of trials.
func (p *page) rows(w io.Writer) error {
	out := csv.NewWriter(w)
	head := slices.Clone(compare.Columns)
	for _, f := range figures {
		head = append(head, f.name)
	}
	lines := [][]string{head}
	for i := range p.Tasks {
		t := &p.Tasks[i]
		for _, arm := range t.Arms {
			for s, search := range arm.Searches {
				for k, at := range search.At {
					line := []string{arm.Arm, t.Name, strconv.Itoa(s + 1), strconv.Itoa(p.Budgets[k])}
					for _, f := range figures {
						line = append(line, strconv.FormatFloat(f.of(t, at), 'g', -1, 64))
					}
					lines = append(lines, line)
				}
			}
		}
	}
	return out.WriteAll(lines)
}

// text is the page for people, for a terminal of a width, 0 being none.
func (p *page) text(width int, byTask bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Benchmark %s: %s\n\n", p.Set, p.summary())
	table := func(title string, columns []string, rows [][]any) {
		fmt.Fprintf(&b, "%s\n\n%s\n\n", title, terminal.Table(width, columns, rows))
	}
	p.tables(table)
	if byTask {
		for i := range p.Tasks {
			p.task(&p.Tasks[i], table)
		}
	}
	if p.Figures.Diagrams() {
		b.WriteString(p.diagram(p.Figures.Judged) + "\n" + p.diagram(p.Figures.Found))
	}
	return b.String()
}

// html is the page for a browser.
func (p *page) html(w io.Writer) error {
	in := report.Bench{
		Title: "Benchmark " + p.Set, Summary: p.summary(), Result: p.Result, Figures: p.Figures, TaskTables: map[string]report.Table{},
	}
	p.tables(func(title string, columns []string, rows [][]any) {
		in.Tables = append(in.Tables, tableOf(title, columns, rows))
	})
	for i := range p.Tasks {
		t := &p.Tasks[i]
		p.task(t, func(title string, columns []string, rows [][]any) {
			in.TaskTables[t.Name] = tableOf(title, columns, rows)
		})
	}
	return report.WriteBench(w, in)
}

// tableOf is a table as pages have them.
func tableOf(title string, columns []string, rows [][]any) report.Table {
	t := report.Table{Title: title}
	for _, c := range columns {
		name, number := strings.CutPrefix(c, ">")
		t.Columns = append(t.Columns, report.Column{Name: name, Number: number})
	}
	for _, row := range rows {
		cells := make([]report.Cell, len(t.Columns))
		for i, v := range row {
			cells[i].Text = fmt.Sprint(v)
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// summary says what was run.
func (p *page) summary() string {
	trials := 0
	for _, t := range p.Tasks {
		trials += len(t.Arms) * p.Seeds * p.Trials
	}
	return fmt.Sprintf("%s, %s, %s trials.%s", counted(len(p.Tasks), "task"), counted(p.Seeds, "seed"),
		humanize.Comma(int64(trials)), p.pretrained())
}

// tables gives the tables over all tasks.
func (p *page) tables(table func(title string, columns []string, rows [][]any)) {
	curve := func(title string, of func(m simulate.Means) string) {
		var rows [][]any
		for _, arm := range p.Figures.Arms {
			row := []any{arm.Arm}
			for _, m := range arm.At {
				row = append(row, of(m))
			}
			rows = append(rows, row)
		}
		table(title, p.columns("arm"), rows)
	}
	over := "mean over " + counted(len(p.Tasks), "task")
	curve("Normalised regret on the test split of the model best on validation, ± 2 s.e.m. over tasks (0: best known, 1: median random)",
		func(m simulate.Means) string { return plus(m.Regret, number, len(p.Tasks)) })
	curve("Its test value, "+over, func(m simulate.Means) string { return value(m.Test) })
	curve("Its validation value", func(m simulate.Means) string { return value(m.Validation) })
	curve("Test value of the ten best on validation (top10)", func(m simulate.Means) string { return value(m.TopTest) })
	if len(p.Arms) > 1 {
		p.judged("regret less", p.Figures.Judged, table)
	}
	curve("How far the searches have come: normalised regret on the validation split of the model best on it, in the mean over seeds of its\n"+
		"training, so that neither luck nor the test split has a part in it",
		func(m simulate.Means) string { return plus(m.Found, number, len(p.Tasks)) })
	if len(p.Arms) > 1 {
		p.judged("validation regret less", p.Figures.Found, table)
	}
	table("Trials until the model best on validation is so far on the way from the median random to the best known, without the luck of its\n"+
		"training: median over searches (share that got there within "+strconv.Itoa(p.Trials)+")",
		p.targets(), p.reached())
	if p.Baseline != nil {
		p.baseline(table)
	}
}

// judged are the tables that compare the arms by a figure, less of it being better.
func (p *page) judged(what string, j simulate.Judged, table func(title string, columns []string, rows [][]any)) {
	if j.Ranked() {
		test := "sign test"
		if j.Diagrams() {
			test = fmt.Sprintf("Friedman; CD: critical difference of two, Nemenyi, 5 %%: %s", number(j.Rankings[0].Critical))
		}
		table(fmt.Sprintf("Mean rank over the tasks, by %s (p: %s)", j.By, test), p.columns("arm"), p.ranks(j.Rankings))
	}
	table("Against "+p.Against+": "+what+", with its 95 % interval over "+drawn(len(p.Tasks))+" (* p < 0.05, Wilcoxon–Holm over tasks)",
		p.columns("arm"), compared(p, j.Comparisons, func(c simulate.Comparison) string {
			return gain(c.Gain, number) + star(c.Holm)
		}))
	rows := compared(p, j.Comparisons, func(c simulate.Comparison) string { return tally(c.Tally, p.Seeds > 1) + " " + probability(c.Holm) })
	if p.Seeds > 1 {
		first := []any{p.Against + " first or tied"}
		for _, n := range j.Leads {
			first = append(first, fmt.Sprintf("%d of %d", n, len(p.Tasks)))
		}
		rows = append(rows, first)
	}
	table("Tasks won/tied/lost against "+p.Against+", by "+j.By+" (95 % interval over seeds), and Holm's p", p.columns("arm"), rows)
}

// dash stands for what cannot be told.
const dash = "–"

// plus is a mean with its error over so many values: of one, nothing is known of the spread.
func plus(e metrics.Estimate, form func(float64) string, values int) string {
	if values < 2 {
		return form(e.Mean) + " ± " + dash
	}
	return form(e.Mean) + " ± " + form(e.Error)
}

// drawn is what intervals know to be drawn.
func drawn(tasks int) string {
	if tasks < 2 {
		return "seeds"
	}
	return "tasks and seeds"
}

// gain is a difference with its interval.
func gain(i metrics.Interval, form func(float64) string) string {
	signed := func(x float64) string { return strings.Replace("+"+form(x), "+-", "-", 1) }
	if !i.Known() {
		return fmt.Sprintf("%s [%s]", signed(i.Mean), dash)
	}
	return fmt.Sprintf("%s [%s, %s]", signed(i.Mean), signed(i.Low), signed(i.High))
}

// star marks what is significant, by Holm's p.
func star(p float64) string {
	if p < .05 {
		return "*"
	}
	return " "
}

// tally is won/tied/lost, where that is known: by intervals over seeds it is not of one seed.
func tally(t metrics.Tally, known bool) string {
	if !known {
		return dash
	}
	return fmt.Sprintf("%d/%d/%d", t.Wins, t.Draws, t.Losses)
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// pretrained says what arms start from.
func (p *page) pretrained() string {
	var words []string
	for _, pre := range p.Pretrainings {
		tasks := "the development tasks"
		if len(pre.Tasks) > 0 {
			tasks = strings.Join(pre.Tasks, ", ")
		}
		words = append(words, fmt.Sprintf("%s (%s, %s trials of %s)", pre.Name, pre.Strategy, humanize.Comma(int64(pre.Trials)), tasks))
	}
	if len(words) == 0 {
		return ""
	}
	seeds := counted(min(p.Seeds, p.PretrainSeeds), "seed")
	return fmt.Sprintf("\nPretrained with %s, never on the target: %s.%s", seeds, strings.Join(words, ", "), p.information())
}

// information says how much the controllers tell their tasks apart.
func (p *page) information() (text string) {
	for _, pre := range p.Pretrainings {
		var bits []float64
		most := 0.
		for _, l := range p.Learned {
			if l.Pretraining == pre.Name {
				bits, most = append(bits, l.Information), max(most, l.Most)
			}
		}
		if len(bits) > 0 {
			text += fmt.Sprintf("\nMutual information of task and architecture in %s: %s bits in the mean, %s to %s (at most %s).", pre.Name,
				number(metrics.Mean(bits).Mean), number(slices.Min(bits)), number(slices.Max(bits)), number(most))
		}
	}
	return text
}

// columns are those of a table over the numbers of trials.
func (p *page) columns(first string) []string { return columns(first, p.Budgets) }

func columns(first string, budgets []int) []string {
	out := []string{first}
	for _, b := range budgets {
		out = append(out, ">"+strconv.Itoa(b))
	}
	return out
}

func (p *page) ranks(rankings []simulate.Ranking) [][]any {
	var rows [][]any
	last := []any{"p"}
	for a, arm := range p.Arms {
		row := []any{arm.Name}
		for _, r := range rankings {
			rank := dash // an oracle is no search
			if r.Ranks[a] > 0 {
				rank = number(r.Ranks[a])
			}
			row = append(row, rank)
		}
		rows = append(rows, row)
	}
	for _, r := range rankings {
		last = append(last, probability(r.P))
	}
	return append(rows, last)
}

// compared has a row for each arm that is compared.
func compared(p *page, comparisons []simulate.Comparison, cell func(simulate.Comparison) string) [][]any {
	var rows [][]any
	others := len(p.Arms) - 1
	for i := range others {
		row := []any{comparisons[i].Arm}
		for k := range p.Budgets {
			row = append(row, cell(comparisons[k*others+i]))
		}
		rows = append(rows, row)
	}
	return rows
}

func (p *page) targets() []string {
	out := []string{"arm"}
	for _, t := range p.Figures.Arms[0].Targets {
		out = append(out, fmt.Sprintf(">%g %%", 100*t.Share))
	}
	return out
}

func (p *page) reached() [][]any {
	var rows [][]any
	for _, arm := range p.Figures.Arms {
		row := []any{arm.Arm}
		for _, t := range arm.Targets {
			median := "> " + strconv.Itoa(p.Trials)
			if t.Median > 0 {
				median = strconv.FormatFloat(t.Median, 'g', -1, 64)
			}
			row = append(row, fmt.Sprintf("%s (%.0f %%)", median, 100*float64(t.Reached)/float64(t.Searches)))
		}
		rows = append(rows, row)
	}
	return rows
}

// task shows one task.
func (p *page) task(t *simulate.Task, table func(title string, columns []string, rows [][]any)) {
	var rows [][]any
	for a, arm := range t.Arms {
		row := []any{arm.Arm}
		for k := range p.Budgets {
			row = append(row, value(t.Mean(a, k).Test))
		}
		rows = append(rows, row)
	}
	title := fmt.Sprintf("%s: test value (best known %s, median random %s)", t.Name, value(t.Test.Best), value(t.Test.Median))
	table(title, p.columns("arm"), rows)
}

// value is a value of the objective, in percent.
func value(v float64) string { return strconv.FormatFloat(100*v, 'f', 2, 64) }

func number(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// probability is a p value for people.
func probability(p float64) string {
	if p < .001 {
		return "<.001"
	}
	return strings.TrimPrefix(strconv.FormatFloat(p, 'f', 3, 64), "0")
}
