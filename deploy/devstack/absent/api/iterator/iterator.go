// Package iterator stands in for Google's clients.
package iterator

import "errors"

// Done is the end of what is listed.
var Done = errors.New("no more items")
