package deploy_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// banned lists what a package and all below it must not import, with the
// reason. A name that begins with "=" is that package alone, without those below.
var banned = map[string]map[string]string{
	"tnaml/nn": {
		"tnaml/experiments": "arrows point down only", "tnaml/activities": "arrows point down only", "tnaml/workflows": "arrows point down only",
		"tnaml/deploy": "arrows point down only", "tnaml/starter": "arrows point down only", "tnaml/worker": "arrows point down only",
		"go.temporal.io": "the numerical core knows nothing of workflows", "github.com/minio": "nor of object stores",
		"time": "results must not depend on the clock", "os": "nor on the environment or files", "net": "nor on the network",
		"crypto/rand": "randomness comes from nn/rng, keyed by seed", "math/rand": "randomness comes from nn/rng, keyed by seed",
		"github.com/spf13": "configuration is passed in",
	},
	"tnaml/experiments": {
		"tnaml/activities": "arrows point down only", "tnaml/workflows": "arrows point down only", "tnaml/deploy": "arrows point down only",
		"tnaml/starter": "arrows point down only", "tnaml/worker": "arrows point down only",
		"go.temporal.io": "what an experiment is does not depend on how it is run", "github.com/minio": "nor on where it is kept",
		"time": "results must not depend on the clock", "os": "nor on the environment or files", "net": "nor on the network",
		"crypto/rand": "randomness comes from nn/rng, keyed by seed", "math/rand": "randomness comes from nn/rng, keyed by seed",
		"math/rand/v2":     "randomness comes from nn/rng, keyed by seed",
		"github.com/spf13": "configuration is passed in",
	},
	"tnaml/experiments/data": {
		"tnaml/experiments/space": "what people have is read without knowing what is searched over it", "tnaml/experiments/search": "nor how",
		"tnaml/experiments/study": "nor what is made of it", "tnaml/experiments/catalog": "the catalogue names data sets; data reads them",
		"tnaml/experiments/trainer": "a trainer knows the kinds of tasks, a kind no trainer",
	},
	"tnaml/experiments/space": {
		"tnaml/experiments/trainer": "a space is data; what it means is its trainer's",
		"tnaml/experiments/search":  "nor does it know how it is searched",
		"tnaml/nn":                  "nor what models there are",
	},
	"tnaml/experiments/trainer": {
		"tnaml/experiments/search": "a trainer knows requests, not where they come from", "tnaml/experiments/study": "nor what is made of them",
		"tnaml/experiments/catalog": "nor experiments",
	},
	"tnaml/experiments/search": {"tnaml/experiments/benchmark": "a search cannot tell whether its trials were recorded"},
	"tnaml/experiments/search/strategy": {
		"=tnaml/experiments/search": "a strategy is asked and told; it does not know the loop",
		"tnaml/experiments/study":   "nor what is made of it",
	},
	"tnaml/experiments/benchmark": {
		"tnaml/experiments/study": "simulated searches are judged by metrics alone", "tnaml/experiments/catalog": "arms are given to it",
	},
	"tnaml/workflows": {
		"tnaml/nn":     "no mathematics in workflow code: the deadlock detector allows a second, and replay would pay it again",
		"tnaml/deploy": "arrows point down only", "tnaml/starter": "arrows point down only", "tnaml/worker": "arrows point down only",
		"os": "workflows do no I/O", "net": "workflows do no I/O", "io/fs": "workflows do no I/O", "os/exec": "workflows do no I/O",
		"math/rand": "workflows draw nothing", "math/rand/v2": "workflows draw nothing", "crypto/rand": "workflows draw nothing",
		"go.temporal.io/sdk/client": "workflows do not call the server",
	},
	"tnaml/activities": {
		"tnaml/workflows": "arrows point down only", "tnaml/deploy": "arrows point down only", "tnaml/starter": "arrows point down only",
		"tnaml/worker": "arrows point down only",
	},
	"tnaml/activities/library": {
		"go.temporal.io":      "records are read where there is no Temporal; activities say what Temporal should make of an error",
		"=tnaml/activities":   "records know nothing of the activities that write them",
		"tnaml/activities/gc": "arrows point down only", "tnaml/activities/pull": "arrows point down only",
	},
	"tnaml/activities/trainers": {
		"=tnaml/activities": "a trainer is run by the activity Trial, and knows the contract alone", "go.temporal.io": "nor Temporal",
	},
	"tnaml/activities/memory": {"tnaml/activities/store": "it keeps what it is given", "tnaml/experiments": "whatever that is"},
	"tnaml/activities/gc":     {"=tnaml/activities": "records are the library's"},
	"tnaml/activities/pull":   {"=tnaml/activities": "records are the library's"},
	"tnaml/activities/store": {
		"tnaml/activities/library": "the store knows objects and names, not what they hold", "go.temporal.io": "nor of workflows",
		"tnaml/experiments": "nor of experiments",
	},
	"tnaml/worker":  {"tnaml/starter": "the two mains do not know each other"},
	"tnaml/starter": {"tnaml/nn/controller": "commands do no learning", "github.com/minio": "only activities/store knows the bucket"},
	"tnaml/starter/api": {
		"tnaml/starter/cli": "arrows point down only", "tnaml/deploy": "it is given its client",
		"go.temporal.io":   "only the client asks the server",
		"github.com/spf13": "a view has no commands and flags", "os": "it has no streams and no environment",
	},
	"tnaml/starter/client": {
		"tnaml/starter/cli": "arrows point down only", "tnaml/deploy": "it is given its connections",
		"github.com/spf13": "a view is built on it: it has no commands and flags", "golang.org/x/term": "it has no terminal",
		"github.com/jedib0t/go-pretty": "it prints no tables", "os": "it has no streams and no environment",
	},
}

// allowed lists the exceptions, with the reason.
var allowed = map[string]string{
	"tnaml/nn/rng math/rand/v2":                      "the one place that wraps it",
	"tnaml/nn/controller math/rand/v2":               "takes a keyed generator of nn/rng as an argument",
	"tnaml/nn/trees math/rand/v2":                    "as above",
	"tnaml/experiments/metrics math/rand/v2":         "as above",
	"tnaml/experiments/search/strategy math/rand/v2": "as above",
}

func under(name, prefix string) bool { return name == prefix || strings.HasPrefix(name, prefix+"/") }

// shared are the packages below starter/cli that its nouns stand on.
var shared = []string{"terminal", "names", "follow", "spec", "samples", "models", "fetch"}

// Commands of one noun know nothing of another's: what they share is in the packages
// for it.
func TestNounsStandAlone(t *testing.T) {
	const cli = "tnaml/starter/cli/"
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, cli+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for _, i := range fields[1:] {
			name, below := strings.CutPrefix(i, cli)
			if fields[0]+"/" != cli && below && !slices.Contains(shared, name) {
				t.Errorf("%s imports %s: nouns do not import each other", fields[0], i)
			}
		}
	}
}

// Imports follow the house's plan. Test files are left out: they may use files
// and clocks.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "tnaml/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	type pkg struct {
		ImportPath string
		Imports    []string
	}
	packages := 0
	used := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages++
		for house, list := range banned {
			if !under(p.ImportPath, house) || strings.HasSuffix(p.ImportPath, "test") {
				continue
			}
			for _, i := range p.Imports {
				if _, ok := allowed[p.ImportPath+" "+i]; ok {
					used[p.ImportPath+" "+i] = true
					continue
				}
				for name, reason := range list {
					if under(i, name) || "="+i == name {
						t.Errorf("%s imports %s: %s", p.ImportPath, i, reason)
					}
				}
			}
		}
	}
	for exception := range allowed {
		if !used[exception] {
			t.Errorf("the exception %q is not needed any more", exception)
		}
	}
	if packages < 15 {
		t.Errorf("only %d packages were looked at", packages)
	}
}
