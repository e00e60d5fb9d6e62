package trainers

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
)

func newBuiltin(s store.Store) *Builtin { return NewBuiltin(s, memory.New(1<<30)) }

// imageStore is a store with the image task "noise" and the module "pca".
func imageStore(t *testing.T) (s *store.Memory, task, module store.Ref) {
	t.Helper()
	s = store.NewMemory()
	const n = 200
	set := &image.Set{Images: nnimage.Images{Height: 8, Width: 8, Channels: 1}, Classes: []string{"dark", "light"}, Splits: make([]string, n)}
	r := rng.New(1, "test/noise", 0)
	for i := range n {
		for range 64 {
			set.Pixels = append(set.Pixels, uint8(100*(i%2)+r.IntN(100)))
		}
		set.Labels = append(set.Labels, int32(i%2))
	}
	built, err := image.Build(set, data.Options{Name: "noise"})
	if err != nil {
		t.Fatal(err)
	}
	if task, err = library.PublishTask(t.Context(), s, built, false); err != nil {
		t.Fatal(err)
	}
	pca, err := nnimage.TrainPCA(set.Images, nnimage.PCAOptions{Name: "pca", Components: 6, Size: 8, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	if module, err = library.PublishImageModule(t.Context(), s, pca, false); err != nil {
		t.Fatal(err)
	}
	return s, task, module
}

// featuresAsked is a store that tells when features are looked up.
type featuresAsked struct {
	store.Store
	asked chan struct{}
}

func (s *featuresAsked) GetName(ctx context.Context, kind store.Kind, name string) ([]byte, store.Version, error) {
	value, version, err := s.Store.GetName(ctx, kind, name)
	if kind == store.Features {
		s.asked <- struct{}{}
	}
	return value, version, err
}

// What another worker has computed while this one was busy is not computed again.
func TestFeaturesOfAnotherWorker(t *testing.T) {
	s, task, module := imageStore(t)
	asked := &featuresAsked{s, make(chan struct{}, 2)}
	b := newBuiltin(asked)
	b.extracting <- struct{}{} // busy
	done := make(chan error)
	go func() {
		_, err := b.Features(t.Context(), task, module, func(int, int) error {
			t.Error("computed again")
			return nil
		})
		done <- err
	}()
	<-asked.asked
	if _, err := library.ComputeFeatures(t.Context(), s, task, module, nil); err != nil {
		t.Fatal(err)
	}
	<-b.extracting
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// damagedBlob is a store in which one object has been damaged.
type damagedBlob struct {
	store.Store
	ref      store.Ref
	repaired bool
}

func (s *damagedBlob) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	if ref == s.ref && !s.repaired {
		return nil, fmt.Errorf("object %s: %w", ref, store.ErrCorrupt)
	}
	return s.Store.Get(ctx, ref)
}

func (s *damagedBlob) Put(ctx context.Context, data []byte) (store.Ref, error) {
	ref, err := s.Store.Put(ctx, data)
	s.repaired = s.repaired || ref == s.ref
	return ref, err
}

// Damaged features are computed again.
func TestFeaturesDamaged(t *testing.T) {
	s, task, module := imageStore(t)
	want, err := library.ComputeFeatures(t.Context(), s, task, module, nil)
	if err != nil {
		t.Fatal(err)
	}
	damaged := &damagedBlob{Store: s, ref: store.RefOf(want.Encode())}
	got, err := newBuiltin(damaged).Features(t.Context(), task, module, nil)
	if err != nil || !damaged.repaired {
		t.Fatalf("repaired %v, %v", damaged.repaired, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
