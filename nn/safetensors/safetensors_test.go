package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// file joins a header and a body, with the header's length before them.
func file(header, body string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+body...)
}

func sample() *File {
	f := New("sample")
	Put(f, "b", []float32{1, -2, float32(math.Inf(1)), 0.5, 0, float32(math.Copysign(0, -1))}, 2, 3)
	Put(f, "a", []uint8("xyz"))
	Put(f, "c", []int32{-1}, []int{}...)
	Put(f, "empty", []float64{}, 0, 4)
	Put(f, "i", []int64{math.MinInt64, math.MaxInt64})
	Put(f, "u", []uint64{math.MaxUint64}, 1, 1, 1)
	f.PutJSON("sample", map[string]int{"x": 1})
	return f
}

// The bytes are what the format's page says, written out by hand.
func TestCanonicalBytes(t *testing.T) {
	f := New("k")
	f.Metadata["z"] = "é"
	Put(f, "v", []float32{1, -2}, 1, 2)
	Put(f, "b", []uint8{7, 8, 9})
	header := `{"__metadata__":{"kind":"k","z":"é"},"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},` +
		`"v":{"dtype":"F32","shape":[1,2],"data_offsets":[3,11]}}`
	for len(header)%8 != 0 {
		header += " "
	}
	want := file(header, "\x07\x08\x09\x00\x00\x80\x3f\x00\x00\x00\xc0")
	if got := f.Encode(); !bytes.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	// In whatever order the arrays were put.
	g := New("k")
	Put(g, "b", []uint8{7, 8, 9})
	Put(g, "v", []float32{1, -2}, 1, 2)
	g.Metadata["z"] = "é"
	if !bytes.Equal(g.Encode(), want) {
		t.Error("the order of writing shows in the bytes")
	}
}

func TestRoundTrip(t *testing.T) {
	for _, f := range []*File{New("nothing"), sample(), {}} {
		b := f.Encode()
		if n := binary.LittleEndian.Uint64(b); n%8 != 0 {
			t.Errorf("the header has %d bytes", n)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind() != f.Kind() || !cmp.Equal(got.Names(), f.Names()) || len(got.Metadata) != len(f.Metadata) {
			t.Errorf("%v and %v; want %v and %v", got.Metadata, got.Names(), f.Metadata, f.Names())
		}
		for _, name := range f.Names() {
			if diff := cmp.Diff(f.tensors[name], got.tensors[name], cmp.AllowUnexported(tensor{})); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		if !bytes.Equal(b, got.Encode()) {
			t.Error("encoding again gives other bytes")
		}
	}
}

// Every bit of a float survives, those of a NaN included.
func TestFloatsAreExact(t *testing.T) {
	f := New("k")
	patterns := []uint32{0, 1, 0x80000000, 0x7f800000, 0x7fc00001, 0x7f800001, 0xffffffff, 0x3f800001}
	v := make([]float32, len(patterns))
	for i, p := range patterns {
		v[i] = math.Float32frombits(p)
	}
	Put(f, "v", v)
	got, err := Decode(f.Encode())
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := Get[float32](got, "v")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range patterns {
		if math.Float32bits(w[i]) != p {
			t.Errorf("%#x became %#x", p, math.Float32bits(w[i]))
		}
	}
}

func TestDecodeCopies(t *testing.T) {
	b := sample().Encode()
	f, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if v, _, err := Get[uint8](f, "a"); err != nil || string(v) != "xyz" {
		t.Errorf("%q, %v", v, err)
	}
}

func TestGet(t *testing.T) {
	f := sample()
	if v, shape, err := Get[float32](f, "b", 2, -1); err != nil || len(v) != 6 || !cmp.Equal(shape, []int{2, 3}) {
		t.Errorf("%v of shape %v, %v", v, shape, err)
	}
	if !f.Has("b") || f.Has("none") {
		t.Error("Has is wrong")
	}
	var x map[string]int
	if err := f.GetJSON("sample", &x); err != nil || x["x"] != 1 {
		t.Errorf("%v, %v", x, err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{second(Get[float32](f, "none")), `no array "none" in sample`},
		{second(Get[float64](f, "b")), `"b" holds F32, not []float64`},
		{second(Get[float32](f, "b", 3, 2)), "shape [2 3], want [3 2]"},
		{second(Get[float32](f, "b", 6)), "shape [2 3], want [6]"},
		{f.GetJSON("none", &x), `no metadata "none" in sample`},
		{f.GetJSON("kind", &x), `metadata "kind"`},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%v; want an error with %q", c.err, c.want)
		}
	}
}

func second[A, B any](_ A, _ B, err error) error { return err }

func TestPutPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"wrong shape":   func() { Put(New("k"), "a", []uint8{1, 2, 3}, 2, 2) },
		"name twice":    func() { Put(sample(), "a", []uint8{1}) },
		"reserved name": func() { Put(New("k"), "__metadata__", []uint8{1}) },
		"no JSON":       func() { New("k").PutJSON("x", math.NaN()) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestDecodeRefuses(t *testing.T) {
	entry := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"a":{"dtype":%q,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
	}
	huge := func(n uint64) []byte { return append(binary.LittleEndian.AppendUint64(nil, n), "{}      "...) }
	for _, c := range []struct {
		name, want string
		b          []byte
	}{
		{"nothing", "shorter than a header", nil},
		{"half a length", "shorter than a header", []byte("1234567")},
		{"header longer than the file", "does not fit", huge(9)},
		{"header of 2⁶³ bytes", "does not fit", huge(1 << 63)},
		{"header of 2⁶⁴−1 bytes", "does not fit", huge(math.MaxUint64)},
		{"header over the limit", "does not fit", huge(maxHeader + 1)},
		{"empty header", "header", file("", "")},
		{"no JSON", "header", file("{", "")},
		{"a list", "header", file("[]", "")},
		{"two values", "header", file("{} {}", "")},
		{"an entry that is none", `array "a"`, file(`{"a":7}`, "")},
		{"an entry of null", `array "a"`, file(`{"a":null}`, "")},
		{"metadata of numbers", "metadata", file(`{"__metadata__":{"a":1}}`, "")},
		{"metadata a list", "metadata", file(`{"__metadata__":[]}`, "")},
		{"unknown type", `unknown dtype "BF16"`, file(entry("BF16", "[1]", "[0,2]"), "12")},
		{"too few bytes", "needs 8 bytes, has 4", file(entry("F32", "[2]", "[0,4]"), "1234")},
		{"too many bytes", "needs 4 bytes, has 8", file(entry("F32", "[1]", "[0,8]"), "12345678")},
		{"bytes left over", "1 bytes after the last array", file(entry("U8", "[2]", "[0,2]"), "123")},
		{"bytes without an array", "3 bytes after", file("{}", "123")},
		{"a gap before", "do not follow byte 0", file(entry("U8", "[1]", "[1,2]"), "12")},
		{"beyond the end", "do not follow", file(entry("U8", "[4]", "[0,4]"), "123")},
		{"offsets fall", "do not follow", file(entry("U8", "[0]", "[0,-1]"), "")},
		{"negative offset", "do not follow", file(entry("U8", "[1]", "[-1,0]"), "")},
		{"offset of 2⁶³", `array "a"`, file(entry("U8", "[1]", "[0,9223372036854775808]"), "1")},
		{"overlap", "do not follow byte 2", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},`+
			`"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, "123")},
		{"the same bytes twice", "do not follow byte 2", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},`+
			`"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, "12")},
		{"negative dimension", "impossible shape", file(entry("U8", "[-1]", "[0,1]"), "1")},
		{"two negative dimensions", "impossible shape", file(entry("U8", "[-1,-1]", "[0,1]"), "1")},
		{"product overflows to 0", "impossible shape", file(entry("U8", "[4294967296,4294967296]", "[0,0]"), "")},
		{"product overflows to 1", "impossible shape", file(entry("U8", "[6700417,4294967297,641]", "[0,1]"), "1")},
		{"size overflows", "impossible shape", file(entry("F64", "[2305843009213693952]", "[0,0]"), "")},
		{"a dimension no integer", `array "a"`, file(entry("U8", "[1.5]", "[0,1]"), "1")},
	} {
		f, err := Decode(c.b)
		if err == nil || !strings.Contains(err.Error(), c.want) || f != nil {
			t.Errorf("%s: %v, %v; want an error with %q", c.name, f, err, c.want)
		}
	}
	const nothing = `"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`
	for _, c := range []struct{ want, header string }{
		{`array "a": it is there twice`, "{" + nothing + "," + nothing + "}"},
		{"a shape of more than 32 dimensions", entry("U8", "[1"+strings.Repeat(",1", 32)+"]", "[0,1]")},
		{"no JSON object", "null"}, {"2 bytes after its end", "{}  []"},
	} {
		if _, err := Decode(file(c.header, "1")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error with %q", c.header, err, c.want)
		}
	}
	b := sample().Encode()
	for i := range b {
		if _, err := Decode(b[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes were accepted", i, len(b))
		}
	}
}

// A small hostile file does not make the reader ask for much memory.
func TestHostileSizesAllocateLittle(t *testing.T) {
	b := file(`{"a":{"dtype":"F64","shape":[137438953408],"data_offsets":[0,1099511627264]}}`, "")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Decode(b); err == nil {
		t.Error("accepted")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes of input made it allocate %d", len(b), n)
	}
}

// A large header of entries that are none ends at the first.
func TestHostileHeadersAllocateLittle(t *testing.T) {
	for name, entries := range map[string]string{
		"numbers": `0`, "empty": `{}`, "dimensions": `{"shape":[1` + strings.Repeat(",1", 1<<20) + `]}`,
	} {
		var h bytes.Buffer
		for i := 0; h.Len() < 2<<20; i++ {
			fmt.Fprintf(&h, `%c"%x":%s`, []byte("{,")[min(i, 1)], i, entries)
		}
		b := file(h.String()+"}", "")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Decode(b); err == nil {
			t.Error("accepted")
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(4*len(b)) {
			t.Errorf("%s: %d bytes of input made it allocate %d", name, len(b), n)
		}
	}
}

// Files of other writers: another order in the header, spaces, no metadata.
func TestForeignFiles(t *testing.T) {
	f, err := Decode(file("{\"b\": {\"shape\": [], \"data_offsets\": [1, 5], \"dtype\": \"F32\"},\n"+
		" \"a\": {\"dtype\": \"U8\", \"data_offsets\": [0, 1], \"shape\": [1]}}   ", "x\x00\x00\x80\x3f"))
	if err != nil {
		t.Fatal(err)
	}
	if v, shape, err := Get[float32](f, "b"); err != nil || len(v) != 1 || v[0] != 1 || len(shape) != 0 {
		t.Errorf("%v of shape %v, %v", v, shape, err)
	}
	if v, _, err := Get[uint8](f, "a"); err != nil || string(v) != "x" || f.Kind() != "" {
		t.Errorf("%q, %v, kind %q", v, err, f.Kind())
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample().Encode())
	f.Add(New("nothing").Encode())
	f.Add(file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[],"data_offsets":[2,3]}}`, "123"))
	f.Add(file(`{"a":{"dtype":"F64","shape":[4294967296,4294967296,0],"data_offsets":[0,0]},"__metadata__":null}`, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b)
		if err != nil {
			if got != nil {
				t.Fatal("a file and an error")
			}
			return
		}
		canonical := got.Encode()
		again, err := Decode(canonical)
		if err != nil {
			t.Fatalf("encoded, it is refused: %v", err)
		}
		if !bytes.Equal(canonical, again.Encode()) {
			t.Fatal("the canonical form is not stable")
		}
		if !cmp.Equal(got.Names(), again.Names()) {
			t.Fatalf("names %q, then %q", got.Names(), again.Names())
		}
	})
}
