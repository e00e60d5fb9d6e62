// Package deploy is the configuration of a deployment: where the servers are,
// how to get in, and what a worker may use.
package deploy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"tnaml/activities/trainers/command"
	"tnaml/deploy/stack"
	"tnaml/experiments/yamlnode"
)

// Config is read from, in falling precedence: flags, TNAML_* in the
// environment, tnaml.yaml, defaults.
type Config struct {
	// DataDir holds what this machine keeps: the dev stack with its data.
	DataDir  string `mapstructure:"data_dir"`
	LogLevel string `mapstructure:"log_level"`
	// LogFormat is text or json.
	LogFormat string `mapstructure:"log_format"`
	// Metrics is where a worker serves its metrics and its health; "": nowhere.
	Metrics  string   `mapstructure:"metrics"`
	Temporal Temporal `mapstructure:"temporal"`
	S3       S3       `mapstructure:"s3"`
	Worker   Worker   `mapstructure:"worker"`
	// Trainers are the programs that workers run as trainers, by name; in the file alone.
	Trainers []command.Config `mapstructure:"-"`

	// Measure takes the Temporal SDK's own metrics, where it is set.
	Measure client.MetricsHandler `mapstructure:"-"`

	// Warnings say what was set and does nothing.
	Warnings []string `mapstructure:"-"`

	// origins say where each setting is from: see Explain.
	origins map[string]string

	// environ is for the Temporal SDK's own convention; a function, so that
	// nothing that prints a configuration prints the environment.
	environ func() []string
}

// Temporal says where the Temporal server is. What is empty comes from the
// SDK's own convention: TEMPORAL_* in the environment and its profiles.
type Temporal struct {
	Address   string `mapstructure:"address"`
	Namespace string `mapstructure:"namespace"`
	Profile   string `mapstructure:"profile"`
	TaskQueue string `mapstructure:"task_queue"`
}

// S3 says where the bucket is. Without keys the usual credential chain is
// asked.
type S3 struct {
	Endpoint string `mapstructure:"endpoint"`
	Bucket   string `mapstructure:"bucket"`
	Region   string `mapstructure:"region"`
	TLS      bool   `mapstructure:"tls"`
	// CAFile holds certificates of authorities, in PEM, that are trusted beside the system's.
	CAFile       string `mapstructure:"ca_file"`
	AccessKey    string `mapstructure:"access_key"`
	SecretKey    string `mapstructure:"secret_key"`
	SessionToken string `mapstructure:"session_token"`
	// IdleSeconds is how long a request may go without a byte before it is given up.
	IdleSeconds int `mapstructure:"idle_seconds"`
}

// LogValue keeps the secrets out of logs.
func (s S3) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String describes the bucket without the secrets.
func (s S3) String() string {
	return fmt.Sprintf("bucket %q at %s", s.Bucket, cmp.Or(s.Endpoint, "the dev stack"))
}

// MarshalJSON keeps the secrets out of whatever encodes a configuration.
func (s S3) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// GoString keeps %#v from printing the secrets.
func (s S3) GoString() string { return "deploy.S3{" + s.String() + "}" }

// Worker says what a worker process may use.
type Worker struct {
	Identity string `mapstructure:"identity"`
	// Slots is the number of trials at once of each trainer; 0 is one for each core.
	Slots int `mapstructure:"slots"`
	// Trainers are those to serve among all that there are, the platform's and the
	// Config's: NAME or NAME=SLOTS with commas between them; empty:
	// all that the worker has.
	Trainers string `mapstructure:"trainers"`
	CacheMB  int    `mapstructure:"cache_mb"`
	// DiskCacheMB bounds the objects kept in data_dir/blobs; 0 keeps none.
	DiskCacheMB int `mapstructure:"disk_cache_mb"`
	// Drain is how long a worker that stops lets trials end, like 30s; "": the program's default.
	Drain string `mapstructure:"drain"`
	// Deployment and BuildID are the worker's version, where they are to have any.
	Deployment string `mapstructure:"deployment"`
	BuildID    string `mapstructure:"build_id"`
}

// Setting is one key of the configuration, for documentation.
type Setting struct {
	// Key is the path in tnaml.yaml; TNAML_ and the key in capitals, with _ for
	// the dots, is the environment variable.
	Key     string
	Default any
	// Flag is the command line's, or empty.
	Flag  string
	Usage string
	// Secret values are never shown.
	Secret bool
}

// Env is the setting's environment variable.
func (s Setting) Env() string {
	return "TNAML_" + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

// Settings lists all keys, in the order of the documentation.
func Settings() []Setting {
	return []Setting{
		{"data_dir", defaultDataDir(), "data-dir", "directory of the dev stack and its data", false},
		{"log_level", "", "log-level", "debug, info, warn or error (default: info for workers, else warn)", false},
		{"log_format", "text", "log-format", "text or json", false},
		{"metrics", "", "metrics", "host:port where a worker serves /metrics, /healthz and /readyz; none: nowhere", false},
		{"temporal.address", "", "temporal-address", "host:port of a Temporal server; none: the dev stack", false},
		{"temporal.namespace", "", "temporal-namespace", "Temporal namespace", false},
		{"temporal.profile", "", "temporal-profile", "profile of the Temporal SDK's configuration file", false},
		{"temporal.task_queue", "tnaml", "task-queue", "task queue that workers serve", false},
		{"s3.endpoint", "", "s3-endpoint", "host:port or URL of the S3 server; none: the dev stack's", false},
		{"s3.bucket", "tnaml", "s3-bucket", "bucket for all objects", false},
		{"s3.region", "us-east-1", "s3-region", "region of the bucket", false},
		{"s3.tls", true, "s3-tls", "whether to use TLS where the endpoint is no URL", false},
		{"s3.ca_file", "", "s3-ca-file", "file with the S3 server's certificate authority, in PEM, trusted beside the system's", false},
		{"s3.access_key", "", "", "access key; none: the usual AWS chain", true},
		{"s3.secret_key", "", "", "secret key", true},
		{"s3.session_token", "", "", "session token", true},
		{"s3.idle_seconds", 60, "", "seconds without a byte after which a request is given up, and tried again", false},
		{"worker.identity", "", "identity", "name of this worker in Temporal and in the costs", false},
		{"worker.slots", 0, "slots", "trials at once of each trainer; 0: one for each core", false},
		{"worker.trainers", "", "trainers", "trainers to serve, as NAME or NAME=SLOTS, with commas; none: all there are", false},
		{"worker.cache_mb", 2048, "cache-mb", "memory for decoded tasks and modules", false},
		{"worker.disk_cache_mb", 4096, "disk-cache-mb", "disk for tasks and modules, in blobs below the data directory; 0: none", false},
		{"worker.drain", "", "drain", "how long a worker that stops lets trials end (default: 30s for workers, else not at all)", false},
		{"worker.deployment", "", "deployment", "name of the workers' deployment, for Temporal's worker versioning; none: no versions", false},
		{"worker.build_id", "", "build-id", "this worker's version in the deployment; none: that of its sources", false},
	}
}

// defaultDataDir is tnaml below the user's data directory.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "tnaml")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "tnaml")
	}
	return filepath.Join(home, ".local", "share", "tnaml")
}

// Flags defines the flags of the settings with these prefixes of keys, and
// "config", on a flag set.
func Flags(flags *pflag.FlagSet, prefixes ...string) {
	flags.String("config", "", "configuration file (default tnaml.yaml, where it exists)")
	for _, s := range Settings() {
		if s.Flag == "" || !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s.Key, p) }) {
			continue
		}
		usage := fmt.Sprintf("%s [%s]", s.Usage, s.Env())
		switch d := s.Default.(type) {
		case string:
			flags.String(s.Flag, d, usage)
		case int:
			flags.Int(s.Flag, d, usage)
		case bool:
			flags.Bool(s.Flag, d, usage)
		}
	}
}

// Load reads the configuration; flags may be nil, environ is as os.Environ
// gives it. What is wrong is reported together, by kind of source.
func Load(flags *pflag.FlagSet, environ []string) (*Config, error) {
	v := viper.New()
	file, explicit := "tnaml.yaml", false
	for _, s := range Settings() {
		v.SetDefault(s.Key, s.Default)
		if flags == nil || s.Flag == "" {
			continue
		}
		if f := flags.Lookup(s.Flag); f != nil {
			if err := v.BindPFlag(s.Key, f); err != nil {
				return nil, err
			}
		}
	}
	if flags != nil {
		if f := flags.Lookup("config"); f != nil && f.Changed {
			file, explicit = f.Value.String(), true
		}
	}
	programs, err := readFile(v, file, explicit)
	if err != nil {
		return nil, err
	}
	origins := findOrigins(v, file, flags, environ)
	if err := readEnvironment(v, environ); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c := Config{environ: func() []string { return environ }, Warnings: unknown(environ), Trainers: programs, origins: origins}
	if err := v.Unmarshal(&c); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return &c, nil
}

func readFile(v *viper.Viper, file string, explicit bool) (programs []command.Config, err error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && !explicit {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	layer := map[string]any{}
	r, root := yamlnode.Read(b, "configuration")
	if root.Kind == yamlnode.Mapping {
		if at := slices.IndexFunc(root.Entries, func(e yamlnode.Entry) bool { return e.Key == trainersKey }); at >= 0 {
			programs = readTrainers(r, root.Entries[at])
			root.Entries = slices.Delete(root.Entries, at, at+1)
		}
		readSection(r, root, "", layer)
	} else if r.Problems() == 0 && root.Kind != yamlnode.Null {
		r.Bad(root.Line, "settings are expected, as in s3: {bucket: tnaml}")
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("configuration: %s: %w", file, err)
	}
	return programs, v.MergeConfigMap(layer)
}

// readSection reads the settings below a key.
func readSection(r *yamlnode.Reader, section yamlnode.Node, below string, layer map[string]any) {
	for _, e := range section.Entries {
		key := below + e.Key
		known := slices.IndexFunc(Settings(), func(s Setting) bool { return s.Key == key })
		switch inside := slices.ContainsFunc(Settings(), func(s Setting) bool { return strings.HasPrefix(s.Key, key+".") }); {
		case known < 0 && !inside:
			r.Bad(e.Line, "unknown %s (known: %s)", key, strings.Join(keys(below), ", "))
		case e.Value.Kind == yamlnode.Null: // as if it were not there
		case inside && e.Value.Kind != yamlnode.Mapping:
			r.Bad(e.Line, "%s holds settings: %s", key, strings.Join(keys(key+"."), ", "))
		case inside:
			one := map[string]any{}
			layer[e.Key] = one
			readSection(r, e.Value, key+".", one)
		default:
			value, kind := e.Value.Value, ""
			switch Settings()[known].Default.(type) {
			case int:
				switch n := value.(type) {
				case uint64:
					if value = int(n); n > math.MaxInt32 {
						kind = "a number that is much smaller"
					}
				case int64:
					value = int(n)
				default:
					kind = "a whole number"
				}
			case bool:
				if _, ok := value.(bool); !ok {
					kind = "true or false"
				}
			default:
				if _, ok := value.(string); !ok {
					kind = "a text: put it in quotes"
				}
			}
			if kind != "" {
				r.Bad(e.Line, "%s must be %s", key, kind)
			}
			layer[e.Key] = value
		}
	}
}

// keys are those of the settings below a key; at the top all are.
func keys(below string) []string {
	var out []string
	for _, s := range Settings() {
		if strings.HasPrefix(s.Key, below) {
			out = append(out, s.Key)
		}
	}
	return out
}

// readEnvironment lays TNAML_* over the file.
func readEnvironment(v *viper.Viper, environ []string) error {
	var errs []error
	for _, s := range Settings() {
		text, ok := lookup(environ, s.Env())
		if !ok || text == "" {
			continue
		}
		var value any = text
		var err error
		switch s.Default.(type) {
		case int:
			value, err = strconv.Atoi(text)
		case bool:
			value, err = strconv.ParseBool(text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s is %q, not like %v", s.Env(), text, s.Default))
			continue
		}
		path := strings.Split(s.Key, ".")
		layer := map[string]any{path[len(path)-1]: value}
		for i := len(path) - 2; i >= 0; i-- {
			layer = map[string]any{path[i]: layer}
		}
		if err := v.MergeConfigMap(layer); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// others are the variables that are no settings: see deploy/README.md and
// .github/CONTRIBUTING.md.
var others = []string{stack.BinaryEnv, "TNAML_DATA", "TNAML_CI_CACHE"}

// unknown names the variables that look like settings and are none.
func unknown(environ []string) []string {
	var out []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		known := slices.Contains(others, name) || slices.ContainsFunc(Settings(), func(s Setting) bool { return s.Env() == name })
		if strings.HasPrefix(name, "TNAML_") && !strings.HasPrefix(name, "TNAML_TEST_") && !known {
			out = append(out, fmt.Sprintf("%s is set, and is no setting: deploy/README.md has those there are", name))
		}
	}
	return out
}

// lookup finds a variable; of several the last counts, as for exec.
func lookup(environ []string, name string) (value string, ok bool) {
	for _, e := range environ {
		if k, v, found := strings.Cut(e, "="); found && k == name {
			value, ok = v, true
		}
	}
	return value, ok
}

func (c *Config) validate() error {
	var errs []error
	if c.DataDir == "" {
		errs = append(errs, errors.New("data_dir is empty"))
	}
	if _, err := c.Level(slog.LevelInfo); err != nil {
		errs = append(errs, err)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		errs = append(errs, fmt.Errorf("log_format is %q: it must be text or json", c.LogFormat))
	}
	if _, _, err := net.SplitHostPort(c.Metrics); c.Metrics != "" && err != nil {
		errs = append(errs, fmt.Errorf("metrics is %q: it must be host:port, as in 127.0.0.1:9464 or :9464", c.Metrics))
	}
	if (c.S3.AccessKey == "") != (c.S3.SecretKey == "") {
		errs = append(errs, errors.New("s3.access_key and s3.secret_key go together: one of them is missing"))
	}
	if c.S3.IdleSeconds < 1 {
		errs = append(errs, fmt.Errorf("s3.idle_seconds is %d: it must be at least 1", c.S3.IdleSeconds))
	}
	if c.Temporal.TaskQueue == "" {
		errs = append(errs, errors.New("temporal.task_queue is empty"))
	}
	if c.Worker.Slots < 0 || c.Worker.Slots > maxSlots {
		errs = append(errs, fmt.Errorf("worker.slots is %d: it must lie between 0 and %d", c.Worker.Slots, maxSlots))
	}
	if _, err := c.Worker.Serve(); err != nil {
		errs = append(errs, err)
	}
	if c.Worker.CacheMB < 1 {
		errs = append(errs, fmt.Errorf("worker.cache_mb is %d: it must be at least 1", c.Worker.CacheMB))
	}
	if c.Worker.DiskCacheMB < 0 {
		errs = append(errs, fmt.Errorf("worker.disk_cache_mb is %d: it must be at least 0", c.Worker.DiskCacheMB))
	}
	if _, err := c.Worker.Grace(0); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.Worker.Version(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// maxDrain bounds the time that a worker takes to stop.
const maxDrain = 24 * time.Hour

// Grace is Drain, or the fallback where none is set.
func (w Worker) Grace(fallback time.Duration) (time.Duration, error) {
	if w.Drain == "" {
		return fallback, nil
	}
	d, err := time.ParseDuration(w.Drain)
	if err != nil || d < 0 || d > maxDrain {
		return 0, fmt.Errorf("worker.drain is %q: it must be a duration between 0s and %v, like 30s", w.Drain, maxDrain)
	}
	return d, nil
}

// deploymentName is what Temporal takes: it joins the two with a dot.
var deploymentName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// Version is the worker's version; zero: it has none.
func (w Worker) Version() (v worker.WorkerDeploymentVersion, err error) {
	if w.Deployment == "" {
		if w.BuildID != "" {
			err = errors.New("worker.build_id is set, and worker.deployment is not: the version of what?")
		}
		return v, err
	}
	if !deploymentName.MatchString(w.Deployment) || len(w.BuildID) > 200 {
		return v, fmt.Errorf("worker.deployment is %q and worker.build_id %q: a name of letters, digits, - and _, and at most 200 characters",
			w.Deployment, w.BuildID)
	}
	if v.BuildID = w.BuildID; v.BuildID == "" {
		if v.BuildID, err = Build(); err != nil {
			return v, fmt.Errorf("worker.build_id: this build has none of its own: %w", err)
		}
	}
	v.DeploymentName = w.Deployment
	return v, nil
}

// maxSlots bounds the trials at once.
const maxSlots = 1024

// Serve is Trainers taken apart: the trainers to serve with their slots, 0 for the
// default; nil for all.
func (w Worker) Serve() (map[string]int, error) {
	if strings.TrimSpace(w.Trainers) == "" {
		return nil, nil
	}
	out := map[string]int{}
	var errs []error
	for _, part := range strings.Split(w.Trainers, ",") {
		name, number, given := strings.Cut(strings.TrimSpace(part), "=")
		slots := 0
		if given {
			var err error
			if slots, err = strconv.Atoi(number); err != nil || slots < 1 || slots > maxSlots {
				errs = append(errs, fmt.Errorf("worker.trainers: %q: the number of slots must lie between 1 and %d", part, maxSlots))
			}
		}
		if _, twice := out[name]; twice || name == "" {
			errs = append(errs, fmt.Errorf("worker.trainers: %q: each trainer's name once, e.g. builtin=2,table=8", part))
		}
		out[name] = slots
	}
	return out, errors.Join(errs...)
}

// Level is the parsed log level, or the fallback where none is set.
func (c *Config) Level(fallback slog.Level) (slog.Level, error) {
	if c.LogLevel == "" {
		return fallback, nil
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return l, fmt.Errorf("log_level is %q: it must be debug, info, warn or error", c.LogLevel)
	}
	return l, nil
}
