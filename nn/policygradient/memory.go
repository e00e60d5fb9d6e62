package policygradient

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tnaml/nn/controller"
	"tnaml/nn/safetensors"
)

// maxMemory bounds how many episodes a method may remember: an update's cost
// is proportional to them.
const maxMemory = 1000

// memory holds the last episodes, oldest first.
type memory struct {
	size     int
	episodes []Episode
}

// add remembers an episode, whose actions are copied, and forgets the oldest
// beyond size.
func (m *memory) add(e Episode) {
	if len(m.episodes) < m.size {
		e.Actions = slices.Clone(e.Actions)
		m.episodes = append(m.episodes, e)
		return
	}
	kept := m.episodes[0].Actions // of the oldest, to be written over
	copy(m.episodes, m.episodes[1:])
	e.Actions = append(kept[:0], e.Actions...)
	m.episodes[len(m.episodes)-1] = e
}

// fit reports an episode, remembered in a checkpoint or new, that does not
// belong to the controller.
func (m *memory) fit(c *controller.Controller) error {
	for i, e := range m.episodes {
		if err := e.fits(c); err != nil {
			return fmt.Errorf("remembered episode %d: %w", i, err)
		}
	}
	return nil
}

// put stores prefix+"tasks" and prefix+"embeddings" (I64, episodes), prefix+"actions" (I64,
// episodes × choices) and prefix+"numbers" (F64, episodes × 3:
// log-probability, reward, advantage); an empty memory stores nothing.
func (m *memory) put(f *safetensors.File, prefix string) {
	if len(m.episodes) == 0 {
		return
	}
	var tasks, embeddings, actions []int64
	var numbers []float64
	for _, e := range m.episodes {
		tasks, embeddings = append(tasks, int64(e.Task)), append(embeddings, int64(e.Embedding))
		for _, a := range e.Actions {
			actions = append(actions, int64(a))
		}
		numbers = append(numbers, e.LogProb, e.Reward, e.Advantage)
	}
	n := len(m.episodes)
	safetensors.Put(f, prefix+"tasks", tasks)
	safetensors.Put(f, prefix+"embeddings", embeddings)
	safetensors.Put(f, prefix+"actions", actions, n, len(actions)/n)
	safetensors.Put(f, prefix+"numbers", numbers, n, 3)
}

// get restores what put stored.
func (m *memory) get(f *safetensors.File, prefix string) error {
	m.episodes = nil
	if !f.Has(prefix + "tasks") {
		return nil
	}
	tasks, _, err := safetensors.Get[int64](f, prefix+"tasks", -1)
	if err != nil {
		return fmt.Errorf("policy gradient: %w", err)
	}
	n := len(tasks)
	if n == 0 || n > m.size {
		return fmt.Errorf("policy gradient: array %q holds %d episodes, not 1 to %d", prefix+"tasks", n, m.size)
	}
	embeddings, _, err := safetensors.Get[int64](f, prefix+"embeddings", n)
	if err != nil {
		return fmt.Errorf("policy gradient: %w", err)
	}
	actions, shape, err := safetensors.Get[int64](f, prefix+"actions", n, -1)
	if err != nil {
		return fmt.Errorf("policy gradient: %w", err)
	}
	numbers, _, err := safetensors.Get[float64](f, prefix+"numbers", n, 3)
	if err != nil {
		return fmt.Errorf("policy gradient: %w", err)
	}
	choices := shape[1]
	for i := range n {
		e := Episode{
			Task: int(tasks[i]), Embedding: int(embeddings[i]), LogProb: numbers[3*i], Reward: numbers[3*i+1], Advantage: numbers[3*i+2],
		}
		for _, a := range actions[i*choices:][:choices] {
			e.Actions = append(e.Actions, int(a))
		}
		m.episodes = append(m.episodes, e)
	}
	return nil
}

// memories holds a memory for each task, made when it is first asked for.
type memories struct {
	size   int
	byTask map[int]*memory
}

// of returns the memory of an episode's task, after a check of what it holds.
func (s *memories) of(c *controller.Controller, e Episode) (*memory, error) {
	if err := e.fits(c); err != nil {
		return nil, err
	}
	m := s.byTask[e.Task]
	if m == nil {
		m = &memory{size: s.size}
		if s.byTask == nil {
			s.byTask = map[int]*memory{}
		}
		s.byTask[e.Task] = m
	}
	return m, m.fit(c)
}

// put stores each task's memory under prefix and its number.
func (s *memories) put(f *safetensors.File, prefix string) {
	for task, m := range s.byTask { // the container sorts by name
		m.put(f, prefix+strconv.Itoa(task)+"/")
	}
}

// get restores what put stored.
func (s *memories) get(f *safetensors.File, prefix string) error {
	s.byTask = nil
	for _, name := range f.Names() {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		number, field, _ := strings.Cut(rest, "/")
		task, err := strconv.Atoi(number)
		if err != nil || number != strconv.Itoa(task) || task < 0 {
			return fmt.Errorf("policy gradient: array %q is no task's", name)
		}
		if field != "tasks" {
			continue
		}
		m := &memory{size: s.size}
		if err := m.get(f, prefix+number+"/"); err != nil {
			return err
		}
		for _, e := range m.episodes {
			if e.Task != task {
				return fmt.Errorf("policy gradient: array %q holds an episode of task %d", name, e.Task)
			}
		}
		if s.byTask == nil {
			s.byTask = map[int]*memory{}
		}
		s.byTask[task] = m
	}
	return nil
}
