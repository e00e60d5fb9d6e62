package catalog

import "testing"

// Eight, six English and two Spanish, with names of their own (§4 and Appendix).
func TestModules(t *testing.T) {
	languages, names := map[string]int{}, map[string]bool{}
	for _, m := range Modules() {
		languages[m.Language]++
		ways := 0
		if m.Train != nil {
			ways++
			if m.File == "" || m.Train.Dim < 1 || m.Train.Method == "" {
				t.Errorf("%s: trained without a file, a method or a length: %+v", m.Name, m)
			}
		}
		if m.Derive != nil {
			ways++
			if m.File != "" || len(m.Derive.From) == 0 {
				t.Errorf("%s: derived of a file, or of nothing: %+v", m.Name, m)
			}
			for _, part := range m.Derive.From {
				if !names[part] {
					t.Errorf("%s: its part %s does not stand before it", m.Name, part)
				}
			}
		}
		if ways == 0 && (m.File == "" || m.Source == "") || ways > 1 || names[m.Name] {
			t.Errorf("%+v", m)
		}
		names[m.Name] = true
	}
	if languages["en"] != 6 || languages["es"] != 2 || len(names) != 8 {
		t.Errorf("%v", languages)
	}
}
