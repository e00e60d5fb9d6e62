package main

import (
	"os"
	"testing"

	"go.temporal.io/server/common/dynamicconfig"
)

// Compose's dynamic configuration is one that the server knows every setting of: what it
// does not know it passes over.
func TestDynamicConfiguration(t *testing.T) {
	b, err := os.ReadFile("../temporal/dynamic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read := dynamicconfig.LoadYamlFile(b)
	if err := read.Err(); err != nil || len(read.Warnings) > 0 || len(read.Map) != 3 {
		t.Errorf("%v, %v: %v", err, read.Warnings, read.Map)
	}
}
