// Package uritemplates stands in for what builds the paths of Elasticsearch.
package uritemplates

import "errors"

// Expand says that it cannot.
func Expand(string, map[string]string) (string, error) { return "", errors.ErrUnsupported }
