package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// sbom is the bill of materials, CycloneDX in JSON: the programs, the toolchain and the
// modules that the programs themselves say they were linked from.
func (b *built) sbom() []byte {
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: b.created.Format(time.RFC3339),
		Component: &cdx.Component{BOMRef: "tnaml", Type: cdx.ComponentTypeContainer, Name: "tnaml", Version: b.version,
			Properties: &[]cdx.Property{{Name: "vcs.revision", Value: b.revision}, {Name: "platform", Value: b.platform.String()}}},
	}
	var components []cdx.Component
	seen := map[string]bool{}
	add := func(c cdx.Component) string {
		if !seen[c.BOMRef] {
			seen[c.BOMRef] = true
			components = append(components, c)
		}
		return c.BOMRef
	}
	var names []string
	dependencies := []cdx.Dependency{{Ref: "tnaml", Dependencies: &names}}
	for _, p := range b.programs {
		names = append(names, add(cdx.Component{BOMRef: "program/" + p.name, Type: cdx.ComponentTypeApplication, Name: p.name,
			Version: b.version, Description: p.info.Path}))
		std := strings.TrimPrefix(p.info.GoVersion, "go")
		refs := []string{add(library("std", std, ""))}
		for _, m := range p.info.Deps {
			for m.Replace != nil {
				m = m.Replace
			}
			refs = append(refs, add(library(m.Path, m.Version, m.Sum)))
		}
		dependencies = append(dependencies, cdx.Dependency{Ref: "program/" + p.name, Dependencies: &refs})
	}
	bom.Components, bom.Dependencies = &components, &dependencies
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		panic(err) // a buffer takes everything, and the bill is of plain strings
	}
	return out.Bytes()
}

// library is a module as a component; its hash is go.sum's, of the module's files.
func library(path, version, sum string) cdx.Component {
	url := "pkg:golang/" + path + "@" + version
	c := cdx.Component{BOMRef: url, PackageURL: url, Type: cdx.ComponentTypeLibrary, Name: path, Version: version}
	if b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(b) > 0 {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(b)}}
	}
	return c
}
