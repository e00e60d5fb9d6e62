package activities

import (
	"context"

	"tnaml/activities/library"
)

// PublishController makes a controller the newest version of its name. One that
// is the newest already stays as it is, so that a retry publishes nothing twice.
func (a *Activities) PublishController(ctx context.Context, in library.PublishControllerInput) (library.ControllerVersion, error) {
	v, err := library.PublishController(ctx, a.store, in)
	return v, classify(err)
}
