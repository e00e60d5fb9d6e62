package catalog

import "testing"

// Eight, six English and two Spanish, with names of their own (§4 and Appendix).
func TestModules(t *testing.T) {
	languages, names := map[string]int{}, map[string]bool{}
	for _, m := range Modules() {
		languages[m.Language]++
		if names[m.Name] || m.File == "" || m.Train == nil && m.Source == "" || m.Train != nil && (m.Train.Dim < 1 || m.Train.Method == "") {
			t.Errorf("%+v", m)
		}
		names[m.Name] = true
	}
	if languages["en"] != 6 || languages["es"] != 2 || len(names) != 8 {
		t.Errorf("%v", languages)
	}
}
