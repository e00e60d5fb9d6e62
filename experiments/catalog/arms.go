package catalog

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/strict"
	"tnaml/experiments/study"
	"tnaml/experiments/yamlnode"
)

//go:embed arms.yaml
var armsYAML []byte

// Arms are arms and pretrainings that stand by themselves, with lists of arms by name.
type Arms struct {
	Pretrainings []Pretrain
	Arms         []study.Arm
	Lists        map[string][]string
}

// shared are those that experiments need not write out.
var shared = sync.OnceValue(func() *Arms {
	s, err := ParseArms(armsYAML)
	if err != nil {
		panic(err) // embedded
	}
	return s
})

// SharedArms are the arms and pretrainings that all experiments have.
func SharedArms() *Arms { return shared() }

// ParseArms reads arms from YAML. Everything wrong with them is reported together.
func ParseArms(b []byte) (*Arms, error) {
	s := &Arms{Lists: map[string][]string{}}
	yaml, root := yamlnode.Read(b, "list of arms")
	r := reader{Reader: yaml}
	var lists []yamlnode.Entry
	items := func(read func(n yamlnode.Node)) func(yamlnode.Entry) {
		return func(x yamlnode.Entry) {
			if x.Value.Kind != yamlnode.List {
				r.Bad(x.Line, "%q is %s, it must be a list", x.Key, x.Value)
			}
			for _, n := range x.Value.Items {
				read(n)
			}
		}
	}
	r.Fields(root, "the arms", map[string]func(yamlnode.Entry){
		"pretrainings": items(func(n yamlnode.Node) {
			p := r.pretraining(n, Pretrain{}, nil)
			if slices.ContainsFunc(s.Pretrainings, func(o Pretrain) bool { return o.Name == p.Name }) && p.Name != "" {
				r.Bad(n.Line, "the pretraining %q is there twice", p.Name)
			}
			if p.Seed != 0 || p.Controller != "" {
				r.Bad(n.Line, `the pretraining %q has a "seed" or a "controller": what is simulated has seeds of its own, and publishes none`, p.Name)
			}
			s.Pretrainings = append(s.Pretrainings, p)
		}),
		"arms": items(func(n yamlnode.Node) {
			a := r.arm(n)
			if armNamed(s.Arms, a.Name) != nil && a.Name != "" {
				r.Bad(n.Line, "the arm %q is there twice", a.Name)
			}
			s.Arms = append(s.Arms, a)
		}),
		"lists": func(x yamlnode.Entry) {
			if x.Value.Kind != yamlnode.Mapping {
				r.Bad(x.Line, `"lists" is %s, it must name lists of arms`, x.Value)
			}
			for _, e := range x.Value.Entries {
				var names []string
				r.Words(&names, nil)(e)
				switch {
				case !nameForm.MatchString(e.Key):
					r.Bad(e.Line, "the list's name %q must be %s", e.Key, nameWords)
				case len(names) == 0:
					r.Bad(e.Line, "the list %q is empty", e.Key)
				case slices.Contains(append(strategy.Builtin().Names(), simulate.Oracle), e.Key):
					r.Bad(e.Line, "the list %q has the name of a strategy", e.Key)
				}
				s.Lists[e.Key], lists = names, append(lists, e)
			}
		},
	})
	for _, e := range lists { // arms may stand behind them
		if armNamed(s.Arms, e.Key) != nil {
			r.Bad(e.Line, "the list %q has the name of an arm", e.Key)
		}
	}
	return s, yaml.Err()
}

// Named are the arms behind a name: the arm of that name, or those of the list. nil
// where there is neither.
func (s *Arms) Named(name string) (out []study.Arm) {
	names, ok := s.Lists[name]
	if !ok {
		names = []string{name}
	}
	for _, n := range names {
		if a := armNamed(s.Arms, n); a != nil {
			out = append(out, *a)
		}
	}
	return out
}

// knownArms names, for messages, the arms of an experiment and those shared.
func knownArms(own []study.Arm) string {
	var names []string
	for _, a := range slices.Concat(own, shared().Arms) {
		if !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return strings.Join(slices.Concat(names, slices.Sorted(maps.Keys(shared().Lists))), ", ")
}

func armNamed(arms []study.Arm, name string) *study.Arm {
	if i := slices.IndexFunc(arms, func(a study.Arm) bool { return a.Name == name }); i >= 0 {
		return &arms[i]
	}
	return nil
}

// pretraining returns a pretraining of the experiment by its name: one of its
// own, or one of those that all share, which is like its first one.
func (e *Experiment) pretraining(name string) (Pretrain, bool) {
	byName := func(p Pretrain) bool { return p.Name == name }
	if i := slices.IndexFunc(e.Pretrain, byName); i >= 0 {
		return e.Pretrain[i], true
	}
	i := slices.IndexFunc(shared().Pretrainings, byName)
	if i < 0 || len(e.Pretrain) == 0 {
		return Pretrain{}, false
	}
	p, first := shared().Pretrainings[i], e.Pretrain[0]
	p.Tasks, p.Trials, p.Seed = first.Tasks, first.Trials, first.Seed
	return p, true
}

// ArmChoice chooses an arm for a run: one of the experiment's, or of those that
// all share, by its name; or a new one, which is written out. In JSON it is a
// text or an object.
type ArmChoice struct {
	Name string
	Arm  *study.Arm
}

// MarshalJSON writes the name, or the arm.
func (c ArmChoice) MarshalJSON() ([]byte, error) {
	if c.Arm != nil {
		return json.Marshal(c.Arm)
	}
	return json.Marshal(c.Name)
}

// UnmarshalJSON reads either.
func (c *ArmChoice) UnmarshalJSON(b []byte) error {
	*c = ArmChoice{}
	if json.Unmarshal(b, &c.Name) == nil {
		return nil
	}
	c.Arm = &study.Arm{Strategy: strategy.NAML}
	if err := strict.Unmarshal(b, c.Arm); err != nil {
		return fmt.Errorf("it must be an arm's name, or an arm as {\"name\": …, \"strategy\": …}: %w", err)
	}
	c.Name = c.Arm.Name
	return nil
}

// choose finds the arms that are chosen, and what is wrong with the choice.
func choose(e *Experiment, choices []ArmChoice) (arms []study.Arm, wrong []error) {
	add := func(a study.Arm) {
		if armNamed(arms, a.Name) != nil {
			wrong = append(wrong, fmt.Errorf(`"arms" names %q twice`, a.Name))
			return
		}
		arms = append(arms, a)
	}
	for i, c := range choices {
		own := armNamed(e.Transfer.Arms, c.Name)
		switch {
		case c.Name == "":
			wrong = append(wrong, fmt.Errorf(`"arms"[%d] has an empty name`, i))
		case c.Arm != nil:
			add(*c.Arm)
			wrong = append(wrong, checkArm(*c.Arm)...)
		case own != nil:
			add(*own)
		default:
			found := shared().Named(c.Name)
			if found == nil {
				wrong = append(wrong, fmt.Errorf("unknown arm %q (known: %s)", c.Name, knownArms(e.Transfer.Arms)))
			}
			for _, a := range found {
				add(a)
			}
		}
	}
	return arms, wrong
}

// checkArm checks an arm's words; its settings are checked with those below
// them.
func checkArm(a study.Arm) (wrong []error) {
	if !nameForm.MatchString(a.Name) {
		wrong = append(wrong, fmt.Errorf("the arm's name %q must be %s", a.Name, nameWords))
	}
	d, err := strategy.Builtin().Find(a.Strategy)
	if err != nil {
		wrong = append(wrong, err)
	}
	ofTrials := err == nil && d.FromSources && limit.Name(`"from"`, a.From) == nil && limit.ID(a.From) == nil
	if a.From != "" && !controllerForm(a.From) && !ofTrials {
		const what = "it must be a pretraining's name, or a controller's as name or name@version"
		wrong = append(wrong, fmt.Errorf("the arm %q starts from %q: %s", a.Name, a.From, what))
	}
	if a.From != "" && err == nil && !d.FromController && !d.FromSources {
		wrong = append(wrong, fmt.Errorf("the arm %q starts from %q, but its strategy %q starts from none", a.Name, a.From, a.Strategy))
	}
	problems := a.Budget.Problems()
	if a.Pruner != nil {
		if _, err := a.Pruner.Canonical(); err != nil {
			problems = append(problems, fmt.Errorf(`"pruner": %w`, err))
		}
	}
	for _, err := range problems {
		wrong = append(wrong, fmt.Errorf("the arm %q: %w", a.Name, err))
	}
	return wrong
}

// Simulated is an arm as it is searched on recorded tasks, which have no trials to end
// early and no hours.
func Simulated(a study.Arm) (simulate.Arm, error) {
	if a.Pruner != nil || a.Budget != (search.Budget{}) {
		return simulate.Arm{}, fmt.Errorf(`the arm %q has a "budget" or a "pruner": recorded tasks are searched without`, a.Name)
	}
	return simulate.Arm{Name: a.Name, Strategy: a.Strategy, Settings: a.Settings, From: a.From}, nil
}

// checkSettings checks settings of a strategy. What starts from a controller
// takes from it what is not given.
func checkSettings(name string, settings json.RawMessage, from bool) error {
	if from && len(settings) == 0 {
		return nil
	}
	_, err := strategy.ParseSettings(name, settings)
	return err
}
