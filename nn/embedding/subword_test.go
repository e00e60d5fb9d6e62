package embedding

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// The n-grams of "<año>" by hand, in fastText's order: by first character, then
// by length.
func TestNGramsByHand(t *testing.T) {
	for _, c := range []struct {
		min, max int
		word     string
		want     []string
	}{
		{3, 4, "año", []string{"<añ", "<año", "año", "año>", "ño>"}},
		{1, 2, "ñ", []string{"<ñ", "ñ", "ñ>"}},
		{3, 6, "a", []string{"<a>"}},
		{4, 6, "a", nil},
		{1, 9, "", []string{"<>"}},
	} {
		const buckets = 1 << 20
		var want []int32
		for _, g := range c.want {
			h := fnv.New32a()
			h.Write([]byte(g))
			want = append(want, int32(h.Sum32()%buckets))
		}
		s := &Subword{Kind: NGrams, MinN: c.min, MaxN: c.max, Buckets: buckets}
		if got := s.ngrams(nil, c.word); !slices.Equal(got, want) {
			t.Errorf("%q, %d to %d: %v, want those of %q, %v", c.word, c.min, c.max, got, c.want, want)
		}
	}
}

// withBuckets has three buckets, the last of them unused.
func withBuckets() *Module {
	m := small()
	m.Subword = &Subword{Kind: NGrams, MinN: 1, MaxN: 1, Buckets: 3, Vectors: []float32{1, 0, 0, 1, 0, 0}}
	return m
}

// inBucket returns letters of which the hashes fall into a bucket.
func inBucket(s *Subword, bucket int32) string {
	for c := 'a'; c <= 'z'; c++ {
		if s.ngrams(nil, string(c))[0] == bucket {
			return string(c)
		}
	}
	panic("no letter")
}

func TestComposedByHand(t *testing.T) {
	m := withBuckets()
	zero, one, none := inBucket(m.Subword, 0), inBucket(m.Subword, 1), inBucket(m.Subword, 2)
	for _, c := range []struct {
		word   string
		length float64
		origin Origin
		want   []float32
	}{
		{"the", 0, Known, []float32{1, 2}},
		{"the", 7, Known, []float32{1, 2}},
		{zero, 0, Composed, []float32{1, 0}},
		{zero + one, 0, Composed, []float32{0.5, 0.5}},
		{zero + one + none, 0, Composed, []float32{0.5, 0.5}}, // the unused bucket does not count
		{zero + one, 5, Composed, []float32{float32(5 / math.Sqrt2), float32(5 / math.Sqrt2)}},
		{none, 5, Unknown, []float32{9, 9}},
		{"", 0, Unknown, []float32{9, 9}},
	} {
		m.Subword.Length = c.length
		dst := []float32{9, 9}
		if got := m.Lookup().Vector(dst, c.word); got != c.origin || !cmp.Equal(dst, c.want, near) {
			t.Errorf("%q, length %v: %v and %v, want %v and %v", c.word, c.length, got, dst, c.origin, c.want)
		}
	}
	m.Subword.Length = 0
	table := m.Table([]string{"the", none, zero, none + none}, 2)
	if !slices.Equal(table.Known, []bool{true, true, true, false}) || table.Vectors[4] != 1 {
		t.Errorf("%+v", table)
	}
	if got := m.Coverage([]string{"the", none, zero, one}); got != (Coverage{1, 2, 1}) || got.Share() != 0.75 {
		t.Errorf("%+v", got)
	}
}

func TestSubwordRoundTrip(t *testing.T) {
	m := withBuckets()
	m.Subword.Length = 2.5
	pieces := small()
	pieces.Subword = &Subword{Kind: Pieces}
	for _, m := range []*Module{m, pieces} {
		b := m.Encode()
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got); diff != "" || !bytes.Equal(b, got.Encode()) {
			t.Errorf("%s", diff)
		}
	}
}

func TestSubwordRefused(t *testing.T) {
	for name, c := range map[string]struct {
		s    Subword
		want string
	}{
		"kind":           {Subword{Kind: "syllables"}, "known: ngrams, pieces"},
		"no lengths":     {Subword{Kind: NGrams, Buckets: 1, Vectors: make([]float32, 2)}, "n-grams of 0 to 0"},
		"reversed":       {Subword{Kind: NGrams, MinN: 4, MaxN: 3, Buckets: 1, Vectors: make([]float32, 2)}, "n-grams of 4 to 3"},
		"no buckets":     {Subword{Kind: NGrams, MinN: 3, MaxN: 3}, "0 buckets"},
		"short":          {Subword{Kind: NGrams, MinN: 3, MaxN: 3, Buckets: 2, Vectors: make([]float32, 2)}, "2 numbers for 2 buckets"},
		"NaN":            {Subword{Kind: NGrams, MinN: 3, MaxN: 3, Buckets: 1, Vectors: []float32{0, float32(math.NaN())}}, "element 1"},
		"length":         {Subword{Kind: Pieces, Length: -1}, "length of -1"},
		"pieces' bucket": {Subword{Kind: Pieces, Buckets: 1, Vectors: make([]float32, 2)}, "beside pieces"},
	} {
		m := small()
		m.Subword = &c.s
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v does not say %q", name, err, c.want)
		}
	}
	// Buckets that the file's header has and the file lacks.
	b := container("module", `{"name":"m","dim":2,"subword":{"kind":"ngrams","min_n":3,"max_n":3,"buckets":1}}`,
		"a\nb\n", []float32{1, 2, 3, 4}, 2, 2)
	if _, err := Decode(b); err == nil || !strings.Contains(err.Error(), "buckets") {
		t.Errorf("%v", err)
	}
	for _, c := range []struct {
		o    TrainOptions
		want string
	}{
		{TrainOptions{Name: "m", Method: SGNS, Subword: &Subword{Kind: Pieces}}, "cannot be trained"},
		{TrainOptions{Name: "m", Method: SGNS, Subword: &Subword{MaxN: 2, MinN: 3}}, "n-grams of 3 to 2"},
	} {
		if _, err := Train(groups(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v does not say %q", err, c.want)
		}
	}
}

// Words of a group share a prefix here, and a word that the text lacks is near
// its group by it.
func TestUnseenWordIsNearItsGroup(t *testing.T) {
	var documents [][]string
	c := groups()
	prefix := map[byte]string{'a': "alpha", 'b': "beta", 'c': "gamma", 'd': "delta"}
	for d := range c.Documents() {
		var doc []string
		for _, id := range c.IDs[c.Offsets[d]:c.Offsets[d+1]] {
			w := c.Words[id]
			if w[1] != 'o' {
				w = prefix[w[0]] + w[1:]
			}
			doc = append(doc, w)
		}
		documents = append(documents, doc)
	}
	m, err := Train(Tokens(documents), TrainOptions{Name: "m", Method: SGNS, Dim: 8, Epochs: 8, Subsample: 1, LearningRate: 0.05, Seed: 1,
		Subword: &Subword{Buckets: 2000}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.Source, "n-grams of 3 to 6 in 2000 buckets") {
		t.Errorf("source %q", m.Source)
	}
	for _, p := range prefix {
		right := 0
		for _, n := range m.Neighbours(p+"99", 12) {
			if strings.HasPrefix(n.Token, p) {
				right++
			}
		}
		if right < 10 {
			t.Errorf("only %d of the 12 words nearest to %s99 begin so", right, p)
		}
	}
	// Standardised, all vectors have one length, those of unseen words too.
	m.Standardise()
	v := make([]float32, m.Dim)
	if o := m.Lookup().Vector(v, "alpha99"); o != Composed || math.Abs(norm(v)-math.Sqrt(8)) > 1e-5 {
		t.Errorf("%v of length %v", o, norm(v))
	}
}

func norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// A vocabulary in the order of its merges: "lo" comes before "ow", so that
// "low" is cut as lo+w, though o+w would do too.
func TestPiecesByHand(t *testing.T) {
	m := &Module{
		Name: "p", Dim: 1, Subword: &Subword{Kind: Pieces},
		Tokens: []string{"<unk>", "lo", "ow", "▁n", "▁now", "▁", "l", "o", "w", "n", "0", "00", "▁00"},
	}
	for i := range m.Tokens {
		m.Vectors = append(m.Vectors, float32(i))
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	if !m.HasPieces() || small().HasPieces() {
		t.Error("pieces are not told from words")
	}
	for file, want := range map[string]*Subword{"▁a 1\nb 2\n": {Kind: Pieces}, "a 1\nb 2\n": nil} {
		if read, err := ReadWords(strings.NewReader(file), "p", 0); err != nil || (read.Subword == nil) != (want == nil) ||
			want != nil && read.Subword.Kind != want.Kind {
			t.Errorf("%q: %+v, %v", file, read, err)
		}
	}
	l := m.Lookup()
	for word, want := range map[string][]string{
		"low": {"▁", "lo", "w"}, "now": {"▁now"}, "nlo": {"▁n", "lo"}, "loow": {"▁", "lo", "ow"}, "xow": {"▁", "ow"},
		"7": {"▁", "0"}, "42": {"▁00"}, "lolo": {"▁", "lo", "lo"},
	} {
		var got []string
		for _, row := range l.pieces(word) {
			got = append(got, m.Tokens[row])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q is cut into %q, want %q", word, got, want)
		}
	}
	if got := l.pieces(strings.Repeat("n", 1e6)); len(got) != maxCut || m.Tokens[got[0]] != "▁n" {
		t.Errorf("a word of a million characters is cut into %d pieces", len(got))
	}
	for word, want := range map[string]Origin{"now": Known, "low": Composed, "lo": Composed, "42": Known, "é": Composed} {
		if got := l.Origin(word); got != want {
			t.Errorf("%q: %v, want %v", word, got, want)
		}
	}
	v := []float32{0}
	if l.Vector(v, "low"); v[0] != float32(5+1+8)/3 {
		t.Errorf("low has %v", v)
	}
}

// sentencePieces reads the pieces and their scores from a SentencePiece model:
// field 1 of ModelProto, with piece (1), score (2) and type (3).
func sentencePieces(t *testing.T, b []byte) (pieces []string, scores []float32) {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		if field != 1 || kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(field, kind, b); n < 0 {
				t.Fatal(protowire.ParseError(n))
			}
			b = b[n:]
			continue
		}
		piece, n := protowire.ConsumeBytes(b)
		b = b[n:]
		text, score := "", float32(0)
		for len(piece) > 0 {
			field, kind, n := protowire.ConsumeTag(piece)
			piece = piece[n:]
			switch {
			case field == 1 && kind == protowire.BytesType:
				v, _ := protowire.ConsumeBytes(piece)
				text = string(v)
			case field == 2 && kind == protowire.Fixed32Type:
				v, _ := protowire.ConsumeFixed32(piece)
				score = math.Float32frombits(v)
			}
			piece = piece[protowire.ConsumeFieldValue(field, kind, piece):]
		}
		pieces, scores = append(pieces, text), append(scores, score)
	}
	return pieces, scores
}

// BPEmb's vectors are in the order of its SentencePiece model, whose scores fall
// with it: so the order of the vocabulary is that of the merges.
func TestBPEmbOrder(t *testing.T) {
	model, err := os.ReadFile(data(t, "embeddings/bpemb_en_vs1000_d25/en.wiki.bpe.vs1000.model"))
	if err != nil {
		t.Fatal(err)
	}
	m := published(t, "embeddings/bpemb_en_vs1000_d25/en.wiki.bpe.vs1000.d25.w2v.bin")
	pieces, scores := sentencePieces(t, model)
	if diff := cmp.Diff(pieces, m.Tokens); diff != "" {
		t.Fatal(diff)
	}
	for i := 4; i < len(scores); i++ {
		if scores[i] >= scores[i-1] {
			t.Errorf("piece %d, %q, has the score %v after %v", i, pieces[i], scores[i], scores[i-1])
		}
	}
	if !m.HasPieces() {
		t.Error("the pieces are not seen")
	}
	m.Subword = &Subword{Kind: Pieces}
	l := m.Lookup()
	for word, want := range map[string]string{"the": "▁the", "movie": "▁mov ie", "unwatchable": "▁un w at ch able", "1984": "▁0000"} {
		var got []string
		for _, row := range l.pieces(word) {
			got = append(got, m.Tokens[row])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q is cut into %q, want %q", word, got, want)
		}
	}
	c := m.Coverage([]string{"the", "movie", "unwatchable", "1984", "日本"})
	t.Logf("coverage %+v", c)
}

// Whatever the word, looking it up does not panic, changes nothing but for dst,
// and gives finite numbers or nothing.
func FuzzLookup(f *testing.F) {
	for _, word := range []string{"the", "unheard", "", "naïve", "\xff\xfe", "▁▁", "日本語", "42", strings.Repeat("a", 300)} {
		f.Add(word)
	}
	pieces := &Module{
		Name: "p", Dim: 1, Tokens: []string{"lo", "▁n", "▁now", "▁", "l", "o", "0"}, Vectors: []float32{1, 2, 3, 4, 5, 6, 7},
		Subword: &Subword{Kind: Pieces},
	}
	grams := withBuckets()
	grams.Subword.MaxN = 5
	before := [][]byte{pieces.Encode(), grams.Encode()}
	lookups := []*Lookup{pieces.Lookup(), grams.Lookup()}
	f.Fuzz(func(t *testing.T, word string) {
		for i, l := range lookups {
			dst := make([]float32, l.m.Dim)
			origin := l.Vector(dst, word)
			if notFinite(dst) >= 0 || origin == Unknown && !zero(dst) || origin != l.Origin(word) {
				t.Errorf("%q: %v, %v", word, origin, dst)
			}
			if !bytes.Equal(l.m.Encode(), before[i]) {
				t.Fatalf("%q changed the module", word)
			}
		}
		for _, p := range lookups[0].pieces(word) {
			if p < 0 || int(p) >= len(pieces.Tokens) {
				t.Errorf("%q has the piece %d", word, p)
			}
		}
		for _, b := range grams.Subword.ngrams(nil, word) {
			if b < 0 || int(b) >= grams.Subword.Buckets {
				t.Errorf("%q has the bucket %d", word, b)
			}
		}
	})
}

// BenchmarkTable measures the table of a vocabulary of 32,768 words, of which a
// module of as many knows half.
func BenchmarkTable(b *testing.B) {
	const n, dim = 32768, 128
	m := &Module{Name: "m", Dim: dim, Vectors: make([]float32, n*dim)}
	var vocabulary []string
	for i := range n {
		m.Tokens = append(m.Tokens, fmt.Sprintf("word%d", i))
		vocabulary = append(vocabulary, fmt.Sprintf("word%d", i+n/2))
	}
	for i := range m.Vectors {
		m.Vectors[i] = float32(i%7) - 3
	}
	grams := *m
	grams.Subword = &Subword{Kind: NGrams, MinN: 3, MaxN: 6, Buckets: 1 << 16, Vectors: make([]float32, 1<<16*dim)}
	for i := range grams.Subword.Vectors {
		grams.Subword.Vectors[i] = float32(i%5) - 2
	}
	for name, m := range map[string]*Module{"words": m, "ngrams": &grams} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m.Table(vocabulary, len(vocabulary))
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "words/s")
		})
	}
}
