package archive

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"tnaml/experiments/data/archive/archivetest"
)

var contents = map[string]string{"b/2.txt": "two", "a/1.txt": strings.Repeat("one ", 500), "a/.DS_Store": "x", "__MACOSX/a/1.txt": "x",
	"./a//3.txt": "", "skip": "x"}

var wantNames = []string{"a/1.txt", "a/3.txt", "b/2.txt"}

func all(name string) bool { return name != "skip" }

func tarred(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	write := func(h *tar.Header, s string) {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, s); err != nil {
			t.Fatal(err)
		}
	}
	write(&tar.Header{Name: "a/", Typeflag: tar.TypeDir, Mode: 0o755}, "")
	write(&tar.Header{Name: "a/link.txt", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, "")
	for name, s := range contents {
		write(&tar.Header{Name: name, Size: int64(len(s)), Mode: 0o644}, s)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped() []byte {
	var pairs []string
	for name, s := range contents {
		pairs = append(pairs, strings.ReplaceAll(name, "/", `\`), s) // as some programs of Windows do
	}
	return archivetest.Zip(pairs...)
}

func pack(c Compression, b []byte) []byte {
	if c == Zstd {
		return archivetest.Zstd(b)
	}
	return archivetest.Gzip(b)
}

// Archives and folders of the same files are the same, in the order of names.
func TestRead(t *testing.T) {
	check := func(name string, files []File, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		var names []string
		for _, f := range files {
			names = append(names, f.Name)
			want := contents[f.Name]
			if f.Name == "a/3.txt" {
				want = ""
			}
			if string(f.Data) != want || f.Err != nil {
				t.Errorf("%s: %s holds %q, %v", name, f.Name, f.Data, f.Err)
			}
		}
		if !slices.Equal(names, wantNames) {
			t.Errorf("%s: %q", name, names)
		}
	}
	for name, b := range map[string][]byte{"tar": tarred(t), "zip": zipped()} {
		if FormatOf(b) != Format(name) {
			t.Errorf("%s is of form %q", name, FormatOf(b))
		}
		files, err := Read(bytes.NewReader(b), "f", 0, all)
		check(name, files, err)
		for _, c := range []Compression{Gzip, Zstd} {
			packed := pack(c, b)
			if CompressionOf(packed) != c {
				t.Errorf("%s is compressed as %q", c, CompressionOf(packed))
			}
			files, err := Read(bytes.NewReader(packed), "f", 0, all)
			check(name+"."+string(c), files, err)
		}
		if _, err := Read(bytes.NewReader(b), "f", 1000, all); err == nil || !strings.Contains(err.Error(), "more than 1000 bytes") {
			t.Errorf("%s, too large: %v", name, err)
		}
	}
	tree := fstest.MapFS{}
	for name, s := range contents {
		tree[Clean(name)] = &fstest.MapFile{Data: []byte(s)}
	}
	files, err := ReadFolder(tree, "f", 0, all)
	check("folder", files, err)
	if _, err := ReadFolder(tree, "f", 1000, all); err == nil || !strings.Contains(err.Error(), "a/1.txt: more than 1000 bytes") {
		t.Errorf("folder, too large: %v", err)
	}
	if _, err := ReadFolder(failing{}, "f", 0, all); err == nil || !strings.HasPrefix(err.Error(), "f: ") {
		t.Errorf("a folder that cannot be read: %v", err)
	}
}

type failing struct{}

func (failing) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

// A tar archive that ends between two files is cut off, though Go's reader
// takes it for whole.
func TestTarCutOff(t *testing.T) {
	b := tarred(t)
	for at := 512; at < len(b)-1024; at += 512 {
		if _, err := Read(bytes.NewReader(b[:at]), "f", 0, all); err == nil {
			t.Errorf("cut off at %d of %d: accepted", at, len(b))
		}
	}
	if _, err := Read(bytes.NewReader(b[:len(b)-512]), "f", 0, all); err != nil { // as some programs end it
		t.Errorf("one block of zeros at the end: %v", err)
	}
}

func TestInflateRefuses(t *testing.T) {
	text := bytes.Repeat([]byte("some text that is compressed well\n"), 3000)
	for _, c := range []Compression{Gzip, Zstd} {
		b := pack(c, text)
		for name, damaged := range map[string][]byte{"cut off": b[:len(b)/2], "without its end": b[:len(b)-3], "flipped": flip(b, len(b)/2),
			"in its sum":           flip(b, len(b)-6+2*len(c)%2),
			"with something after": append(slices.Clone(b), "and more"...)} {
			_, _, err := ReadAll(bytes.NewReader(damaged), 0)
			if err == nil || !strings.HasPrefix(err.Error(), string(c)+": damaged at or before byte ") {
				t.Errorf("%s %s: %v", c, name, err)
			}
		}
		if _, _, err := ReadAll(bytes.NewReader(b), int64(len(text))); err != nil {
			t.Errorf("%s: %v", c, err)
		}
		if _, _, err := ReadAll(bytes.NewReader(b), int64(len(text))-1); err == nil {
			t.Errorf("%s: more than allowed was read", c)
		}
		twice, _, err := ReadAll(bytes.NewReader(append(slices.Clone(b), b...)), 0)
		if err != nil || len(twice) != 2*len(text) {
			t.Errorf("%s, two in one: %d bytes, %v", c, len(twice), err)
		}
	}
	if b, c, err := ReadAll(strings.NewReader("x"), 0); err != nil || c != None || string(b) != "x" {
		t.Errorf("%q %q %v", b, c, err)
	}
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 4
	return b
}

func FuzzRead(f *testing.F) {
	f.Add(tarred(f))
	f.Add(zipped())
	f.Add(pack(Gzip, tarred(f)))
	f.Add(pack(Zstd, zipped()))
	f.Fuzz(func(t *testing.T, b []byte) {
		files, err := Read(bytes.NewReader(b), "f", 1<<20, all)
		if err != nil && files != nil {
			t.Fatal("files and an error")
		}
		total := 0
		var names []string
		for _, file := range files {
			total += len(file.Data)
			names = append(names, file.Name)
			if strings.HasPrefix(file.Name, "/") || slices.Contains(strings.Split(file.Name, "/"), "..") {
				t.Fatalf("the name %q leads out", file.Name)
			}
		}
		if total > 1<<20 || !slices.IsSorted(names) {
			t.Fatalf("%d bytes of %q", total, names)
		}
		Places(names)
	})
}
