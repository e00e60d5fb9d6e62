package client

import (
	"context"
	"time"

	"tnaml/activities/library"
	"tnaml/experiments/exchange"
	"tnaml/experiments/space"
)

// ImportTrials stores the trials that read finds as a search that has ended
// (library.ImportTrials).
func (c *Client) ImportTrials(ctx context.Context, im library.Import, read func(*space.Space) (*exchange.Imported, error)) (
	*exchange.Imported, error,
) {
	if err := CheckName("search", im.Name); err != nil {
		return nil, err
	}
	if open, err := c.Open(ctx, im.Name); err != nil {
		return nil, err
	} else if open {
		return nil, &TakenError{Kind: Search, Name: im.Name}
	}
	im.Now = time.Now()
	return library.ImportTrials(ctx, c.Store, im, read)
}
