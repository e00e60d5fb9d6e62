package child

import (
	"math"
	"slices"
	"testing"

	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// Rows are picked into arrays of their size: no larger ones are there on the way.
func TestPickAllocatesWhatItHolds(t *testing.T) {
	v := make([]float32, 30000)
	for i := range v {
		v[i] = float32(i % 3)
	}
	var s *partial
	n := testing.AllocsPerRun(10, func() { s = pick(v, 1, func(row []float32, _ int) bool { return row[0] != 0 }) })
	if n > 3 || len(s.values) != 20000 || cap(s.values) > 21000 {
		t.Errorf("%v allocations, %d values in room for %d", n, len(s.values), cap(s.values))
	}
}

// What a stored model leaves out changes no bit of what it predicts: zeros, of either
// sign, and rows of the module that tuning has not touched.
func TestStoredWithoutWhatIsElsewhere(t *testing.T) {
	d, table := synthetic(120, 400, 3, 10, 6, .5)
	for _, l1 := range []float64{0, .003, .1, 1} {
		for _, tune := range []bool{false, true} {
			m, _ := train(t, config(func(c *Config) { c.FineTune, c.WideRegularisation, c.WideStart = tune, l1, .3 }), d, table, 1)
			stored, alone := m.Encode(), m.EncodeAlone()
			back, err := DecodeModel(stored)
			if err == nil {
				err = back.Attach(table)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} {
				got, want := back.Predict(e), m.Predict(e)
				for i := range want {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("L1 %v, tuned %v: %v is predicted, before %v", l1, tune, got[i], want[i])
					}
				}
			}
			f, err := safetensors.Decode(stored)
			if err != nil {
				t.Fatal(err)
			}
			zeros, same := 0, 0
			for _, v := range m.wide {
				if v == 0 {
					zeros++
				}
			}
			wide, _, err := safetensors.Get[float32](f, "wide", -1, -1)
			if err != nil || f.Has("wide/mask") != (4*zeros > (len(m.wide)+7)/8) || f.Has("wide/mask") && len(wide) != len(m.wide)-zeros {
				t.Errorf("L1 %v: %d of %d weights are stored, %d are zero, %v", l1, len(wide), len(m.wide), zeros, err)
			}
			if f.Has("table") != tune || f.Has("known") {
				t.Errorf("tuned %v: a table is stored: %v", tune, f.Has("table"))
			}
			if tune {
				for i := 0; i < len(m.table); i += m.Dim {
					if slices.Equal(m.table[i:][:m.Dim], table.Vectors[i:][:m.Dim]) {
						same++
					}
				}
				rows, _, err := safetensors.Get[float32](f, "table", -1, m.Dim)
				if err != nil || len(rows) != len(m.table)-same*m.Dim || same == 0 {
					t.Errorf("%d of %d rows are stored, %d are the module's: %v", len(rows)/m.Dim, m.NVocabulary, same, err)
				}
			}
			t.Logf("L1 %v, tuned %v: %d bytes, alone %d", l1, tune, len(stored), len(alone))
		}
	}
}

func TestSparse(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 64, 65} {
		r := rng.New(1, "sparse", uint64(n))
		v := make([]float32, 3*n)
		for i := range v {
			if r.IntN(3) == 0 {
				v[i] = r.Float32()
			}
		}
		from := slices.Clone(v)
		for i := range n {
			if r.IntN(2) == 0 {
				from[3*i+r.IntN(3)]++
			}
		}
		for width, s := range map[int]*partial{1: pick(v, 1, func(row []float32, _ int) bool { return row[0] != 0 }), 3: changes(v, from, 3)} {
			f := safetensors.New("x")
			s.put(f, "a", width)
			back, err := getPartial(f, "a", len(v)/width, width)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float32, len(v))
			if width == 3 {
				copy(got, from)
			}
			if back.over(got, width); !slices.Equal(got, v) {
				t.Errorf("%d rows of %d: %v, it was %v", n, width, got, v)
			}
			if n%8 > 0 && width == 3 {
				s.mask[n/8] |= 0x80
				if _, err := getPartial(f, "a", n, width); err == nil {
					t.Errorf("%d rows: a bit beyond them was taken", n)
				}
			}
		}
	}
}
