package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is whom the programs run as; numeric, so that Kubernetes can see that it is not root.
const user = 65532

// Where things are in the image.
const (
	programDir   = "usr/local/bin"
	dataDir      = "var/lib/tnaml"
	certificates = "etc/ssl/certs/ca-certificates.crt"
	billFile     = "usr/share/doc/tnaml/sbom.cdx.json"
)

// file is a file or, where its mode says so, a directory of the image.
type file struct {
	name  string
	mode  os.FileMode
	owner int
	body  []byte
}

// base are the files of every version: what a static program expects of a system.
func base() []file {
	return []file{
		{"etc/passwd", 0o444, 0, []byte("root:x:0:0:root:/:/sbin/nologin\ntnaml:x:65532:65532:tnaml:/var/lib/tnaml:/sbin/nologin\n")},
		{"etc/group", 0o444, 0, []byte("root:x:0:\ntnaml:x:65532:\n")},
		{certificates, 0o444, 0, authorities()},
		{dataDir, os.ModeDir | 0o700, user, nil},
		{"tmp", os.ModeDir | os.ModeSticky | 0o777, 0, nil},
	}
}

// own are the files of this version.
func (b *built) own(bill []byte) []file {
	files := []file{{billFile, 0o444, 0, bill}}
	for _, p := range b.programs {
		files = append(files, file{path.Join(programDir, p.name), 0o555, 0, p.body})
	}
	return files
}

// files are all files of the image.
func (b *built) files() []file { return append(base(), b.own(b.sbom())...) }

// authorities are Mozilla's, pinned by go.sum; those that it trusts for some names alone
// are left out: a file cannot say which.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
		}
	}
	return out.Bytes()
}

// archive writes files, with the directories above them, as a layer: in their order and
// with one time, so that the same files give the same bytes.
func archive(w io.Writer, files []file, at time.Time) error {
	t := tar.NewWriter(w)
	seen := map[string]bool{".": true}
	for _, f := range files {
		var above []file
		for dir := path.Dir(f.name); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			above = append([]file{{name: dir, mode: os.ModeDir | 0o755}}, above...)
		}
		for _, f := range append(above, f) {
			seen[f.name] = true
			header, err := tar.FileInfoHeader(info{f, at}, "")
			if err != nil {
				return err
			}
			header.Name, header.Uid, header.Gid = f.name, f.owner, f.owner
			if f.mode.IsDir() {
				header.Name += "/"
			}
			if err := t.WriteHeader(header); err != nil {
				return err
			}
			if _, err := t.Write(f.body); err != nil {
				return err
			}
		}
	}
	return t.Close()
}

// info shows a file as a file system would.
type info struct {
	file
	at time.Time
}

func (i info) Name() string       { return path.Base(i.name) }
func (i info) Size() int64        { return int64(len(i.body)) }
func (i info) Mode() os.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.at }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

// Where a root's files lie by their owners: who copies them gives the second ones theirs, which
// must not be there before, since an owner is given to what a copy makes alone.
const (
	rootFiles = "root"
	userFiles = "user"
)

// write writes files to a directory, in one directory for each owner. Owners themselves are left
// out: deploy/Dockerfile sets them. What is above a file is root's.
func write(root string, files []file) error {
	for _, f := range files {
		owner := rootFiles
		if f.owner == user {
			owner = userFiles
		}
		name := filepath.Join(root, owner, filepath.FromSlash(f.name))
		above := filepath.Join(root, rootFiles, filepath.FromSlash(path.Dir(f.name)))
		err := errors.Join(os.MkdirAll(above, 0o755), os.MkdirAll(filepath.Dir(name), 0o755))
		switch {
		case err != nil:
		case f.mode.IsDir():
			err = os.MkdirAll(name, 0o755)
		default:
			err = os.WriteFile(name, f.body, 0o600)
		}
		if err := errors.Join(err, os.Chmod(name, f.mode)); err != nil {
			return err
		}
	}
	return nil
}
