package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
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
	write(&tar.Header{Name: "a/.link.txt", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, "")
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

// A hard link has the contents of the file before it that it leads to, as tar packs files
// of two names; one that leads to none is no file that was left out in silence.
func TestHardLinks(t *testing.T) {
	linked := func(to ...string) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		err := w.WriteHeader(&tar.Header{Name: "./a/1.txt", Size: 600, Mode: 0o644})
		if err == nil {
			_, err = io.WriteString(w, strings.Repeat("x", 600))
		}
		for i, to := range to {
			err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "b/" + string(rune('a'+i)), Typeflag: tar.TypeLink, Linkname: to}))
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	read := map[string]func(b []byte, limit int64) ([]File, error){
		"Read": func(b []byte, limit int64) ([]File, error) { return Read(bytes.NewReader(b), "f", limit, all) },
		"Entries": func(b []byte, limit int64) ([]File, error) {
			entries, err := Entries(bytes.NewReader(b), int64(len(b)), "f", limit, all)
			if err != nil {
				return nil, err
			}
			return Load(entries, "f", limit)
		},
	}
	for name, read := range read {
		files, err := read(linked("a/1.txt", "b/a"), 0)
		if err != nil || len(files) != 3 || files[1].Name != "b/a" || len(files[1].Data) != 600 || len(files[2].Data) != 600 {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
		if _, err := read(linked("a/1.txt", "skip"), 0); err == nil || !strings.Contains(err.Error(), "b/b: it is a hard link to skip, ") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := read(linked("a/1.txt"), 1000); err == nil || !strings.Contains(err.Error(), "more than 1000 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is wanted, and has its contents elsewhere or none, is not left out in silence: whoever reads
// it is told.
func TestNoFiles(t *testing.T) {
	tarOf := func(kind byte) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: "d", Typeflag: kind, Linkname: "1.txt"}), w.Close()); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	zipOf := func(mode fs.FileMode) []byte {
		return archivetest.ZipOf("d", mode|0o644, map[bool]string{false: "1.txt"}[mode.IsDir()])
	}
	link, pipe := "a symbolic link, ", "a device or a pipe, "
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{tarOf(tar.TypeSymlink), link},
		{tarOf(tar.TypeFifo), pipe},
		{tarOf(tar.TypeChar), pipe},
		{tarOf(tar.TypeDir), ""},
		{zipOf(fs.ModeSymlink), link},
		{zipOf(fs.ModeNamedPipe), pipe},
		{zipOf(fs.ModeDir), ""},
	} {
		files, err := Read(bytes.NewReader(c.b), "f", 0, all)
		entries, err2 := Entries(bytes.NewReader(c.b), int64(len(c.b)), "f", 0, all)
		loaded, err3 := Load(entries, "f", 0)
		if err := errors.Join(err, err2, err3); err != nil || fmt.Sprint(loaded) != fmt.Sprint(files) {
			t.Errorf("%v: %+v, %+v", err, loaded, files)
			continue
		}
		if (len(files) == 0) != (c.want == "") || len(files) > 0 && !strings.HasPrefix(fmt.Sprint(files[0].Err), c.want) {
			t.Errorf("%+v, want %s…", files, c.want)
		}
	}
}

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

// Of what is packed in other ways the way out is told; texts that begin alike are texts.
func TestOtherPackings(t *testing.T) {
	for begin, want := range map[string]string{"\xfd7zXZ\x00": "xz", "BZh91AY&SY": "bzip2", "BZh9\x17rE8P\x90": "bzip2",
		"7z\xbc\xaf\x27\x1c": "7-Zip", "Rar!\x1a\x07": "RAR", "\x04\x22\x4d\x18": "lz4"} {
		_, _, err := ReadAll(strings.NewReader(begin+"and more"), 0)
		if err == nil || !strings.Contains(err.Error(), "packed by "+want+", which is not read: unpack it") {
			t.Errorf("%q: %v", begin, err)
		}
	}
	for _, text := range []string{"BZh9 is a word", "BZh", "Rar! it said", "7z", ""} {
		if b, _, err := ReadAll(strings.NewReader(text), 0); err != nil || string(b) != text {
			t.Errorf("%q: %q, %v", text, b, err)
		}
	}
	for want, change := range map[string]func(*zip.FileHeader){
		"encrypted: unpack the archive": func(h *zip.FileHeader) { h.Flags |= 1 },
		"packed by method 9":            func(h *zip.FileHeader) { h.Method = 9 },
	} {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		h := &zip.FileHeader{Name: "a/1.txt"}
		change(h)
		f, err := w.CreateRaw(h)
		if err == nil {
			_, err = f.Write(nil)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		files, err := Read(&out, "f", 0, all)
		if err != nil || len(files) != 1 || files[0].Err == nil || !strings.Contains(files[0].Err.Error(), want) {
			t.Errorf("%q: %+v, %v", want, files, err)
		}
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

// What begins with a point is told, but for what systems leave beside the data.
func TestHidden(t *testing.T) {
	for name, want := range map[string]string{
		"train/.net/1.txt": "train/.net", ".git/config": ".git", "a/.x": "a/.x", "a/b.txt": "", "a/._1.txt": "", "__MACOSX/a/._1": "",
		"a/.DS_Store": "", "": "",
	} {
		if got := Hidden(name); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
}
