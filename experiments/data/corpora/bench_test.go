package corpora

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkTable reads tables with many rows that are not wanted, as the
// consumer complaints are, and with columns that are not.
func BenchmarkTable(b *testing.B) {
	for _, c := range []struct {
		name   string
		recipe Recipe
		row    string
	}{
		{"csv", Recipe{As: Table, Parts: []Part{{}}, Where: []Condition{{Column: "text", Filled: true}}},
			"%[1]d,\"Credit reporting, or other\",%[2]s,label %[3]d,Company,FL,330XX\n"},
		{"tabs", Recipe{As: Table, Parts: []Part{{}}, Delimiter: "\t", Literal: true,
			Columns: []string{"id", "product", "text", "label", "a", "b", "c"}},
			"%[1]d\tNews\ta headline of %[1]d words\tb\thttp://address.example/path\tReuters\t1394470370698\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var t bytes.Buffer
			if len(c.recipe.Columns) == 0 {
				t.WriteString("id,product,text,label,a,b,c\n")
			}
			rows := 0
			for ; t.Len() < 16<<20; rows++ {
				text := ""
				if rows%4 == 0 {
					text = "\"I have had trouble with \"\"them\"\", over and over\nand nobody answers\""
				}
				fmt.Fprintf(&t, c.row, rows, text, rows%7)
			}
			s := []Source{source("t", t.Bytes())}
			b.SetBytes(int64(t.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := c.recipe.Examples(s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
