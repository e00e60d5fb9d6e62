package test

import (
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins" // Grafana's types of its panels
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"   // and of its dashboards
)

// The dashboard is what Grafana's own types take: no field that they do not know, none missing that
// they ask for.
func TestDashboardIsGrafanas(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	b, err := os.ReadFile("../tnaml/files/tnaml.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard.Dashboard
	if err := d.UnmarshalJSONStrict(b); err != nil && err.Error() != "" { // an empty list of problems is none
		t.Error(err)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	if len(d.Panels) == 0 {
		t.Error("there are no panels")
	}
}
