//go:build !linux && !darwin && !freebsd

package disk

import "errors"

// Free is unknown here.
func Free(string) (uint64, error) { return 0, errors.ErrUnsupported }
