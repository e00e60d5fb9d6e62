package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tnaml/activities/library"
	"tnaml/activities/store"
)

// least is the annotation of a flag that takes numbers from a bound on.
const least = "tnaml-least"

// The bounds.
const (
	aboveZero = "positive"
	fromZero  = "0 or more"
)

// positive says that flags take numbers above zero: one that is given as zero is
// refused, and not taken for the default, for which a zero stands within.
func positive(cmd *cobra.Command, flags ...string) { bound(cmd, aboveZero, flags) }

// notNegative says that flags take zero and what is above.
func notNegative(cmd *cobra.Command, flags ...string) { bound(cmd, fromZero, flags) }

func bound(cmd *cobra.Command, by string, flags []string) {
	for _, f := range flags {
		if err := cmd.Flags().SetAnnotation(f, least, []string{by}); err != nil {
			panic(err) // there is no such flag
		}
	}
}

// checkNumbers checks the flags that were given against their bounds.
func checkNumbers(flags *pflag.FlagSet) error {
	var errs []error
	flags.Visit(func(f *pflag.Flag) {
		by := f.Annotations[least]
		if len(by) == 0 {
			return
		}
		v, err := strconv.ParseFloat(f.Value.String(), 64)
		if err != nil || math.IsInf(v, 0) || !(v > 0 || v == 0 && by[0] == fromZero) {
			errs = append(errs, fmt.Errorf("--%s is %s: it must be %s", f.Name, f.Value, by[0]))
		}
	})
	return errors.Join(errs...)
}

// free makes sure, before the work for it, that a name is to be had.
func free(ctx context.Context, s store.Store, kind store.Kind, name string, overwrite bool) error {
	if overwrite {
		return nil
	}
	switch _, _, err := s.GetName(ctx, kind, name); {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("%s %q: %w", kind, name, err)
	}
	return fmt.Errorf("%s %q %w: choose another name, or replace it with --overwrite", kind, name, library.ErrExists)
}
