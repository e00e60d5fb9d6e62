package simulate

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"text/tabwriter"

	"tnaml/experiments/benchmark"
	"tnaml/experiments/search/strategy"
	"tnaml/nn/rng"
)

var power = flag.Bool("power", false, "measure how often nights are called slower that are not, and that are by a tenth")

// A night is called slower as seldom as it should be, where searches drawn from another
// range of seeds are as fast, and nearly always where they take a tenth more trials.
func TestPowerOfANight(t *testing.T) {
	if !*power {
		t.Skip("it takes minutes: give -power")
	}
	w, err := Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	const pool = 1000 // seeds that nights are drawn from
	plan := Plan{
		Tasks: w.Expand([]string{"all"}), Trials: 100, Budgets: []int{100}, Seeds: pool, PretrainSeeds: 1, Lag: 4, Workers: 2, Against: "random",
		Arms: []Arm{{Name: "random", Strategy: strategy.Random}, {Name: "evolution", Strategy: "evolution"}, {Name: "tpe", Strategy: "tpe"},
			{Name: "kindred", Strategy: "kindred"}},
	}
	result, err := Run(context.Background(), w, plan, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "arm\tshare\treached\ttrials\ts.d. of a seed\tseeds\tfalse alarms\tslower by a tenth, caught")
	for a, arm := range result.Arms {
		for _, share := range []float64{.5, .75} {
			took := result.night(share).trials(a)
			reach := result.reach(a, share)
			for _, seeds := range []int{400, 500} {
				false_, caught, s, sd := 0, 0, Slowdown{}, 0.
				const nights = 4000
				for night := range nights {
					g := rng.New(1, "nights", uint64(night))
					order := g.Perm(pool)
					var now, before, slow [][]float64
					for i := range seeds {
						x := took[order[i]]
						now, before = append(now, x), append(before, took[order[seeds+i]])
						stretched := make([]float64, len(x))
						for k := range x {
							stretched[k] = math.Min(1.1*x[k], float64(plan.Trials))
						}
						slow = append(slow, stretched)
					}
					if s = compareTook(now, before); s.P < LatestLevel/4 {
						false_++
					}
					sd = math.Log(s.High/s.Low) / 2 / 1.96 * math.Sqrt(float64(seeds))
					if compareTook(slow, before).P < LatestLevel/4 {
						caught++
					}
				}
				fmt.Fprintf(out, "%s\t%g\t%d %%\t%.1f\t%.3f\t%d\t%.2f %%\t%.1f %%\n",
					arm.Name, share, 100*reach.Reached/reach.Searches, s.Earlier, sd, seeds, 100*float64(false_)/nights, 100*float64(caught)/nights)
			}
		}
	}
	_ = out.Flush()
}

// Equal searches are unchanged; what takes more trials is slower, what takes fewer is not.
func TestSlowdowns(t *testing.T) {
	result := func(at func(seed, task int) int) *Night {
		r := &Result{Arms: []Arm{{Name: "a"}}, Trials: 100, Seeds: 50}
		for task := range 2 {
			one := Task{Validation: Scale{Best: 1}, Arms: []Searches{{Arm: "a"}}}
			for seed := range r.Seeds {
				best := Improvements{Trials: []int{1, at(seed, task)}, Mean: []float64{.1, .9}}
				one.Arms[0].Searches = append(one.Arms[0].Searches, &Search{Best: best})
			}
			r.Tasks = append(r.Tasks, one)
		}
		return r.night(.75)
	}
	before := result(func(seed, task int) int { return 20 + seed%7 + task })
	for name, c := range map[string]struct {
		add               int
		unchanged, slower bool
	}{"as before": {unchanged: true}, "slower": {add: 3, slower: true}, "faster": {add: -3}} {
		got := Slowdowns(result(func(seed, task int) int { return 20 + (seed+c.add)%7 + task + c.add }), before)[0]
		if got.Faster != (c.add < 0) || strings.Contains(got.Say(), "faster") != got.Faster {
			t.Errorf("%s: %+v, %s", name, got, got.Say())
		}
		if got.Unchanged != c.unchanged || got.Slower != c.slower || c.slower != (got.Low > 1) {
			t.Errorf("%s: %+v, %s", name, got, got.Say())
		}
	}
	// What tasks gain and lose in each seed alike is a change, and neither faster nor slower.
	even := Slowdowns(result(func(seed, task int) int { return 20 + seed%7 + 1 - task }), before)[0]
	if even.Unchanged || even.Slower || even.Faster || even.Ratio != 1 || even.P != .5 {
		t.Errorf("%+v, %s", even, even.Say())
	}
	never := before
	never.Took[0][3][0] = 0
	if took := never.trials(0); took[3][0] != 100 || took[3][1] != 24 {
		t.Errorf("a search that never gets there took %v", took[3])
	}
	if p := never.Paces()[0]; p.Reached != 99 || p.Searches != 100 || !(p.Low < p.Trials && p.Trials < p.High && p.Low > 20 && p.High < 30) {
		t.Errorf("%+v", p)
	}
}
