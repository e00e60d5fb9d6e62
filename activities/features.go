package activities

import (
	"context"
	"fmt"

	"tnaml/activities/store"
)

// FeaturesInput asks for the features of an image task under a module.
type FeaturesInput struct {
	// Task and Module are their names, for people.
	Task   string `json:"task"`
	Module string `json:"module"`
	// Data and ModuleData reference their objects.
	Data       store.Ref `json:"data"`
	ModuleData store.Ref `json:"module_data"`
}

// FeaturesResult says what features there are.
type FeaturesResult struct {
	// Images is the number of images, Dim the length of a vector.
	Images int `json:"images"`
	Dim    int `json:"dim"`
}

// Images is the progress of computing features, as its heartbeat carries it.
type Images struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// Features computes the features of an image task under a module, once: they
// are kept in the store for all trials of all searches. It uses all cores.
func (a *Activities) Features(ctx context.Context, in FeaturesInput) (FeaturesResult, error) {
	set, err := a.builtin.Features(ctx, in.Data, in.ModuleData, func(done, total int) error {
		tell(ctx, Images{done, total})
		return context.Cause(ctx)
	})
	if err != nil {
		return FeaturesResult{}, classify(fmt.Errorf("features of %s under %s: %w", in.Task, in.Module, err))
	}
	return FeaturesResult{(len(set.Train) + len(set.Validation) + len(set.Test)) / set.Dim, set.Dim}, nil
}
