package strategy_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A strategy is added in one file and one row of the table: the go command is
// given the program with both (an overlay: no file of it is touched), and the
// suite of strategies and the search's own tests, which go by the table, run
// searches with it by its name, restored on the way.
func TestAStrategyIsOneFileAndOneRow(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds two packages' tests")
	}
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	table, err := os.ReadFile("strategy.go")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(here, "climber.go"):  filepath.Join(here, "testdata", "climber.go"),
		filepath.Join(here, "strategy.go"): write("strategy.go", addRow(t, table, "hillClimber")),
	}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-overlay", write("overlay.json", overlay), "-vet=off", "-count=1", "-v",
		"-run", "^(TestConformance|TestRestoreChangesNothing)$/^climber", ".", "..")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"--- PASS: TestConformance/climber/saving_and_restoring_changes_nothing", "--- PASS: TestRestoreChangesNothing/climber_lag_1",
		"--- PASS: TestRestoreChangesNothing/climber_lag_5",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
}

// addRow adds a row to the table of Builtin in a source file.
func addRow(t *testing.T, source []byte, row string) []byte {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "strategy.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	end := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok {
			return f.Name.Name == "Builtin"
		}
		if l, ok := n.(*ast.CompositeLit); ok {
			if name, ok := l.Type.(*ast.Ident); ok && name.Name == "Table" {
				end = files.Position(l.Elts[len(l.Elts)-1].End()).Offset
			}
		}
		return true
	})
	if end == 0 {
		t.Fatal("no Table in Builtin")
	}
	return slices.Concat(source[:end], []byte(", "+row), source[end:])
}
