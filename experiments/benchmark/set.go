package benchmark

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"tnaml/experiments/space"
)

//go:embed paper/*.record.zst text/*.record.zst
var recorded embed.FS

// Suffix is what files of records end in; what stands before it is the task's name.
const Suffix = ".record.zst"

// The sets that the program brings: the text tasks in the space "paper", and in the space
// "text", both with the same random numbers behind their configurations and trainings.
const (
	Paper = "paper"
	Text  = "text"
)

// Set is a recorded benchmark of several tasks in one space. It is safe for concurrent
// use.
type Set struct {
	Name  string
	Space space.Space
	// Development are the tasks on which strategies are designed, tuned and pretrained,
	// Test those on which they are compared: nothing is ever chosen by them.
	Development, Test []string
	tasks             map[string]*task
	digest            string
}

// task is a task's file, with what was made of it when it was first asked for.
type task struct {
	record    func() (*Record, error)
	surrogate func() (*Surrogate, error)
}

// roles are the lists of the sets' tasks, the paper's own (Wong et al., 2018, §4.1): eight
// tasks to pretrain on, thirteen to transfer to. Who designs a strategy may see what
// pretraining sees, and no more. A task that a set has not recorded is left out of its list.
var roles = struct{ development, test []string }{
	development: []string{
		"airline", "complaints", "economic_news_tone_only", "news_aggregator", "political_bias", "primary_emotion", "sentiment_sst",
		"us_economy",
	},
	test: []string{
		"20_newsgroups", "brown_corpus", "sms_spam", "corp_messaging", "disasters", "emotion", "global_warming", "prog_opinion",
		"customer_reviews", "mpqa_opinion", "spanish_tweets", "sentiment_imdb", "subj_movie",
	},
}

// Names lists the sets that the program brings.
func Names() []string { return []string{Paper, Text} }

// Open returns a set that the program brings.
func Open(name string) (*Set, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("unknown benchmark %q (there are: %s)", name, strings.Join(Names(), ", "))
	}
	files, err := fs.Glob(recorded, name+"/*"+Suffix)
	if err != nil {
		return nil, err
	}
	s := &Set{Name: name, tasks: map[string]*task{}}
	sum := sha256.New()
	for _, file := range files { // in the order of their names
		b, err := recorded.ReadFile(file)
		if err != nil {
			return nil, err
		}
		one := sha256.Sum256(b)
		sum.Write(append(one[:], file...))
		t := &task{record: sync.OnceValues(func() (*Record, error) { return read(file) })}
		t.surrogate = sync.OnceValues(func() (*Surrogate, error) {
			r, err := t.record()
			if err != nil {
				return nil, err
			}
			return Fit(r, FitOptions{})
		})
		s.tasks[strings.TrimSuffix(file[len(name)+1:], Suffix)] = t
	}
	s.digest = hex.EncodeToString(sum.Sum(nil))
	missing := func(task string) bool { return s.tasks[task] == nil }
	s.Development = slices.DeleteFunc(slices.Clone(roles.development), missing)
	s.Test = slices.DeleteFunc(slices.Clone(roles.test), missing)
	first, err := s.Record(s.Tasks()[0])
	if err != nil {
		return nil, err
	}
	s.Space = *first.Space()
	return s, nil
}

// read decodes a file of the set.
func read(file string) (*Record, error) {
	b, err := recorded.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Digest is that of all that is recorded.
func (s *Set) Digest() string { return s.digest }

// Tasks lists the tasks that are recorded, sorted.
func (s *Set) Tasks() []string { return slices.Sorted(maps.Keys(s.tasks)) }

func (s *Set) task(name string) (*task, error) {
	t := s.tasks[name]
	if t == nil {
		return nil, fmt.Errorf("the benchmark %s has no task %q (it has: %s)", s.Name, name, strings.Join(s.Tasks(), ", "))
	}
	return t, nil
}

// Record returns what was measured of a task. It is shared: it must not be changed.
func (s *Set) Record(name string) (*Record, error) {
	t, err := s.task(name)
	if err != nil {
		return nil, err
	}
	r, err := t.record()
	if err == nil && r.Task() != name {
		return nil, fmt.Errorf("the record %s is of the task %q", name, r.Task())
	}
	if err == nil && len(s.Space.Choices) > 0 && r.Space().Digest() != s.Space.Digest() {
		return nil, fmt.Errorf("the record %s is of another space than the set's others", name)
	}
	return r, err
}

// Surrogate returns the task's surrogate, fitted with the default options: it smooths
// over recorded configurations as over all others, so that no strategy can tell which
// were recorded.
func (s *Set) Surrogate(name string) (*Surrogate, error) {
	t, err := s.task(name)
	if err != nil {
		return nil, err
	}
	if _, err := s.Record(name); err != nil {
		return nil, err
	}
	return t.surrogate()
}
