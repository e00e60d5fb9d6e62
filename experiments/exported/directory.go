package exported

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"tnaml/experiments/strict"
)

// The files of an exported directory. What else lies there is not looked at.
const (
	// ManifestName is the file that says what the directory is: Manifest.
	ManifestName = "model.json"
	// ContainerName has the model, encoded.
	ContainerName = "model.safetensors"
	// ArchiveName has, in its place, what a program left as its model.
	ArchiveName = "model.tar"
	// ONNXName has the model for other runtimes: see ONNX.
	ONNXName = "model.onnx"
	// VocabularyName, FeaturesName and NGramsName have, beside it, what its ids number, a line each.
	VocabularyName, FeaturesName, NGramsName = "vocabulary.txt", "features.txt", "ngrams.txt"
)

// Format is the version of the directory.
const Format = 1

// maxManifest bounds the manifest, which is mostly labels.
const maxManifest = 16 << 20

// Manifest says what an exported directory holds.
type Manifest struct {
	Format int `json:"format"`
	// Model says what the model is; nil of a program's.
	Model *Info `json:"model,omitempty"`
	// Files are the SHA-256 of the directory's files, in hexadecimal, by their names.
	Files map[string]string `json:"files"`
}

// File is a file of an exported directory.
type File struct {
	Name string
	Data []byte
}

// Directory returns the files of the directory of an encoded model, or of a program's
// archive; more are files that are to lie beside it. The last is the manifest.
func Directory(encoded []byte, more ...File) ([]File, error) {
	out := Manifest{Format: Format, Files: map[string]string{}}
	name := ArchiveName
	if !IsArchive(encoded) {
		m, err := Decode(encoded)
		if err != nil {
			return nil, err
		}
		name, out.Model = ContainerName, &m.Info
	}
	files := append([]File{{name, encoded}}, more...)
	for _, f := range files {
		out.Files[f.Name] = digest(f.Data)
	}
	b, err := json.MarshalIndent(out, "", "  ")
	return append(files, File{ManifestName, append(b, '\n')}), err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Open reads the model of an exported directory, and checks that it is what was written.
func Open(dir fs.FS) (*Model, error) {
	f, err := dir.Open(ManifestName)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("it has no %s: not a directory that `starter model export` wrote", ManifestName)
		}
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(b) > maxManifest {
		return nil, fmt.Errorf("%s has more than %d bytes: not one that `starter model export` wrote", ManifestName, maxManifest)
	}
	var manifest Manifest
	if err := json.Unmarshal(b, &manifest); err != nil {
		return nil, fmt.Errorf("%s: not one that `starter model export` wrote: %w", ManifestName, err)
	}
	if manifest.Format != Format {
		return nil, fmt.Errorf("%s is of format %d, this program reads %d: export the model again", ManifestName, manifest.Format, Format)
	}
	if err := strict.Unmarshal(b, &manifest); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	if manifest.Files[ArchiveName] != "" {
		return nil, ErrProgram
	}
	encoded, err := fs.ReadFile(dir, ContainerName)
	if err != nil {
		return nil, fmt.Errorf("%w: export the model again", err)
	}
	if want := manifest.Files[ContainerName]; digest(encoded) != want {
		return nil, fmt.Errorf("%s is damaged, or of another model: its SHA-256 is %s, %s says %q; export the model again",
			ContainerName, digest(encoded), ManifestName, want)
	}
	return Decode(encoded)
}
