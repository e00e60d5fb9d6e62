package library

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"tnaml/activities/store"
	"tnaml/experiments/space"
)

// ErrUnreadable says that a name's value is not the record that it should be, or is
// damaged (store.ErrCorrupt).
var ErrUnreadable = errors.New("its record is not valid")

// records is the access to the names of one kind, whose values are T as JSON. A
// record that has a name has that which it lies under.
type records[T any] struct{ kind store.Kind }

func (r *DatasetRecord) lies(under string)    { r.Name = under }
func (r *ModuleRecord) lies(under string)     { r.Name = under }
func (r *ControllerRecord) lies(under string) { r.Name = under }
func (r *ExperimentRecord) lies(under string) { r.Name = under }
func (r *SearchRecord) lies(under string)     { r.Name = under }

// The kinds of records. A space is its own record.
var (
	datasets    = records[DatasetRecord]{store.Dataset}
	modules     = records[ModuleRecord]{store.Module}
	controllers = records[ControllerRecord]{store.Controller}
	spaces      = records[space.Space]{store.Space}
	experiments = records[ExperimentRecord]{store.Experiment}
	searches    = records[SearchRecord]{store.Search}
	features    = records[FeaturesRecord]{store.Features}
	checkpoints = records[CheckpointRecord]{store.Checkpoint}
	yardsticks  = records[YardstickRecord]{store.Yardstick}
)

// read returns a name's record. Where the name does not exist, the error lists
// those that do, nearest first.
func (r records[T]) read(ctx context.Context, s store.Store, name string) (T, error) {
	v, err := r.get(ctx, s, name)
	if errors.Is(err, store.ErrNotFound) {
		err = unknownName(ctx, s, r.kind, name)
	}
	return v, err
}

// get is read for a name that need not exist.
func (r records[T]) get(ctx context.Context, s store.Store, name string) (v T, err error) {
	b, _, err := s.GetName(ctx, r.kind, name)
	if errors.Is(err, store.ErrCorrupt) {
		return v, fmt.Errorf("%s %q: %w: %w", r.kind.Word(), name, ErrUnreadable, err)
	}
	if err != nil {
		return v, fmt.Errorf("%s %q: %w", r.kind.Word(), name, err)
	}
	return v, r.decode(name, b, &v)
}

// decode reads a record; without a value it is the zero one.
func (r records[T]) decode(name string, b []byte, v *T) error {
	if b != nil {
		if err := json.Unmarshal(b, v); err != nil {
			return fmt.Errorf("%s %q: %w: %w", r.kind.Word(), name, ErrUnreadable, err)
		}
	}
	if named, ok := any(v).(interface{ lies(under string) }); ok {
		named.lies(name)
	}
	return nil
}

// parallel bounds the requests in flight.
const parallel = 16

// list reads all records, by name. Those that cannot be read are left out, and
// named together in an ErrUnreadable: the others are there nevertheless.
func (r records[T]) list(ctx context.Context, s store.Store) ([]T, error) {
	entries, err := s.Names(ctx, r.kind, "")
	if err != nil {
		return nil, fmt.Errorf("listing %ss: %w", r.kind.Word(), err)
	}
	found := make([]*T, len(entries))
	unreadable := make([]error, len(entries))
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, e := range entries {
		g.Go(func() error {
			v, err := r.get(each, s, e.Name)
			switch {
			case err == nil:
				found[i] = &v
			case errors.Is(err, ErrUnreadable):
				unreadable[i] = err
			case !errors.Is(err, store.ErrNotFound): // else removed since it was listed
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := []T{}
	for _, v := range found {
		if v != nil {
			out = append(out, *v)
		}
	}
	return out, errors.Join(unreadable...)
}

// errKeep is what the change of an update returns to leave things as they are.
var errKeep = errors.New("no change")

// update changes a name's record by compare-and-set: change gets the present one,
// or a new one where there is none, and may be asked more than once.
func (r records[T]) update(ctx context.Context, s store.Store, name string, change func(v *T, there bool) error) error {
	return store.Update(ctx, s, r.kind, name, func(old []byte) ([]byte, error) {
		var v T
		if err := r.decode(name, old, &v); err != nil {
			return nil, err
		}
		if err := change(&v, old != nil); errors.Is(err, errKeep) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	})
}

// publish gives a name its record. Another one of that name is ErrExists, unless
// overwrite is set; one of the same object is written anew.
func (r records[T]) publish(ctx context.Context, s store.Store, name string, v T, overwrite bool) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ref := func(b []byte) store.Ref {
		var o struct{ Ref store.Ref }
		_ = json.Unmarshal(b, &o) // unreadable is without an object
		return o.Ref
	}
	if _, _, err := s.GetName(ctx, r.kind, name); errors.Is(err, store.ErrCorrupt) && overwrite {
		if err := s.DeleteName(ctx, r.kind, name); err != nil {
			return err
		}
	}
	return store.Update(ctx, s, r.kind, name, func(old []byte) ([]byte, error) {
		same := bytes.Equal(old, value) || ref(value) != "" && ref(old) == ref(value)
		if old != nil && !same && !overwrite {
			return nil, fmt.Errorf("%s %q %w, and differs: choose another name, or replace it with --overwrite", r.kind.Word(), name, ErrExists)
		}
		return value, nil
	})
}

// ErrExists says that a name is taken.
var ErrExists = errors.New("exists already")

// object is what has an encoded form.
type object interface{ Encode() []byte }

// publishObject stores an object and gives it its name, with the record that is
// made of its reference. The name comes last, so that nothing is ever half there.
// A name taken by other data is ErrExists, unless overwrite is set; searches that
// use the old data keep it.
func publishObject[T any](
	ctx context.Context, s store.Store, r records[T], name string, o object, record func(store.Ref) T, overwrite bool,
) (store.Ref, error) {
	ref, err := s.Put(ctx, o.Encode())
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", r.kind.Word(), name, err)
	}
	return ref, r.publish(ctx, s, name, record(ref), overwrite)
}

// open reads an object; what says in an error what it is. One that is there and
// cannot be decoded is ErrInvalid.
func open[T any](ctx context.Context, s store.Store, what string, ref store.Ref, decode func([]byte) (T, error)) (v T, err error) {
	b, err := s.Get(ctx, ref)
	if err != nil {
		return v, fmt.Errorf("%s: %w", what, err)
	}
	if v, err = decode(b); err != nil {
		return v, Invalid(fmt.Errorf("%s: %s: %w", what, ref, err))
	}
	return v, nil
}

// unknownName says that there is no such name, and which there are.
func unknownName(ctx context.Context, s store.Store, kind store.Kind, name string) error {
	known, err := namesNear(ctx, s, kind, name)
	if err != nil {
		return fmt.Errorf("%s %q: %w", kind.Word(), name, store.ErrNotFound)
	}
	return fmt.Errorf("%s %q: %w (%s)", kind.Word(), name, store.ErrNotFound, known)
}

// namesNear lists the names of a kind, those nearest to name first.
func namesNear(ctx context.Context, s store.Store, kind store.Kind, name string) (string, error) {
	entries, err := s.Names(ctx, kind, "")
	if err != nil {
		return "", fmt.Errorf("listing %ss: %w", kind.Word(), err)
	}
	if len(entries) == 0 {
		return "there are no others", nil
	}
	known := make([]string, 0, len(entries))
	for _, e := range entries {
		known = append(known, e.Name)
	}
	return "there are: " + nearest(known, name), nil
}

// nearest lists names, those most like name first, and few of many.
func nearest(known []string, name string) string {
	const most = 12
	apart := map[string]int{}
	for _, k := range known {
		apart[k] = distance(k, name)
	}
	known = slices.SortedStableFunc(slices.Values(known), func(a, b string) int { return apart[a] - apart[b] })
	if len(known) > most {
		known = append(known[:most], "…")
	}
	return strings.Join(known, ", ")
}

// distance is how many bytes must be put in, left out or replaced to make one word of
// another (Levenshtein, 1966). A word that goes on is as near as one with one slip.
func distance(a, b string) int {
	if strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
		return min(1, abs(len(a)-len(b)))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := before
			if a[i] != b[j] {
				replaced++
			}
			before = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func abs(n int) int { return max(n, -n) }
