package library

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
)

// ControllerRecord is the value of names/controller/<name>: the versions that
// were published under the name, oldest first.
type ControllerRecord struct {
	Name     string              `json:"name"`
	Versions []ControllerVersion `json:"versions"`
}

// ControllerVersion is one published controller.
type ControllerVersion struct {
	// Name and Version are what it is asked for by: name@version. Versions are
	// counted from 1.
	Name    string    `json:"name"`
	Version int       `json:"version"`
	Ref     store.Ref `json:"ref"`
	// Space is the digest of its search space, SpaceName the space's name.
	Space     string   `json:"space"`
	SpaceName string   `json:"space_name,omitempty"`
	Modules   []string `json:"modules,omitempty"`
	Tasks     []string `json:"tasks"`
	Trials    int      `json:"trials"`
	Seed      uint64   `json:"seed"`
	// TaskAgnostic controllers have no task embeddings.
	TaskAgnostic bool `json:"task_agnostic,omitempty"`
	// Recorded says that it has learned from surrogates of recorded trials.
	Recorded bool `json:"recorded,omitempty"`
	// Experiment and Search say where it was learned; an imported one has none.
	Experiment string `json:"experiment,omitempty"`
	Search     string `json:"search,omitempty"`
}

// Full is name@version, empty for a controller without a name.
func (v ControllerVersion) Full() string {
	if v.Name == "" {
		return ""
	}
	return v.Name + "@" + strconv.Itoa(v.Version)
}

// PublishControllerInput asks to publish a controller under a name.
type PublishControllerInput struct {
	Name       string    `json:"name"`
	Ref        store.Ref `json:"ref"`
	Experiment string    `json:"experiment,omitempty"`
	Search     string    `json:"search,omitempty"`
}

// PublishController makes a controller the newest version of its name. The newest, and what a search
// has published before, stay the version they are, so that a retry publishes nothing twice.
func PublishController(ctx context.Context, s store.Store, in PublishControllerInput) (ControllerVersion, error) {
	p, err := ReadController(ctx, s, in.Ref)
	if err != nil {
		return ControllerVersion{}, err
	}
	v := versionOf(p)
	v.Name, v.Experiment, v.Search = in.Name, in.Experiment, in.Search
	err = controllers.update(ctx, s, in.Name, func(r *ControllerRecord, _ bool) error {
		for i, old := range slices.Backward(r.Versions) {
			if old.Ref == in.Ref && (i == len(r.Versions)-1 || in.Search != "" && old.Search == in.Search) {
				v.Version = old.Version
				return errKeep
			}
		}
		v.Version = len(r.Versions) + 1
		r.Versions = append(r.Versions, v)
		return nil
	})
	return v, err
}

// versionOf is what a controller says of itself: all but what it is published as.
func versionOf(p *strategy.Pretrained) ControllerVersion {
	v := ControllerVersion{
		Ref: store.Ref(p.Ref), Space: p.Space().Digest(), SpaceName: p.Space().Name, Modules: p.Modules(), Tasks: []string{},
		Trials: p.Origin.Trials, Seed: p.Origin.Seed, TaskAgnostic: p.TaskAgnostic(),
	}
	for _, t := range p.Origin.Tasks {
		v.Tasks = append(v.Tasks, t.Name)
		v.Recorded = v.Recorded || strings.HasPrefix(t.Data, search.SurrogateData)
	}
	return v
}

// ImportController stores a controller's object and publishes it under a name.
func ImportController(ctx context.Context, s store.Store, name string, object []byte) (ControllerVersion, error) {
	if _, err := strategy.DecodeController(object); err != nil {
		return ControllerVersion{}, err
	}
	ref, err := s.Put(ctx, object)
	if err != nil {
		return ControllerVersion{}, fmt.Errorf("controller %q: %w", name, err)
	}
	return PublishController(ctx, s, PublishControllerInput{Name: name, Ref: ref})
}

// Controllers lists the published controllers, by name: see records.list.
func Controllers(ctx context.Context, s store.Store) ([]ControllerRecord, error) {
	return controllers.list(ctx, s)
}

// FindController finds a controller by name (the newest version), name@version
// or digest.
func FindController(ctx context.Context, s store.Store, which string) (ControllerVersion, error) {
	if ref, err := store.ParseRef(which); err == nil {
		p, err := ReadController(ctx, s, ref)
		if err != nil {
			return ControllerVersion{}, err
		}
		return versionOf(p), nil
	}
	name, version, versioned := strings.Cut(which, "@")
	r, err := controllers.read(ctx, s, name)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = fmt.Errorf("%w: a Pretrain run publishes one, `starter controller import` brings one in", err)
		}
		return ControllerVersion{}, err
	}
	if !versioned {
		if len(r.Versions) == 0 {
			return ControllerVersion{}, fmt.Errorf("controller %q: %w: it has no version", name, store.ErrNotFound)
		}
		return r.Versions[len(r.Versions)-1], nil
	}
	i := slices.IndexFunc(r.Versions, func(v ControllerVersion) bool { return strconv.Itoa(v.Version) == version })
	if i < 0 {
		return ControllerVersion{}, fmt.Errorf("controller %q: %w: there is no version %s (there are 1 to %d)",
			name, store.ErrNotFound, version, len(r.Versions))
	}
	return r.Versions[i], nil
}

// LoadController reads a published controller.
func LoadController(ctx context.Context, s store.Store, which string) (*strategy.Pretrained, ControllerVersion, error) {
	v, err := FindController(ctx, s, which)
	if err != nil {
		return nil, v, err
	}
	p, err := ReadController(ctx, s, v.Ref)
	return p, v, err
}

// ReadController reads a controller's object. It makes sure that it is in its place
// (see Claim), since who reads it passes its reference on.
func ReadController(ctx context.Context, s store.Store, ref store.Ref) (*strategy.Pretrained, error) {
	if err := Claim(ctx, s, ref); err != nil {
		return nil, fmt.Errorf("controller %s: %w", ref, err)
	}
	return open(ctx, s, "controller", ref, strategy.DecodeController)
}
