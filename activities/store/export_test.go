package store

import "time"

// SetClock gives the store another clock than the machine's.
func (s *S3) SetClock(now func() time.Time) { s.now = now }
