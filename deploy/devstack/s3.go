package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const region = "us-east-1"

// keys are the S3 server's root account, made at the first start.
type keys struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

const credentialsFile = "credentials.json"

func loadKeys(dir string) (keys, error) {
	var k keys
	name := filepath.Join(dir, credentialsFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		k = keys{AccessKey: "tnaml-" + random(4), SecretKey: random(20)}
		if b, err = json.Marshal(k); err != nil {
			return k, err
		}
		return k, writeFile(name, b, 0o600)
	}
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(b, &k); err != nil || k.AccessKey == "" || k.SecretKey == "" {
		return k, fmt.Errorf("%s is damaged: put it back, or delete it to have new credentials made", name)
	}
	return k, nil
}

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// healthPath answers without credentials; no bucket can have its name.
const healthPath = "/healthz"

// gateway is the running S3 server.
type gateway struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended, err then says why
	err    error
}

func startGateway(dir string, port int, k keys) (*gateway, error) {
	root := filepath.Join(dir, "s3")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	if err := (meta.XattrMeta{}).Test(root); err != nil {
		return nil, fmt.Errorf("%s: %w; the file system must support extended attributes, which hold the objects' ETags: give a directory on "+
			"another one", root, err)
	}
	opts := posix.PosixOpts{CopyObjectThreshold: 5 << 30, Concurrency: 256}
	opts.SetNewFilePerm(0o600) // the gateway sets it past the umask
	opts.SetNewDirPerm(0o700)
	backend, err := posix.New(root, meta.XattrMeta{}, opts)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &gateway{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(g.done)
		g.err = embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
			RootUserAccess: k.AccessKey, RootUserSecret: k.SecretKey, Region: region,
			Ports:          []string{loopback(port)},
			MaxConnections: 4096, MaxRequests: 4096, MultipartMaxParts: 10000,
			KeepAlive: true, Quiet: true, DisableACLs: true, HealthPath: healthPath,
		})
		if g.err == nil {
			g.err = errors.New("stopped")
		}
	}()
	return g, nil
}

// stop ends the gateway and waits for it.
func (g *gateway) stop() {
	g.cancel()
	<-g.done
}
