package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"tnaml/experiments/metrics"
)

// Two tasks with two seeds, and a run that one arm lacks.
const small = "\ufeffarm,task,seed,trials,loss,note,test\n" +
	"a,x,1,10,3,,.5\n" + "a,x,2,10,1,,.7\n" + "a,y,1,10,2,,.2\n" + "a,y,2,10,2,,.4\n" + "a,y,3,10,2,,.4\n" + "a,x,1,20,3,,.9\n" +
	"b,x,1,10,1,,.8\n" + "b,x,2,10,1,,.8\n" + "\"b\",y,1,10,5,, .2\n" + "b,y,2,10,3,,.3\n"

func read(t *testing.T, csv string, values ...string) *Table {
	t.Helper()
	table, err := Read([]File{{"one.csv", []byte(csv)}}, values)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// By hand: b's test is ahead by .3, .1 on x, and by 0, −.1 on y; its loss is less by 2, 0
// and more by 3, 1.
func TestByHand(t *testing.T) {
	r, err := read(t, small, "test", "loss").Compare(t.Context(), Plan{Lower: []string{"loss"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Against != "a" || r.Over != Runs || r.Runs != 4 || r.LeftOut.Runs != 1 ||
		r.LeftOut.Lacks["b"] != 1 || !slices.Equal(r.LeftOut.Budgets, []int{20}) || !slices.Equal(r.Budgets, []int{10}) ||
		!slices.Equal(r.Tasks, []string{"x", "y"}) {
		t.Errorf("%+v", r)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	test, loss := r.Values[0].At[0], r.Values[1].At[0]
	near("a's test", test.Means[0], .45)
	near("b's test", test.Means[1], .525)
	near("a's rank over runs", test.Ranks[0], (2+2+1.5+1)/4)
	near("b's gain", test.Comparisons[0].Gain.Mean, (.2-.05)/2)
	near("b's gain on x", test.Comparisons[0].Tasks[0].Mean, .2)
	// Differences .3, .1, −.1: sums of ranks 3, 1.5, 1.5; 3 of 8 signs have a sum of 1.5 or
	// less.
	near("p", test.Comparisons[0].P, .75)
	near("b's loss", loss.Means[1], 2.5)
	near("b's gain in loss", loss.Comparisons[0].Gain.Mean, (1-2)/2.)
	if got := test.Comparisons[0].Tally; got != (metrics.Tally{Wins: 2, Draws: 1, Losses: 1}) {
		t.Errorf("test: %+v", got)
	}
	if got := loss.Comparisons[0].Tally; got != (metrics.Tally{Wins: 1, Draws: 1, Losses: 2}) || !r.Values[1].Lower {
		t.Errorf("loss: %+v", got)
	}
	// Over tasks there are two differences.
	r, err = read(t, small, "test").Compare(t.Context(),
		Plan{Over: Tasks, Against: "b", Arms: []string{"a", "b"}, Tasks: []string{"x", "y"}, Budgets: []int{10}})
	if err != nil {
		t.Fatal(err)
	}
	c := r.Values[0].At[0].Comparisons[0]
	near("p over tasks", c.P, 1)
	near("a's gain", c.Gain.Mean, -.075)
	near("a's rank over tasks", r.Values[0].At[0].Ranks[0], 1.5)
	if c.Arm != "a" || c.Draws != 2 { // two seeds tell nothing from nothing
		t.Errorf("%+v", c)
	}
}

// Of six tasks tests of two arms are over tasks, of seven arms those of eight are.
func TestOverTasks(t *testing.T) {
	csv := "arm,task,seed,trials,test\n"
	for i := range 6 {
		csv += fmt.Sprintf("a,%d,1,1,.5\nb,%d,1,1,.6\n", i, i)
	}
	for arms, want := range map[int]int{2: 6, 3: 7, 7: 8, 60: 12} {
		if got := Enough(arms); got != want {
			t.Errorf("%d tasks are enough for %d arms, not %d", want, arms, got)
		}
	}
	r, err := read(t, csv).Compare(t.Context(), Plan{})
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Values[0].At[0].Comparisons[0]; r.Over != Tasks || c.P != 2./64 || c.Draws != 6 {
		t.Errorf("%s: %+v", r.Over, c)
	}
}

// Files are one table: figures are those that all have.
func TestFiles(t *testing.T) {
	table, err := Read([]File{{"a.csv", []byte("seed,arm,test,task,trials,speed\n1,a,.5,x,1,9\n")},
		{"b.csv", []byte("arm,task,seed,trials,note,test\nb,x,1,1,none,.6\n")}}, nil)
	if err != nil || !slices.Equal(table.Values, []string{"test"}) || !slices.Equal(table.Arms, []string{"a", "b"}) {
		t.Fatalf("%v: %+v", err, table)
	}
	r, err := table.Compare(t.Context(), Plan{})
	if err != nil || r.Values[0].At[0].Comparisons[0].Gain.Mean < .0999 {
		t.Errorf("%v: %+v", err, r)
	}
}

// A table of many columns takes no time that grows with their square: ten minutes, of so many.
func TestManyColumns(t *testing.T) {
	const columns = 20_000
	head, row := strings.Builder{}, strings.Builder{}
	for i := range columns {
		fmt.Fprintf(&head, ",f%d", i)
		row.WriteString(",1")
	}
	begin := time.Now()
	var files []File
	for _, arm := range []string{"a", "b"} {
		files = append(files, File{arm, []byte("arm,task,seed,trials" + head.String() + "\n" + arm + ",x,1,1" + row.String() + "\n")})
	}
	table, err := Read(files, nil)
	if err != nil || len(table.Values) != columns {
		t.Fatalf("%v, %d figures", err, len(table.Values))
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// What is wrong with files is told by file and line, all of it.
func TestBadFiles(t *testing.T) {
	const head = "arm,task,seed,trials,test\n"
	for _, c := range []struct {
		files  []File
		values []string
		want   []string
	}{
		{[]File{{"a", nil}, {"b", []byte("arm,test\n")}, {"c", []byte("arm,task,seed,trials\n")},
			{"d", []byte("arm,arm,task,seed,trials,test\n")}}, nil, []string{"a: it is empty",
			"b: line 1: no column task, seed, trials", "c: line 1: there is no column of figures",
			`d: line 1: the column "arm" is there twice`}},
		{[]File{{"a", []byte(head)}}, nil, []string{"a: it has no rows"}},
		{[]File{{"a", []byte(head + "a,x,1,0,.5\n,x,1,ten,NaN\na,x,1,2,.5\na,x,1\na,x,1,2,.6\na,x,1,3,half\n")}}, nil, []string{
			`a: line 2: "0" is no number of trials`, "a: line 3: the column arm is empty", `a: line 3: "ten" is no number`,
			`a: line 3: test is "NaN", which is no number`, "line 5: wrong number of fields", `a: line 7: test is "half"`,
			`a: line 6: arm "a", task "x", seed "1", 2 trials: that is in line 4 of a already`}},
		{[]File{{"a", []byte("\n\narm;task;seed;trials;test\n")}, {"b", []byte("\xff\xfea\x00")},
			{"c", []byte("arm,task,seed,trials,test\ra,x,1,1,.5\r")},
			{"d", []byte("Arm,TASK,seed,Trials,Test,\n")}}, nil,
			[]string{"a: line 3: its columns are not separated by commas", "b: it is no UTF-8 text", "c: line 1: lines end in carriage returns"}},
		{[]File{{"d", []byte("Arm,TASK,seed,Trials,Test,\na,b,1,2.5,1e61,\n")}}, nil, []string{`"2.5" is no number of trials`,
			"Test is 1e61: figures must lie within ±1e+60"}},
		{[]File{{"a", []byte(head)}}, []string{"test", "test"}, []string{`the figure "test" is there twice`}},
		{[]File{{"a", []byte(head + "a,x,1,2,\".5\n")}}, nil, []string{"a: ", "quote"}},
		{[]File{{"a", []byte(head)}, {"b", []byte("arm,task,seed,trials,loss\n")}}, nil, []string{"no figure that all files have",
			`a: it has the figures "test"`, `b: it has the figures "loss"`}},
		{[]File{{"a", []byte(head)}}, []string{"tset", "test"}, []string{`a: it has no figure "tset" (it has "test")`}},
		{[]File{{"a", []byte(head + strings.Repeat("a,x,1,no,1\n", 100))}}, nil, []string{"line 11: ", "a: and more"}},
	} {
		_, err := Read(c.files, c.values)
		for _, want := range c.want {
			if err == nil || strings.Count(err.Error(), want) != 1 {
				t.Errorf("%q is not once in: %v", want, err)
			}
		}
	}
}

// What is wrong with a plan comes together.
func TestBadPlan(t *testing.T) {
	const apart = "arm,task,seed,trials,test\na,x,1,5,.5\nb,y,1,5,.5\nc,x,1,9,.5\n"
	for _, c := range []struct {
		csv  string
		plan Plan
		want []string
	}{
		{small, Plan{Arms: []string{"a", "c", "a"}, Tasks: []string{"z"}, Lower: []string{"gain"}, Against: "d", Over: "seeds",
			Budgets: []int{5, 5}}, []string{`no arm "c" (there are: "a", "b")`, `the arm "a" is there twice`, `no task "z"`, `no figure "gain"`,
			`against "d"`, `over "seeds"`,
			"figures at 5, 5"}},
		{small, Plan{Arms: []string{"b"}}, []string{`there is one arm, "b"`}},
		{small, Plan{Budgets: []int{20}}, []string{"is there of all arms after 20 trials",
			`"b" has the tasks "x", "y", the seeds 1, 2, and figures after 10 trials`}},
		{apart, Plan{}, []string{"is there of all arms after any number of trials",
			`"c" has the tasks "x", the seeds 1, and figures after 9 trials`}},
		{apart, Plan{Arms: []string{"a", "b"}}, []string{"is there of all arms after any number of trials", `"b" has the tasks "y"`}},
	} {
		_, err := read(t, c.csv, "test").Compare(t.Context(), c.plan)
		for _, want := range c.want {
			if err == nil || strings.Count(err.Error(), want) != 1 {
				t.Errorf("%q is not once in: %v", want, err)
			}
		}
	}
}

// By default figures are at the numbers of trials that most shared runs have, and runs that
// have no more are compared too.
func TestBudgets(t *testing.T) {
	csv := "arm,task,seed,trials,test\n"
	for _, arm := range []string{"a", "b"} {
		for seed := 1; seed <= 4; seed++ {
			for _, n := range []int{1, 10, 100} {
				if n < 100 || seed < 4 { // the last is under way
					csv += fmt.Sprintf("%s,x,%d,%d,.5\n", arm, seed, n)
				}
			}
		}
		csv += fmt.Sprintf("%s,x,1,500,.5\n%s,y,1,7,.5\n", arm, arm)
	}
	for _, c := range []struct {
		plan    Plan
		budgets []int
		runs    int
	}{
		{Plan{}, []int{1, 10, 100}, 3}, {Plan{Tasks: []string{"y"}}, []int{7}, 1}, {Plan{Budgets: []int{10}}, []int{10}, 4},
	} {
		r, err := read(t, csv).Compare(t.Context(), c.plan)
		if err != nil || !slices.Equal(r.Budgets, c.budgets) || r.Runs != c.runs {
			t.Errorf("%+v: %v: %+v", c.plan, err, r)
		}
	}
}

// Large tables take no time that grows with their square.
func BenchmarkCompare(b *testing.B) {
	var csv strings.Builder
	csv.WriteString("arm,task,seed,trials,test\n")
	const tasks = 20_000
	for i := range tasks {
		fmt.Fprintf(&csv, "a,%d,1,1,%d\nb,%d,1,1,%d\n", i, i%7, i, i%5)
	}
	for b.Loop() {
		table, err := Read([]File{{"a", []byte(csv.String())}}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := table.Compare(b.Context(), Plan{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(2*tasks*b.N)/b.Elapsed().Seconds(), "rows/s")
}
