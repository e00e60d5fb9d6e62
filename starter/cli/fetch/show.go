package fetch

import (
	"context"
	"errors"

	"github.com/dustin/go-humanize"

	"tnaml/activities/download"
	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/experiments/catalog"
	"tnaml/starter/cli/terminal"
)

// Names are those of a kind in the store, nil where no servers are running.
type Names map[string]bool

// Has says whether a name is there, nil where that is not known.
func (n Names) Has(name string) *bool {
	if n == nil {
		return nil
	}
	there := n[name]
	return &there
}

// Say says below a list of what, in the plural, where it is not known.
func (n Names) Say(a *terminal.App, what string) {
	if n == nil {
		a.Say("No servers are running, so which %s are there is not known.", what)
	}
}

// There are the names of a kind in the store.
func There(ctx context.Context, a *terminal.App, kind store.Kind) (Names, error) {
	s, err := a.Connect(ctx)
	if errors.Is(err, deploy.ErrNoServers) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer s.Close()
	entries, err := s.Store.Names(ctx, kind, "")
	if err != nil {
		return nil, err
	}
	there := Names{}
	for _, e := range entries {
		there[e.Name] = true
	}
	return there, nil
}

// Here says whether a thing or its files are there; there is nil where that is not
// known, and made is what the thing is in the store.
func Here(there *bool, files bool, made string) string {
	switch {
	case there != nil && *there:
		return made
	case files:
		return "files"
	case there == nil:
		return "?"
	}
	return "–"
}

// Has reports whether a file has been downloaded.
func (o *Options) Has(f catalog.PublishedFile) bool {
	return (&download.Client{Dir: o.Dir}).Has(download.File{Name: f.Name})
}

// SizeOf is a size for a table, 0 where it is not known.
func SizeOf(n int64, exact bool) string {
	switch {
	case n <= 0:
		return "?"
	case exact:
		return humanize.Bytes(uint64(n))
	}
	return "~" + humanize.Bytes(uint64(n))
}

// PrintFile shows a file and its addresses, the mirror's first.
func (o *Options) PrintFile(a *terminal.App, f catalog.PublishedFile) {
	state := "SHA-256 not known"
	if f.SHA256 != "" {
		state = "SHA-256 " + f.SHA256
	}
	if f.Size > 0 {
		state += ", " + humanize.Bytes(uint64(f.Size))
	}
	if o.Has(f) {
		state += ", is there"
	}
	a.Print("    %s (%s)", f.Name, state)
	if mirror := o.mirrorOf(f.Name); mirror != "" {
		a.Print("      %s", mirror)
	}
	for _, u := range f.URLs {
		a.Print("      %s (tried: %s)", u.URL, u.Tried)
	}
}
