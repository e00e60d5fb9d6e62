package main

import (
	"bytes"
	"io"
	"maps"
	"path"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// billType is the media type of the bill of materials.
const billType = "application/vnd.cyclonedx+json"

// platformImage is the image of one platform with its bill of materials.
type platformImage struct {
	v1.Image
	platform v1.Platform
	sbom     []byte
}

// labels are OCI's annotations of the image; those of one revision are left out where there is none.
func (b *built) labels() map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":       "tnaml",
		"org.opencontainers.image.description": "Transfer Neural AutoML: worker and starter",
		"org.opencontainers.image.created":     b.created.Format(time.RFC3339),
		"org.opencontainers.image.version":     b.version,
		"org.opencontainers.image.revision":    b.revision,
	}
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	return labels
}

// image assembles the image: what changes with no version in a layer of its own, below the
// programs, so that an upgrade fetches only these.
func (b *built) image() (platformImage, error) {
	out := platformImage{platform: b.platform, sbom: b.sbom()}
	start := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err := layer(base(), time.Unix(0, 0).UTC())
	if err != nil {
		return out, err
	}
	own, err := layer(b.own(out.sbom), b.created)
	if err != nil {
		return out, err
	}
	at := v1.Time{Time: b.created}
	image, err := mutate.Append(start,
		mutate.Addendum{Layer: base, History: v1.History{Created: at, CreatedBy: "certificates, users, directories"}},
		mutate.Addendum{Layer: own, History: v1.History{Created: at, CreatedBy: "programs, bill of materials"}})
	if err != nil {
		return out, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return out, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant, config.Created = b.platform.OS, b.platform.Architecture, b.platform.Variant, at
	config.Config = v1.Config{
		User: strconv.Itoa(user) + ":" + strconv.Itoa(user), Entrypoint: []string{"/" + path.Join(programDir, "worker")},
		Env:        []string{"PATH=/" + programDir, "TNAML_DATA_DIR=/" + dataDir},
		WorkingDir: "/" + dataDir, StopSignal: "SIGTERM", Labels: b.labels(),
	}
	image, err = mutate.ConfigFile(image, config)
	out.Image, _ = mutate.Annotations(image, b.labels()).(v1.Image)
	return out, err
}

// layer is a compressed layer of files.
func layer(files []file, at time.Time) (v1.Layer, error) {
	var body bytes.Buffer
	if err := archive(&body, files, at); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
}

// index lists the platforms' images, and for each its bill of materials as an artifact that
// refers to it.
func index(images []platformImage) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, i := range images {
		subject, err := partial.Descriptor(i.Image)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: i.Image, Descriptor: v1.Descriptor{Platform: &i.platform}})
		bill := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), billType)
		bill, err = mutate.AppendLayers(bill, static.NewLayer(i.sbom, billType))
		if err != nil {
			return nil, err
		}
		referring, _ := mutate.Subject(bill, v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}).(v1.Image)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: referring,
			Descriptor: v1.Descriptor{ArtifactType: billType, Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}})
	}
	return index, nil
}
