package search

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"tnaml/experiments/search/strategy"
)

// The examples of FORMAT.md are what they say: each decodes strictly into its
// type and comes out again as it went in.
func TestFormatExamples(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(b), -1)
	types := []any{
		&Trial{}, &state{}, &strategy.NAMLSettings{}, &strategy.FixedSettings{}, &strategy.FixedSettings{}, &strategy.TPESettings{},
		&strategy.EvolutionSettings{}, &strategy.CopulaSettings{}, &strategy.PortfolioSettings{}, &strategy.BoxSettings{},
		&strategy.KindredSettings{}, &strategy.GuidedSettings{},
	}
	if len(examples) != len(types) {
		t.Fatalf("%d examples for %d types", len(examples), len(types))
	}
	for i, v := range types {
		d := json.NewDecoder(strings.NewReader(examples[i][1]))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			t.Errorf("%v\n%s", err, examples[i][1])
			continue
		}
		var want, got any
		encoded := must(json.Marshal(v))(t)
		if json.Unmarshal([]byte(examples[i][1]), &want) != nil || json.Unmarshal(encoded, &got) != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("it comes out as\n%s\nof\n%s", encoded, examples[i][1])
		}
	}
	for i, name := range map[int]string{2: strategy.NAML, 5: strategy.TPE, 6: strategy.Evolution, 11: strategy.Guided} {
		defaults := must(strategy.ParseSettings(name, nil))(t)
		if got := must(strategy.ParseSettings(name, json.RawMessage(examples[i][1])))(t); string(got) != string(defaults) {
			t.Errorf("the example of %s's settings is %s, the defaults are %s", name, got, defaults)
		}
	}
}
