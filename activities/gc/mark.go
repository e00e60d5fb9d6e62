package gc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
)

// What objects are, as tallies have it.
const (
	kindTask       = "task"
	kindModule     = "module"
	kindController = "controller"
	kindConfig     = "search configuration"
	kindLedger     = "ledger"
	kindState      = "state"
	kindCosts      = "costs"
	kindModel      = "model"
	kindExamples   = "examples"
	kindSources    = "sources"
	kindFeatures   = "features"
	kindCheckpoint = "checkpoint"
	kindReport     = "run report"
	kindSimulated  = "simulated searches"
	kindOther      = "other"
)

// containers are the kinds as the containers of the objects have them.
var containers = map[string]string{
	"task": kindTask, "image-task": kindTask, "table": kindTask, "external": kindTask,
	"module": kindModule, "image-module": kindModule, "document-module": kindModule, "controller": kindController,
	"search": kindConfig,
	"ledger": kindLedger, "state": kindState, "costs": kindCosts,
	"model": kindModel, "examples": kindExamples, "sources": kindSources, "image-features": kindFeatures, "run": kindReport,
	"simulated": kindSimulated,
}

var containerKind = regexp.MustCompile(`"kind":"([^"\\]+)"`)

// kindOf tells what an object is by its beginning.
func kindOf(head []byte) string {
	if library.IsDocumentModule(head) { // its kind comes last
		return kindModule
	}
	if m := containerKind.FindSubmatch(head); m != nil {
		if kind, known := containers[string(m[1])]; known {
			return kind
		}
	}
	return kindOther
}

// marking is the state of marking.
type marking struct {
	s       store.Store
	o       Options
	now     time.Time // when it began, by the server's clock
	horizon time.Time // what is older has outlived its grace period

	blobs map[store.Ref]store.Blob
	trash []store.Discarded

	mu      sync.Mutex
	reached map[store.Ref]string // to what each is
	missing []Missing
	// hints are what merely looks like a reference, with the name it is below.
	hints map[store.Ref]root
	// cached are the entries of the trial cache that hold objects for searches, searches what is known
	// of those that have a name, tidy what is to be changed in those entries.
	cached   []cached
	searches map[string]named
	tidy     []tidying
	// doomed are names that nobody else could remove, waiting checkpoints of trials.
	doomed  []weak
	waiting []waiting
}

// root is a name that marking begins at.
type root struct {
	kind store.Kind
	name string
	run  string // of an experiment, where it is its report
}

func (r root) String() string { return fmt.Sprintf("%s %q", r.kind, r.name) }

// remove is the command that removes a name.
func (r root) remove() string {
	if r.kind == store.Search {
		return "starter remove " + r.name
	}
	command := string(r.kind)
	if r.kind == store.Dataset {
		command = "data"
	}
	command = "starter " + command + " remove " + r.name
	if r.run != "" { // less than all of it, and all that can go of a built-in one
		command += " --run " + r.run
	}
	return command
}

func (m *marking) old(t time.Time) bool { return !t.After(m.horizon) }

// mark lists what there is and marks what names reach.
func mark(ctx context.Context, s store.Store, o Options) (*marking, error) {
	m := &marking{
		s: s, o: o, blobs: map[store.Ref]store.Blob{}, reached: map[store.Ref]string{}, hints: map[store.Ref]root{}, searches: map[string]named{},
	}
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	m.now, m.horizon = now, now.Add(-o.grace())
	kinds, err := s.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		if !slices.Contains(roots, kind) && kind != store.Features && kind != store.Yardstick {
			return nil, library.Invalid(fmt.Errorf("there are names of the kind %q, which this version does not know: "+
				"run the version that wrote them", kind))
		}
	}
	if err := s.Trash(ctx, func(d store.Discarded) error {
		m.trash = append(m.trash, d)
		return nil
	}); err != nil {
		return nil, err
	}
	if err := s.Blobs(ctx, func(b store.Blob) error {
		m.blobs[b.Ref] = b
		o.progress("listing objects", len(m.blobs), 0)
		return nil
	}); err != nil {
		return nil, err
	}
	for _, kind := range roots {
		if err := m.names(ctx, kind, m.name); err != nil {
			return nil, err
		}
	}
	if err := m.held(ctx); err != nil {
		return nil, err
	}
	if err := m.checkpoints(ctx); err != nil {
		return nil, err
	}
	if err := m.followHints(ctx); err != nil {
		return nil, err
	}
	// Last, since they depend on what is kept of tasks and modules.
	if err := m.names(ctx, store.Yardstick, m.yardstick); err != nil {
		return nil, err
	}
	return m, m.names(ctx, store.Features, m.features)
}

func (m *marking) present(ctx context.Context, ref store.Ref) (bool, error) {
	if _, listed := m.blobs[ref]; listed {
		return true, nil
	}
	return m.s.Has(ctx, ref)
}

// reach marks an object and what it refers to. Has and Get put back what was set
// aside.
func (m *marking) reach(ctx context.Context, r root, kind string, ref store.Ref) error {
	if ref == "" {
		return nil
	}
	if _, err := store.ParseRef(string(ref)); err != nil {
		return m.stuck(r, err)
	}
	for ref != "" {
		m.mu.Lock()
		_, before := m.reached[ref]
		if !before {
			m.reached[ref] = kind
		}
		m.mu.Unlock()
		if before {
			return nil
		}
		next, err := m.visit(ctx, r, kind, ref)
		if err != nil {
			return err
		}
		ref = next // of a chain, whose length a stack should not have
	}
	return nil
}

// visit marks what an object refers to, but for the one before it in a chain, which
// it returns.
func (m *marking) visit(ctx context.Context, r root, kind string, ref store.Ref) (store.Ref, error) {
	switch kind {
	case kindConfig, kindLedger, kindCosts, kindReport:
	case kindModule:
		return "", m.module(ctx, r, ref)
	default: // it refers to nothing that it needs
		there, err := m.present(ctx, ref)
		if err == nil && !there {
			m.mu.Lock()
			m.missing = append(m.missing, Missing{ref, kind, r.String()})
			m.mu.Unlock()
		}
		return "", err
	}
	b, err := m.s.Get(ctx, ref)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
		return "", m.stuck(r, fmt.Errorf("%s: %w", kind, err))
	}
	if err != nil {
		return "", err
	}
	if kind != kindLedger { // it names models that need not be kept
		m.hint(r, b)
	}
	switch kind {
	case kindConfig:
		c, err := library.DecodeConfig(b)
		if err != nil {
			return "", m.unread(r, kind, ref, err)
		}
		return "", m.config(ctx, r, c)
	case kindLedger:
		segment, err := search.DecodeSegment(b)
		if err != nil {
			return "", m.unread(r, kind, ref, err)
		}
		return store.Ref(segment.Previous), m.examples(ctx, r, segment.Trials)
	case kindCosts:
		segment, err := library.DecodeCosts(b)
		if err != nil {
			return "", m.unread(r, kind, ref, err)
		}
		return segment.Previous, nil
	}
	report, err := library.DecodeReport(b)
	if err != nil {
		return "", m.unread(r, kind, ref, err)
	}
	return "", m.report(ctx, r, report)
}

// module marks a module, and the vectors of one of documents.
func (m *marking) module(ctx context.Context, r root, ref store.Ref) error {
	there, err := m.present(ctx, ref)
	if err != nil {
		return err
	}
	if !there {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.missing = append(m.missing, Missing{ref, kindModule, r.String()})
		return nil
	}
	head, err := m.s.Peek(ctx, ref, 512)
	if err != nil {
		return err
	}
	if !library.IsDocumentModule(head) {
		return nil // it refers to nothing, and whoever uses it is told if it is damaged
	}
	b, err := m.s.Get(ctx, ref)
	if errors.Is(err, store.ErrCorrupt) {
		return m.stuck(r, fmt.Errorf("%s: %w", kindModule, err))
	}
	if err != nil {
		return err
	}
	d, err := library.DecodeDocuments(b)
	if err != nil || d == nil {
		return m.unread(r, kindModule, ref, cmp.Or(err, errors.New("it is no document module, as it begins")))
	}
	for _, vectors := range d.Vectors {
		if err := m.reach(ctx, r, kindFeatures, vectors); err != nil {
			return err
		}
	}
	return nil
}

// examples marks those of a ledger's rows, unless their trainer keeps them elsewhere.
func (m *marking) examples(ctx context.Context, r root, trials []search.Trial) error {
	for _, t := range trials {
		ref, err := store.ParseRef(t.Examples)
		if err != nil {
			continue
		}
		if err := m.reach(ctx, r, kindExamples, ref); err != nil {
			return err
		}
	}
	return nil
}

func (m *marking) config(ctx context.Context, r root, c *search.Config) error {
	for _, t := range c.Tasks {
		if err := m.reach(ctx, r, kindTask, store.Ref(t.Data)); err != nil {
			return err
		}
	}
	for _, o := range c.Modules {
		if err := m.reach(ctx, r, kindModule, store.Ref(o.Data)); err != nil {
			return err
		}
	}
	if c.Fork != nil {
		if err := m.reach(ctx, r, kindConfig, store.Ref(c.Fork.Config)); err != nil {
			return err
		}
	}
	if err := m.reach(ctx, r, kindSources, store.Ref(c.Sources)); err != nil {
		return err
	}
	return m.reach(ctx, r, kindController, store.Ref(c.Controller))
}

func (m *marking) report(ctx context.Context, r root, report *library.RunReport) error {
	if report.Simulated != nil {
		objects := []string{report.Simulated.Object}
		for _, b := range report.Simulated.Bases {
			objects = append(objects, b.Object)
		}
		for _, object := range objects {
			if err := m.reach(ctx, r, kindSimulated, store.Ref(object)); err != nil {
				return err
			}
		}
	}
	for _, v := range report.Plan.Controllers {
		if err := m.reach(ctx, r, kindController, v.Ref); err != nil {
			return err
		}
	}
	for _, o := range report.Outcomes {
		if err := m.reach(ctx, r, kindController, o.From); err != nil {
			return err
		}
		if err := m.search(ctx, r, o.Config, o.Ledger, "", o.Costs, o.Controller); err != nil {
			return err
		}
	}
	return nil
}

// stuck is the error of what marking cannot get past, however often it is tried.
func (m *marking) stuck(r root, err error) error {
	return library.Invalid(fmt.Errorf("%s: %w; what it refers to is unknown: "+
		"bring the object back, or give the name up (`%s`), then collect again", r, err, r.remove()))
}

func (m *marking) unread(r root, kind string, ref store.Ref, err error) error {
	return m.stuck(r, fmt.Errorf("%s %s cannot be read: %w", kind, ref, err))
}

// kept counts what was reached.
func (m *marking) kept() map[string]*Tally {
	kinds := map[string]*Tally{}
	lost := map[store.Ref]bool{}
	for _, g := range m.missing {
		lost[g.Ref] = true
	}
	sizes := map[store.Ref]int64{}
	for _, d := range m.trash { // put back since
		sizes[d.Ref] = d.Size
	}
	for ref, kind := range m.reached {
		if lost[ref] {
			continue
		}
		size := sizes[ref]
		if b, listed := m.blobs[ref]; listed {
			size = b.Size
		}
		if kinds[kind] == nil {
			kinds[kind] = &Tally{}
		}
		kinds[kind].add(size)
	}
	slices.SortFunc(m.missing, func(a, b Missing) int { return strings.Compare(string(a.Ref), string(b.Ref)) })
	return kinds
}
