package activities

import (
	"context"

	"tnaml/activities/library"
)

// PublishController is library.PublishController.
func (a *Activities) PublishController(ctx context.Context, in library.PublishControllerInput) (library.ControllerVersion, error) {
	v, err := library.PublishController(ctx, a.store, in)
	return v, classify(err)
}
