package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
)

// Learn tells a search's strategy new results, in trial order, and asks for
// the proposals that follow. It runs as a local activity. The strategy's state
// is a function of position and results, so Learn may run any number of times:
// a worker that has the state in memory goes on from it, any other rebuilds it
// from the checkpoint and the journal.
func (a *Activities) Learn(ctx context.Context, in LearnInput) (LearnOutput, error) {
	out, err := a.learn(ctx, in)
	return out, classify(err)
}

func (a *Activities) learn(ctx context.Context, in LearnInput) (LearnOutput, error) {
	config, err := a.config(ctx, in.Config)
	if err != nil {
		return LearnOutput{}, err
	}
	s, err := a.searcher(ctx, config, in.Config, in.Position)
	if err != nil {
		return LearnOutput{}, err
	}
	var out LearnOutput
	var models []store.Ref
	pos := in.Position
	pos.Journal = pos.Journal[:len(pos.Journal):len(pos.Journal)] // the workflow's own: never appended to
	if len(in.Results) == 0 {
		for i := range config.Lag {
			p, err := s.Ask(pos.Told + i)
			if err != nil {
				return LearnOutput{}, invalid(err)
			}
			out.Proposals = append(out.Proposals, p)
		}
	}
	for _, r := range in.Results {
		if err := s.Tell(r.Trial); err != nil {
			return LearnOutput{}, invalid(err)
		}
		pos.Told++
		pos.Journal = append(pos.Journal, r)
		bytes := 0
		pos.Digest, bytes = nextDigest(pos.Digest, r.Trial)
		pos.JournalBytes += bytes
		p, err := s.Ask(pos.Told + config.Lag - 1)
		if err != nil {
			return LearnOutput{}, invalid(err)
		}
		out.Proposals = append(out.Proposals, p)
		if pos.Told%in.CheckpointEvery == 0 || pos.JournalBytes > limit.MaxJournal {
			if err := a.checkpoint(ctx, s, &pos); err != nil {
				return LearnOutput{}, err
			}
			out.Checkpoint, out.CheckpointTold, models = &Checkpoint{pos.Ledger, pos.State, pos.Costs}, pos.Told, modelsOf(s, config)
		}
	}
	if c := out.Checkpoint; c != nil {
		err := library.UpdateRecord(ctx, a.store, in.Name, writer(in.RunID, in.Line, in.Config), func(r *library.SearchRecord) {
			r.Told, r.Seconds, r.Ledger, r.State, r.Costs = out.CheckpointTold, in.Seconds, c.Ledger, c.State, c.Costs
			// It may have ended, and been reset: by a line that the record has not seen (library.Fence).
			r.Status, r.Reason, r.Ended, r.Models, r.Released = "running", "", time.Time{}, models, false
		})
		if err != nil {
			return LearnOutput{}, err
		}
	}
	out.Digest, out.JournalBytes = pos.Digest, pos.JournalBytes
	a.live.put(liveKey(in.Config, pos), s)
	return out, nil
}

// writer is who a search's record is written for.
func writer(runID, line string, config store.Ref) library.Writer {
	return library.Writer{RunID: runID, Line: line, Config: config}
}

// searcher returns the strategy's state at a position: from memory, or rebuilt
// from the state of the last checkpoint, or, where that has been collected, is damaged
// or cannot be read, from the whole ledger.
func (a *Activities) searcher(ctx context.Context, config *search.Config, ref store.Ref, pos Position) (*search.Searcher, error) {
	if s := a.live.take(liveKey(ref, pos)); s != nil && s.Told() == pos.Told {
		return s, nil
	}
	s, err := a.restore(ctx, config, pos)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) || errors.Is(err, errState) || err == nil && s == nil {
		s, err = a.replay(ctx, config, pos.Ledger)
	}
	if err != nil {
		return nil, err
	}
	for _, r := range pos.Journal {
		if err := s.Tell(r.Trial); err != nil {
			return nil, invalid(fmt.Errorf("journal: %w", err))
		}
	}
	if s.Told() != pos.Told {
		return nil, invalid(fmt.Errorf("ledger and journal hold %d results, want %d", s.Told(), pos.Told))
	}
	return s, nil
}

// restore reads the state of the last checkpoint; nil where there was none.
func (a *Activities) restore(ctx context.Context, config *search.Config, pos Position) (*search.Searcher, error) {
	if pos.State == "" {
		return nil, nil
	}
	b, err := a.store.Get(ctx, pos.State)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	s, err := search.Restore(*config, b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errState, err)
	}
	return s, nil
}

// errState: a state that is there and whole cannot be read.
var errState = errors.New("state")

// replay tells a new searcher the whole ledger.
func (a *Activities) replay(ctx context.Context, config *search.Config, ledger store.Ref) (*search.Searcher, error) {
	trials, err := library.ReadLedger(ctx, a.store, ledger)
	if err != nil {
		return nil, err
	}
	return a.tell(ctx, config, trials)
}

// tell tells a new searcher trials that are in the ledger: of a fork, the first under
// the configuration that was forked.
func (a *Activities) tell(ctx context.Context, config *search.Config, trials []search.Trial) (*search.Searcher, error) {
	s, told, err := a.begin(ctx, config, trials)
	if err != nil {
		return nil, err
	}
	for _, t := range trials[told:] {
		if err := s.Tell(t); err != nil {
			return nil, invalid(fmt.Errorf("ledger: %w", err))
		}
	}
	s.Segment("") // these are written
	return s, nil
}

// begin is a configuration's searcher where it begins, and how many trials it has been
// told there.
func (a *Activities) begin(ctx context.Context, config *search.Config, trials []search.Trial) (*search.Searcher, int, error) {
	if f := config.Fork; f != nil {
		old, err := a.config(ctx, store.Ref(f.Config))
		if err != nil {
			return nil, 0, err
		}
		if len(trials) < f.Trials {
			return nil, 0, invalid(fmt.Errorf("ledger: %d trials of a search that was forked after %d", len(trials), f.Trials))
		}
		s, err := a.tell(ctx, old, trials[:f.Trials])
		if err != nil {
			return nil, 0, err
		}
		if s, err = s.Fork(*config); err != nil {
			return nil, 0, invalid(err)
		}
		return s, f.Trials, nil
	}
	var from search.From
	for _, o := range []struct {
		what, ref string
		to        *[]byte
	}{{"controller", config.Controller, &from.Controller}, {"sources", config.Sources, &from.Sources}} {
		if o.ref == "" {
			continue
		}
		var err error
		if *o.to, err = a.store.Get(ctx, store.Ref(o.ref)); err != nil {
			return nil, 0, fmt.Errorf("%s: %w", o.what, err)
		}
	}
	s, err := search.NewFrom(*config, from)
	if err != nil {
		return nil, 0, invalid(err)
	}
	return s, 0, nil
}

// liveKey names a state: one configuration after one sequence of results, of which
// those since Ledger are not written yet. Another search with the same configuration
// may have written more of them.
func liveKey(config store.Ref, pos Position) string {
	return strings.Join([]string{string(config), pos.Digest, string(pos.Ledger)}, " ")
}

// nextDigest extends the digest over all trials told by one, which has so many bytes.
func nextDigest(digest string, t search.Trial) (next string, bytes int) {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // plain numbers and strings
	}
	h := sha256.New()
	h.Write([]byte(digest))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)), len(b)
}

// checkpoint stores the segment of the ledger since the previous checkpoint, the
// strategy's state, and the costs of the same trials beside them: those depend on
// the machine and must not enter the ledger's digest.
func (a *Activities) checkpoint(ctx context.Context, s *search.Searcher, pos *Position) error {
	segment := library.CostSegment{Previous: pos.Costs}
	for _, r := range pos.Journal {
		segment.Costs = append(segment.Costs, r.Cost)
	}
	for _, o := range []struct {
		what   string
		object []byte
		ref    *store.Ref
	}{{"ledger", s.Segment(string(pos.Ledger)), &pos.Ledger}, {"state", s.State(), &pos.State}, {"costs", segment.Encode(), &pos.Costs}} {
		ref, err := a.store.Put(ctx, o.object)
		if err != nil {
			return fmt.Errorf("%s at %d trials: %w", o.what, pos.Told, err)
		}
		*o.ref = ref
	}
	pos.Journal, pos.JournalBytes = nil, 0
	return nil
}

// modelsOf are the models that a search keeps: those of its tasks' best trials, but
// for what the trainer keeps elsewhere.
func modelsOf(s *search.Searcher, config *search.Config) (out []store.Ref) {
	for i := range config.Tasks {
		for _, l := range s.Leaders(i) {
			if ref, err := store.ParseRef(l.Model); err == nil {
				out = append(out, ref)
			}
		}
	}
	return out
}

// Finish ends a search: writes the last checkpoint, the controller and the
// record.
func (a *Activities) Finish(ctx context.Context, in FinishInput) (Finished, error) {
	out, err := a.finish(ctx, in)
	return out, classify(err)
}

func (a *Activities) finish(ctx context.Context, in FinishInput) (Finished, error) {
	if in.RecordOnly {
		return Finished{}, library.CloseRecord(ctx, a.store, in.Name, writer(in.RunID, in.Line, in.Config), in.Status, in.Reason, now())
	}
	config, err := a.config(ctx, in.Config)
	if err != nil {
		return Finished{}, err
	}
	s, err := a.searcher(ctx, config, in.Config, in.Position)
	if err != nil {
		return Finished{}, err
	}
	pos := in.Position
	if len(pos.Journal) > 0 || pos.Ledger == "" {
		if err := a.checkpoint(ctx, s, &pos); err != nil {
			return Finished{}, err
		}
	}
	out := Finished{Ledger: pos.Ledger, Costs: pos.Costs}
	if controller := s.Controller(); controller != nil {
		if out.Controller, err = a.store.Put(ctx, controller); err != nil {
			return Finished{}, fmt.Errorf("controller: %w", err)
		}
	}
	err = library.UpdateRecord(ctx, a.store, in.Name, writer(in.RunID, in.Line, in.Config), func(r *library.SearchRecord) {
		r.Status, r.Reason, r.Told, r.Seconds, r.Ended = in.Status, in.Reason, pos.Told, in.Seconds, now()
		r.Trials = in.Trials
		r.Ledger, r.State, r.Costs, r.Controller = out.Ledger, pos.State, out.Costs, out.Controller
		r.Models, r.Released, r.Best, r.Objective = modelsOf(s, config), true, in.Best, config.Space.Objective
	})
	return out, err
}
