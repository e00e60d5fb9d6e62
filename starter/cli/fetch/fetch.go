// Package fetch is what the commands that download what others published have in
// common, `data pull` and `module pull`: which things are meant, where they come
// from, how it goes, and what is said of what came and what did not.
package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/starter/client"
)

// Untried is said wherever addresses are.
const Untried = "None of the addresses has been tried against the real servers yet"

// Options are the flags of such a command.
type Options struct {
	List, DryRun, Overwrite, Keep bool
	// Dir holds the downloads, and Mirror is asked first.
	Dir, Mirror string
}

// Flags gives a command the flags; what and made are what is pulled and what becomes
// of it, both in the plural.
func (o *Options) Flags(cmd *cobra.Command, what, made string) {
	f := cmd.Flags()
	f.BoolVar(&o.List, "list", false, "list the "+what+": size, licence, whether they are there")
	f.BoolVar(&o.DryRun, "dry-run", false, "show what would be downloaded from where, and do nothing")
	f.BoolVar(&o.Overwrite, "overwrite", false, "pull also those that are there, and give their names to what comes")
	f.BoolVar(&o.Keep, "keep", false, "keep the downloaded files once their "+made+" are stored")
	f.StringVar(&o.Dir, "dir", "", "directory of downloads (default: downloads in the data directory)")
	f.StringVar(&o.Mirror, "mirror", "", "address of a server that has the files by their names; it is asked first")
}

// Complete checks the flags, and fills in the directory of downloads.
func (o *Options) Complete(dataDir string) error {
	if o.List && o.DryRun {
		return client.Usage(errors.New("--list and --dry-run show different things: give one of them"))
	}
	switch u, err := url.Parse(o.Mirror); {
	case o.Mirror == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return client.Usage(errors.New("--mirror is no address: give one that begins with http:// or https://"))
	case strings.ContainsAny(o.Mirror, "?#"):
		return client.Usage(errors.New("--mirror has a query or a fragment (? or #): file names go behind the address, give one without"))
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(dataDir, "downloads")
	}
	return nil
}

// HowItGoes is the part of a help text that says what becomes of downloads: what is
// pulled ("a set"), made of it ("A task"), and where the addresses are from.
func HowItGoes(what, made, from string) string {
	return "A transfer that broke off is resumed by the next pull; the files that came of " + what +
		" that did not come whole stay for it.\n" +
		"Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Files are checked against their SHA-256 where it is known. What\n" +
		"cannot be downloaded is told with what to do by hand: a file put into the directory of downloads under its name is taken from\n" +
		"there. " + made + " that is there already is left alone.\n\n" +
		Untried + ": they are from " + from + " and from public code\n" +
		"that downloads them. Please tell of those that have moved. With --mirror the files come from a server of yours first, as\n" +
		"<URL>/<file name>; the file names are those that --dry-run shows, and a directory of downloads filled with --keep can be\n" +
		"served as it is."
}

// mirrorOf is the address of a file at the mirror, "" where there is none. A
// password in it is not shown.
func (o *Options) mirrorOf(file string) string {
	u, err := url.Parse(o.Mirror)
	if err != nil || o.Mirror == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s", strings.TrimSuffix(u.Redacted(), "/"), file)
}
