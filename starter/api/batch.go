package api

import (
	"fmt"
	"runtime"
	"sync"

	"tnaml/experiments/exported"
)

// maxBatch is the number of texts that are classified together.
const maxBatch = 256

// batcher classifies texts of several requests together where they come faster than they
// are answered, on as many goroutines as there are processors: what came while all of these
// were at work is a batch. A request that finds one free is answered at once, by itself.
type batcher struct {
	model exported.Predictor
	most  int // goroutines

	mu      sync.Mutex
	running int
	waiting []*job // none while fewer than most run
}

// job is up to maxBatch texts of a request, and what became of them.
type job struct {
	texts   []string
	vectors []float32
	of      []exported.Prediction
	err     error
	done    chan struct{}
}

func newBatcher(m exported.Predictor) *batcher {
	return &batcher{model: m, most: runtime.GOMAXPROCS(0)}
}

// predict classifies up to maxBatch texts, with the vectors of each where the model takes
// these.
func (b *batcher) predict(texts []string, vectors []float32) ([]exported.Prediction, error) {
	j := &job{texts: texts, vectors: vectors}
	b.mu.Lock()
	if b.running == b.most {
		j.done = make(chan struct{})
		b.waiting = append(b.waiting, j)
		b.mu.Unlock()
		<-j.done
		return j.of, j.err
	}
	b.running++
	b.mu.Unlock()
	b.answer([]*job{j})
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) > 0 {
		go b.drain() // whose request this was is not kept waiting for others
	} else {
		b.running--
	}
	return j.of, j.err
}

// drain answers who waits, a batch after the other, in the order in which they came.
func (b *batcher) drain() {
	for {
		b.mu.Lock()
		if len(b.waiting) == 0 {
			b.running--
			b.mu.Unlock()
			return
		}
		n, texts := 1, len(b.waiting[0].texts)
		for ; n < len(b.waiting) && texts+len(b.waiting[n].texts) <= maxBatch; n++ {
			texts += len(b.waiting[n].texts)
		}
		batch := append([]*job(nil), b.waiting[:n]...)
		clear(b.waiting[copy(b.waiting, b.waiting[n:]):])
		b.waiting = b.waiting[:len(b.waiting)-n]
		b.mu.Unlock()
		b.answer(batch)
		for _, j := range batch {
			close(j.done)
		}
	}
}

// answer classifies the texts of jobs together. That the model panics of one is an error of
// that one alone.
func (b *batcher) answer(batch []*job) {
	defer func() {
		switch r := recover(); {
		case r == nil:
		case len(batch) == 1:
			batch[0].err = fmt.Errorf("the model failed: %v", r)
		default:
			for i := range batch {
				b.answer(batch[i : i+1])
			}
		}
	}()
	texts, vectors := batch[0].texts, batch[0].vectors
	if len(batch) > 1 {
		texts, vectors = append([]string(nil), texts...), append([]float32(nil), vectors...)
		for _, j := range batch[1:] {
			texts, vectors = append(texts, j.texts...), append(vectors, j.vectors...)
		}
	}
	of := b.model.Predict(texts, vectors)
	for _, j := range batch {
		j.of, of = of[:len(j.texts)], of[len(j.texts):]
	}
}
