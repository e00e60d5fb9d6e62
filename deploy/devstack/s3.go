package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const region = "us-east-1"

// credentials are the S3 server's, made at the first start.
type credentials struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

const credentialsFile = "credentials.json"

func loadCredentials(dir string) (credentials, error) {
	var c credentials
	name := filepath.Join(dir, credentialsFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		c = credentials{AccessKey: "tnaml-" + random(4), SecretKey: random(20)}
		if b, err = json.Marshal(c); err != nil {
			return c, err
		}
		return c, writeFile(name, b, 0o600)
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(b, &c); err != nil || c.AccessKey == "" || c.SecretKey == "" {
		return c, fmt.Errorf("%s is damaged: delete it to have new credentials made", name)
	}
	return c, nil
}

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// gateway is the running S3 server.
type gateway struct {
	cancel context.CancelFunc
	done   chan error
}

func startGateway(dir string, port int, c credentials) (*gateway, error) {
	root := filepath.Join(dir, "s3")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	if err := (meta.XattrMeta{}).Test(root); err != nil {
		return nil, fmt.Errorf("%s: %w; extended attributes hold the objects' ETags: give a directory on another file system", root, err)
	}
	backend, err := posix.New(root, meta.XattrMeta{}, posix.PosixOpts{CopyObjectThreshold: 5 << 30, Concurrency: 256})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &gateway{cancel, make(chan error, 1)}
	go func() {
		err := embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
			RootUserAccess: c.AccessKey, RootUserSecret: c.SecretKey, Region: region,
			Ports:          []string{loopback(port)},
			MaxConnections: 4096, MaxRequests: 4096, MultipartMaxParts: 10000,
			KeepAlive: true, Quiet: true, DisableACLs: true, HealthPath: "/healthz",
		})
		if err == nil {
			err = errors.New("stopped")
		}
		g.done <- err
	}()
	return g, nil
}

func (g *gateway) stop() {
	g.cancel()
	<-g.done
}

func gatewayReady(ctx context.Context, p ports) bool {
	return answers(ctx, "http://"+loopback(p.s3)+"/healthz")
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
