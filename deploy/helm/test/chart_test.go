// Package test tries the chart as Helm would: it is rendered by Helm's own library, and
// what comes out is decoded strictly as what Kubernetes, the Prometheus operator and KEDA take.
package test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = "../tnaml"

var update = flag.Bool("update", false, "rewrite the golden files")

// render renders the chart with values on top of the defaults, as objects in Helm's order.
func render(t *testing.T, values map[string]any) ([]string, error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	options := chartutil.ReleaseOptions{Name: "prod", Namespace: "automl", IsInstall: true, Revision: 1}
	all, err := chartutil.ToRenderValues(chart, values, options, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range slices.Sorted(keys(files)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			continue
		}
		documents := releaseutil.SplitManifests(files[name])
		for i := range len(documents) {
			if d := documents[fmt.Sprintf("manifest-%d", i)]; strings.TrimSpace(d) != "" {
				out = append(out, strings.TrimSpace(d)+"\n")
			}
		}
	}
	return out, nil
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// read reads values from testdata.
func read(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(b, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// cases are the values in testdata: the least, and all there is, each way to scale down.
var cases = []string{"least", "idle", "demand"}

// Each case renders what its golden file holds, of objects that are what they say.
func TestRender(t *testing.T) {
	for _, name := range cases {
		t.Run(name, func(t *testing.T) {
			objects, err := render(t, read(t, name))
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, o := range objects {
				if key := decode(t, o); seen[key] {
					t.Errorf("%s twice", key)
				} else {
					seen[key] = true
				}
			}
			got := strings.Join(objects, "---\n")
			got = regexp.MustCompile(`(?s)tnaml\.json: \|\n.*?\n(---|\z)`).ReplaceAllString(got, "tnaml.json: …\n$1")
			golden := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("not as %s (go test -update, and look at the difference):\n%s", golden, got)
			}
		})
	}
}

// decode decodes an object strictly as its kind, checks what must hold for it, and returns its
// kind and name.
func decode(t *testing.T, manifest string) string {
	t.Helper()
	var meta struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
	}
	if err := yaml.Unmarshal([]byte(manifest), &meta); err != nil {
		t.Fatalf("%v:\n%s", err, manifest)
	}
	key := meta.APIVersion + " " + meta.Kind + " " + meta.Metadata.Name
	var into any
	switch meta.APIVersion + " " + meta.Kind {
	case "v1 ConfigMap":
		into = new(core.ConfigMap)
	case "v1 Service":
		into = new(core.Service)
	case "v1 ServiceAccount":
		into = new(core.ServiceAccount)
	case "apps/v1 Deployment":
		into = new(apps.Deployment)
	case "policy/v1 PodDisruptionBudget":
		into = new(policy.PodDisruptionBudget)
	case "networking.k8s.io/v1 NetworkPolicy":
		into = new(networking.NetworkPolicy)
	case "monitoring.coreos.com/v1 ServiceMonitor":
		into = new(monitoring.ServiceMonitor)
	case "monitoring.coreos.com/v1 PrometheusRule":
		into = new(monitoring.PrometheusRule)
	case "keda.sh/v1alpha1 ScaledObject", "keda.sh/v1alpha1 TriggerAuthentication":
		checkKEDA(t, meta.Kind, manifest)
		return key
	default:
		t.Errorf("what is %s?", key)
		return key
	}
	if err := yaml.UnmarshalStrict([]byte(manifest), into); err != nil {
		t.Errorf("%s: %v", key, err)
	}
	if d, ok := into.(*apps.Deployment); ok {
		checkDeployment(t, d)
	}
	return key
}

// checkDeployment checks what must hold for each pod: no rights, a selector that is of its
// labels, mounts that are of its volumes, and no secret in the plain.
func checkDeployment(t *testing.T, d *apps.Deployment) {
	t.Helper()
	pod := d.Spec.Template.Spec
	for k, v := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[k] != v {
			t.Errorf("%s selects %s=%s, which its pods are not", d.Name, k, v)
		}
	}
	s := pod.SecurityContext
	if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil ||
		s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: security of the pod: %+v", d.Name, s)
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Errorf("%s has a token of the service account", d.Name)
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if v.HostPath != nil {
			t.Errorf("%s has the host's %s", d.Name, v.HostPath.Path)
		}
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil ||
			*s.AllowPrivilegeEscalation || s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") {
			t.Errorf("%s: security of %s: %+v", d.Name, c.Name, s)
		}
		if c.LivenessProbe == nil || c.ReadinessProbe == nil {
			t.Errorf("%s: %s is not probed", d.Name, c.Name)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s mounts %s, which is no volume", d.Name, m.Name)
			}
		}
		for _, e := range c.Env {
			secret := regexp.MustCompile(`KEY|TOKEN|SECRET`).MatchString(e.Name) && !strings.HasSuffix(e.Name, "_PATH")
			if secret && e.ValueFrom == nil {
				t.Errorf("%s has %s in the plain", d.Name, e.Name)
			}
		}
	}
}

// No worker is killed while it drains, and every other value that makes no sense is refused, with its name.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ values, want string }{
		{"terminationGracePeriodSeconds: 60",
			"is 60: a worker that drains for drainSeconds 300, with programs' grace of 0 s, would be killed; give at least 325"},
		{"drainSeconds: 600", "give at least 625"},
		{"{config: {trainers: {a: {command: [x]}}}, workers: [{name: a, slots: 1}]}", "give at least 355"},
		{"workers: [{name: a, slots: 1, config: {trainers: {a: {grace: 1m30.5s}, b: {grace: 1h}, c: {}}}}, {name: b, slots: 1}]",
			"grace of 3600 s, would be killed; give at least 3925"},
		{"workers: [{name: a, slots: 1, config: {trainers: {a: {grace: 1m30.5s}}}}]", "give at least 416"},
		{"drainSeconds: -1", "drainSeconds"},
		{"temporal: {address: temporal}", "address"},
		{"temporal: {address: ''}", "address"},
		{"temporal: {address: 'a:1', apiKey: {existingSecret: s, value: sk-123}}", "value"},
		{"s3: {endpoint: 'https://key:secret@s3'}", "endpoint"},
		{"s3: {endpoint: s3, accessKey: ''}", "accessKey"},
		{"s3: {endpoint: s3, secret_key: hunter2}", "secret_key"},
		{"config: {s3: {secret_key: hunter2}}", "s3"},
		{"workers: [{name: a, slots: 1, config: {s3: {access_key: x}}}]", "s3"},
		{"workers: []", "workers"},
		{"workers: [{name: a}]", "slots"},
		{"workers: [{name: a, slots: 0}]", "slots"},
		{"workers: [{name: a, slots: 1025}]", "slots"},
		{"workers: [{name: a, slots: 1, trainers: {boost: 1025}}]", "boost"},
		{"workers: [{name: A_b, slots: 1}]", "name"},
		{"workers: [{name: serve, slots: 1}]", "no group is named serve"},
		{"workers: [{name: a, slots: 1}, {name: a, slots: 2}]", "two groups are named a"},
		{"workers: [{name: a, slots: 1, trainers: {Boost: 1}}]", "Boost"},
		{"workers: [{name: a, slots: 1, replica: 2}]", "replica"},
		{"workers: [{name: a, slots: 1, autoscaling: {enabled: true, minReplicas: 20}}]", "more minReplicas than maxReplicas"},
		{"autoscaling: {enabled: true, scaleDown: demand}", "needs autoscaling.prometheus"},
		{"autoscaling: {scaleDown: never}", "scaleDown"},
		{"version: {deployment: tnaml}", "version.deployment and version.buildId go together"},
		{"version: {deployment: a.b, buildId: c}", "deployment"},
		{"podDisruptionBudget: {maxUnavailable: 0}", "maxUnavailable"},
		{"image: {digest: latest}", "digest"},
		{"metrics: {port: 80}", "port"},
		{"serve: {enabled: true}", "serve.tokenSecret"},
		{"temporal: {address: 'a:1', tls: {enabled: true, clientCertificate: true}}", "temporal.tls.existingSecret"},
		{"temporal: {address: 'a:1', apiKey: {existingSecret: s}}", "needs temporal.tls.enabled"},
		{"{temporal: {address: 'a:1', tls: {enabled: true}}, autoscaling: {enabled: true}}", "only with an API key or a client certificate"},
		{"serve: {token: abc}", "token"},
		{"unknown: 1", "unknown"},
	} {
		values := read(t, "least")
		var more map[string]any
		if err := yaml.Unmarshal([]byte(c.values), &more); err != nil {
			t.Fatal(err)
		}
		_, err := render(t, chartutil.CoalesceTables(more, values))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.values, err, c.want)
		}
	}
}

// A group's trials are counted on its own pods: not on those of a group whose name goes on from
// its own. Kubernetes cuts what comes before a pod's last five letters to 58.
func TestGroupsOfPods(t *testing.T) {
	values := read(t, "demand")
	long := strings.Repeat("l", 26)
	var groups []any
	for _, name := range []string{"a", "a-b", long} {
		groups = append(groups, map[string]any{"name": name, "slots": 1})
	}
	values["workers"] = groups
	objects, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	pods := map[string]string{
		"prod-a-7d9c5b6f48-x2k4p": "prod-a", "prod-a-b-7d9c5b6f48-x2k4p": "prod-a-b", "prod-" + long + "-7d9c5b6f48-x2k4p": "prod-" + long,
	}
	pattern := regexp.MustCompile(`pod=~\\"([^"]*)\\"`)
	seen := 0
	for _, o := range objects {
		if !strings.Contains(o, "kind: ScaledObject") {
			continue
		}
		seen++
		name := regexp.MustCompile(`(?m)^  name: (.*)$`).FindStringSubmatch(o)[1]
		for _, m := range pattern.FindAllStringSubmatch(o, -1) {
			for pod, of := range pods {
				if got := regexp.MustCompile("^(?:" + m[1] + ")$").MatchString(pod); got != (of == name) {
					t.Errorf("%s counts %s: %v", name, pod, got)
				}
			}
		}
	}
	if seen != 3 {
		t.Errorf("%d groups are scaled", seen)
	}
	// The longest name, whose hash is cut off.
	name := strings.Repeat("r", 30) + "-" + long
	made := strings.TrimPrefix(pattern.FindStringSubmatch(strings.Join(objects, ""))[1], "prod-a")
	if !regexp.MustCompile("^(?:" + name + made + ")$").MatchString((name + "-7d9c5b6f48-")[:58] + "x2k4p") {
		t.Errorf("a pod of %s is not counted", name)
	}
}

// What the chart gives worker and starter is what they take: each is started with its rendered
// arguments, configuration and environment, and gets as far as a Temporal server that is not there.
func TestArgumentsAreThePrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the programs")
	}
	programs := t.TempDir()
	build := exec.Command("go", "build", "-o", programs+"/", "./worker", "./starter")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range cases {
		values := read(t, name)
		values["temporal"].(map[string]any)["address"] = "127.0.0.1:1"
		objects, err := render(t, values)
		if err != nil {
			t.Fatal(err)
		}
		configs := map[string]string{}
		tried := 0
		for _, o := range objects {
			var c core.ConfigMap
			if yaml.UnmarshalStrict([]byte(o), &c) == nil && c.Kind == "ConfigMap" {
				configs[c.Name] = c.Data["tnaml.yaml"]
			}
		}
		for _, o := range objects {
			var d apps.Deployment
			if yaml.UnmarshalStrict([]byte(o), &d) != nil || d.Kind != "Deployment" {
				continue
			}
			tried++
			t.Run(name+"/"+d.Name, func(t *testing.T) {
				t.Parallel()
				start(t, programs, d, configs[d.Name])
			})
		}
		if tried == 0 {
			t.Errorf("%s: no deployment", name)
		}
	}
}

// start starts a deployment's container here, with its paths in a directory of the test.
func start(t *testing.T, programs string, d apps.Deployment, config string) {
	dir := t.TempDir()
	for name, body := range map[string]string{"config/tnaml.yaml": config, "token/token": strings.Repeat("t", 40)} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here := func(s string) string {
		s = strings.ReplaceAll(s, "/etc/tnaml", dir)
		return strings.ReplaceAll(strings.ReplaceAll(s, "/var/lib/tnaml", filepath.Join(dir, "data")), "=:", "=127.0.0.1:")
	}
	c := d.Spec.Template.Spec.Containers[0]
	var args []string
	for _, a := range c.Args {
		if strings.HasPrefix(a, "--metrics=") { // others may have the port
			a = "--metrics=127.0.0.1:0"
		}
		args = append(args, here(a))
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, filepath.Base(c.Command[0])), args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	for _, e := range c.Env {
		switch {
		case strings.HasPrefix(e.Name, "TEMPORAL_TLS"): // its files are not here
		case e.ValueFrom != nil:
			cmd.Env = append(cmd.Env, e.Name+"=by-reference")
		default:
			cmd.Env = append(cmd.Env, e.Name+"="+e.Value)
		}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "no Temporal server answers at 127.0.0.1:1") {
		t.Errorf("%s %s: %v\n%s", c.Command[0], strings.Join(args, " "), err, out)
	}
	if strings.Contains(string(out), "WARN") {
		t.Errorf("it warns:\n%s", out)
	}
}

// Helm's default values are those of the least case, but for what has no default.
func TestValuesAreDocumented(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(b, &values); err != nil {
		t.Fatal(err)
	}
	b, err = os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&schema); err != nil {
		t.Fatal(err)
	}
	for key := range schema.Properties {
		if _, ok := values[key]; !ok && key != "global" {
			t.Errorf("values.yaml does not show %s", key)
		}
	}
}
