package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Addresses is the READY line, and the content of stack.json. It holds no
// secret.
type Addresses struct {
	// PID is 0 in the file of a stack that has ended; its ports are taken again.
	PID        int    `json:"pid"`
	Temporal   string `json:"temporal"`
	Namespace  string `json:"namespace"`
	UI         string `json:"ui"`
	S3Endpoint string `json:"s3_endpoint"`
	S3Region   string `json:"s3_region"`
	// Credentials is the file with the keys of the S3 server.
	Credentials string `json:"credentials"`
	// Log is the file with the servers' messages.
	Log string `json:"log"`
}

const stateFile = "stack.json"

// markStopped leaves the ports for the next start, without a process.
func markStopped(dir string, a Addresses) {
	a.PID = 0
	if b, err := json.Marshal(a); err == nil {
		_ = writeFile(filepath.Join(dir, stateFile), b, 0o600)
	}
}

func readState(dir string) Addresses {
	var a Addresses
	if b, err := os.ReadFile(filepath.Join(dir, stateFile)); err == nil {
		_ = json.Unmarshal(b, &a) // a damaged file only costs the old ports
	}
	return a
}

// holder says in words who holds a directory.
func holder(dir string) string {
	if pid := readState(dir).PID; pid != 0 {
		return fmt.Sprintf("process %d", pid)
	}
	return "it is starting or stopping"
}

// lockWait is how long the lock of a directory is waited for.
const lockWait = 500 * time.Millisecond

// maxLog is the size above which the old log is put aside at a start.
const maxLog = 16 << 20

func openLog(dir string) (*os.File, error) {
	name := filepath.Join(dir, "logs", "devstack.log")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Stat(name); err == nil && info.Size() > maxLog {
		_ = os.Rename(name, name+".old")
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// writeFile writes a file whole or not at all.
func writeFile(name string, data []byte, mode os.FileMode) error {
	tmp := name + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}
