package activities

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/experiments/trainer/schema"
)

var update = flag.Bool("update", false, "rewrite the schemas")

// The schemas of the trainers' contract are those of the Go types.
func TestSchemas(t *testing.T) {
	comments := fieldComments(t, "../experiments/trainer/contract.go", "../experiments/space/types.go", "../experiments/search/types.go")
	for name, s := range map[string]*jsonschema.Schema{
		"request": schemaOf[trainer.Request](t), "progress": schemaOf[trainer.Progress](t), "outcome": schemaOf[TrialResult](t),
	} {
		switch name {
		case "request":
			s.Title = "A trial to run (trainer.Request)"
			describe(s, comments["Request"])
			describe(s.Properties["task"], comments["Task"])
			describe(s.Properties["limits"], comments["Limits"])
			describe(s.Properties["objective"], comments["Objective"])
		case "progress":
			s.Title = "How far a trial is: the first detail of a heartbeat (trainer.Progress)"
			describe(s, comments["Progress"])
			s.Properties["process"] = &jsonschema.Schema{Type: "string", Description: "Names the process that runs the trial, like no other."}
			s.Properties["ended"] = &jsonschema.Schema{Type: "boolean",
				Description: "The training is over, and what it left on its way: a process that dies now did not die of it."}
		case "outcome":
			s.Title = "What a trial gave: the result of the activity (trainer.Outcome, with its cost)"
			describe(s, comments["Outcome"])
			cost := s.Properties["cost"]
			describe(cost, comments["Cost"])
			cost.Required, s.Required = nil, []string{"status"}
			delete(cost.Properties, "trial") // the platform's own
		}
		s.Schema = "https://json-schema.org/draft/2020-12/schema"
		b, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, '\n')
		file := filepath.Join("../experiments/trainer/schema", name+".json")
		if *update {
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if have, err := schema.Of(name); err != nil || string(have) != string(b) {
			t.Errorf("%s is not that of the Go types: go test ./activities -run TestSchemas -update (%v)", file, err)
		}
	}
}

// The examples of FORMAT.md are of their schemas, and what breaks the contract is not.
func TestExamplesAreOfTheirSchemas(t *testing.T) {
	text, err := os.ReadFile("../experiments/trainer/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?m)^## (.*)$`)
	fence := regexp.MustCompile("(?s)```json\n(.*?)```")
	seen := map[string]int{}
	places := section.FindAllStringSubmatchIndex(string(text), -1)
	for i, p := range places {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		name := strings.ToLower(string(text[p[2]:p[3]]))
		if _, err := schema.Of(name); err != nil {
			continue
		}
		for _, m := range fence.FindAllSubmatch(text[p[1]:end], -1) {
			seen[name]++
			if err := valid(t, name, string(m[1])); err != nil {
				t.Errorf("%s: %v\n%s", name, err, m[1])
			}
		}
	}
	for _, name := range schema.Names() {
		if seen[name] == 0 {
			t.Errorf("no example of %s", name)
		}
	}
	for name, bad := range map[string]string{
		"outcome":  `{"status": "perfect", "metrics": {"accuracy": 0.9}}`,
		"progress": `{"step": "many"}`,
		"request":  `{"task": {"name": "churn"}, "choices": {}, "objective": {"metric": "rmse", "direction": "minimise"}}`,
	} {
		if valid(t, name, bad) == nil {
			t.Errorf("%s takes %s", name, bad)
		}
	}
	if valid(t, "outcome", `{"status": "ok", "metrics": {"accuracy": null}}`) == nil {
		t.Error("a metric may be null")
	}
}

func valid(t *testing.T, name, example string) error {
	t.Helper()
	b, err := schema.Of(name)
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal([]byte(example), &value); err != nil {
		t.Fatal(err)
	}
	return r.Validate(value)
}

// schemaOf is the schema of a type: what the type does not say comes from the contract's
// words, and a reader leaves alone what it does not know.
func schemaOf[T any](t *testing.T) *jsonschema.Schema {
	t.Helper()
	statuses := &jsonschema.Schema{Type: "string"}
	for _, s := range trainer.Statuses() {
		if s != trainer.Lost && s != trainer.Infeasible { // those are the search's to say
			statuses.Enum = append(statuses.Enum, s)
		}
	}
	s, err := jsonschema.For[T](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[trainer.Status]():  statuses,
		reflect.TypeFor[space.Direction](): {Type: "string", Enum: []any{space.Maximise, space.Minimise}},
		reflect.TypeFor[json.RawMessage](): {Type: "object"},
		// A step and a value.
		reflect.TypeFor[trainer.Point](): {
			Type: "array", PrefixItems: []*jsonschema.Schema{{Type: "integer"}, {Type: "number"}},
			MinItems: jsonschema.Ptr(2), MaxItems: jsonschema.Ptr(2),
		},
		reflect.TypeFor[map[string]float64](): {Type: "object", AdditionalProperties: &jsonschema.Schema{Type: "number"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	open(s)
	return s
}

// open lets objects have other properties, and pointers be absent rather than null.
func open(s *jsonschema.Schema) {
	if len(s.Properties) > 0 {
		s.AdditionalProperties = nil
	}
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	for _, p := range s.Properties {
		open(p)
	}
	if s.Items != nil {
		open(s.Items)
	}
}

// describe gives properties the words of their fields.
func describe(s *jsonschema.Schema, words map[string]string) {
	for name, p := range s.Properties {
		if text := words[name]; text != "" {
			p.Description = text
		}
	}
}

// fieldComments are the comments of structs' fields, by type and JSON name.
func fieldComments(t *testing.T, files ...string) map[string]map[string]string {
	t.Helper()
	tag := regexp.MustCompile(`json:"([^",]+)`)
	out := map[string]map[string]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			fields, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			words := map[string]string{}
			for _, field := range fields.Fields.List {
				if m := tag.FindStringSubmatch(tagOf(field)); m != nil {
					words[m[1]] = strings.Join(strings.Fields(field.Doc.Text()), " ")
				}
			}
			out[spec.Name.Name] = words
			return true
		})
	}
	return out
}

func tagOf(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	return f.Tag.Value
}
