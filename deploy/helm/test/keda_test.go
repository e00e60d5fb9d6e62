package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// keda is the version whose types the chart is checked against: its resource definitions and
// its list of the scalers' parameters are read from its module. Its Go types would bring the
// whole of controller-runtime to be built, and say nothing of a trigger's parameters.
const keda = "github.com/kedacore/keda/v2@v2.21.0"

var kedaDir = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", keda)
	cmd.Dir = os.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	var module struct{ Dir string }
	return module.Dir, json.Unmarshal(out, &module)
})

func kedaFile(t *testing.T, name string) []byte {
	t.Helper()
	dir, err := kedaDir()
	if err != nil {
		t.Fatalf("%s: %v", keda, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkKEDA checks an object of KEDA's against the schema of its kind, where nothing unknown is
// taken, and its triggers' parameters against those of the scalers.
func checkKEDA(t *testing.T, kind, manifest string) {
	t.Helper()
	var definition struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal(kedaFile(t, "config/crd/bases/keda.sh_"+strings.ToLower(kind)+"s.yaml"), &definition); err != nil {
		t.Fatal(err)
	}
	schema := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
	closed(schema)
	schema["properties"].(map[string]any)["metadata"] = map[string]any{"type": "object"}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("keda.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("keda.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := yaml.YAMLToJSONStrict([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	object, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(object); err != nil {
		t.Errorf("%s: %v", kind, err)
	}
	if kind == "ScaledObject" {
		checkTriggers(t, b)
	}
}

// closed makes a schema refuse what it does not name.
func closed(schema map[string]any) {
	if properties, ok := schema["properties"].(map[string]any); ok {
		if _, there := schema["additionalProperties"]; !there && schema["x-kubernetes-preserve-unknown-fields"] != true {
			schema["additionalProperties"] = false
		}
		for _, p := range properties {
			closed(p.(map[string]any))
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if s, ok := schema[key].(map[string]any); ok {
			closed(s)
		}
	}
	if schema["x-kubernetes-int-or-string"] == true {
		delete(schema, "pattern") // it is of the string alone
	}
	delete(schema, "format") // int32 and the like, which JSON Schema has not
}

// checkTriggers checks the triggers' parameters: known, and none that KEDA is about to drop.
func checkTriggers(t *testing.T, object []byte) {
	t.Helper()
	var scalers struct {
		Scalers []struct {
			Type       string
			Parameters []struct {
				Name, Deprecated string
				Optional         bool
				Default          string
				Readable         bool `json:"metadataVariableReadable"`
			}
		}
	}
	if err := json.Unmarshal(kedaFile(t, "schema/generated/scalers-schema.json"), &scalers); err != nil {
		t.Fatal(err)
	}
	var scaled struct {
		Spec struct {
			Triggers []struct {
				Type     string
				Metadata map[string]string
			}
		}
	}
	if err := json.Unmarshal(object, &scaled); err != nil {
		t.Fatal(err)
	}
	if len(scaled.Spec.Triggers) == 0 {
		t.Error("no triggers")
	}
	for _, trigger := range scaled.Spec.Triggers {
		known := map[string]bool{}
		for _, s := range scalers.Scalers {
			if s.Type != trigger.Type {
				continue
			}
			for _, p := range s.Parameters {
				known[p.Name] = p.Deprecated == "" && p.Readable
				if _, there := trigger.Metadata[p.Name]; !there && known[p.Name] && !p.Optional && p.Default == "" {
					t.Errorf("trigger %s lacks %s", trigger.Type, p.Name)
				}
			}
		}
		for name := range trigger.Metadata {
			if !known[name] {
				t.Errorf("trigger %s has no %s, or not for long", trigger.Type, name)
			}
		}
	}
}
