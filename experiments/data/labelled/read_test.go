package labelled

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive/archivetest"
	"tnaml/experiments/data/text"
)

func zipped(s string) string { return string(archivetest.Gzip([]byte(s))) }

// examplesOf makes examples of their texts, labels and splits in turn.
func examplesOf(v ...string) (out []text.Example) {
	for r := range slices.Chunk(v, 3) {
		out = append(out, text.Example{Text: r[0], Label: r[1], Split: r[2]})
	}
	return out
}

func TestRead(t *testing.T) {
	ab := []text.Example{{Text: "one text", Label: "a"}, {Text: "another", Label: "b"}}
	for _, c := range []struct {
		name, file, input string
		o                 Options
		want              []text.Example
	}{
		{"TSV", "x.tsv", "text\tlabel\none text\ta\nanother\tb\n", Options{}, ab},
		{"other order, other columns, no final newline", "x.tab", "id\tlabel\ttext\n1\ta\tone text\n2\tb\tanother", Options{}, ab},
		{"CRLF, byte order mark, empty line, white space", "X.TSV", "\ufefftext\t label \r\n one text\ta\r\n\r\nanother \t b \r\n", Options{},
			ab},
		{"gzip", "x.tsv.gz", zipped("text\tlabel\none text\ta\nanother\tb\n"), Options{}, ab},
		{"gzip without the ending", "x.tsv", zipped("text\tlabel\none text\ta\nanother\tb\n"), Options{}, ab},
		{"plain with gzip's ending", "x.tsv.gz", "text\tlabel\none text\ta\nanother\tb\n", Options{}, ab},
		{"chosen format and columns", "x.dat", "Body\tstars\none text\ta\nanother\tb\n",
			Options{Format: TSV, TextColumn: "Body", LabelColumn: "stars"}, ab},
		{"no quoting in TSV", "x.tsv", "text\tlabel\n\"one\" \"text\ta\n", Options{}, []text.Example{{Text: "\"one\" \"text", Label: "a"}}},
		{"empty text", "x.tsv", "text\tlabel\n\ta\n", Options{}, []text.Example{{Label: "a"}}},
		{"splits", "x.tsv", "split\tlabel\ttext\ntrain\ta\t1\nVALIDATION\ta\t2\ndev\ta\t3\nVal\ta\t4\nvalid\ta\t5\ntest \ta\t6\n\ta\t7\n",
			Options{},
			examplesOf("1", "a", data.Train, "2", "a", data.Validation, "3", "a", data.Validation, "4", "a", data.Validation, "5", "a",
				data.Validation, "6", "a", data.Test, "7", "a", "")},
		{"longer words for splits", "x.tsv", "text\tlabel\tsplit\n1\ta\tTraining\n2\ta\ttesting\n", Options{},
			examplesOf("1", "a", data.Train, "2", "a", data.Test)},
		{"carriage returns", "x.tsv", "text\tlabel\rone text\ta\ranother\tb\r", Options{}, ab},
		{"carriage returns in CSV", "x.csv", "text,label\rone text,a\r\"another\",b", Options{}, ab},
		{"chosen split column", "x.tsv", "part\tsplit\tlabel\ttext\ntest\tnonsense\ta\t1\n", Options{SplitColumn: "part"},
			examplesOf("1", "a", data.Test)},

		{"no header", "x.tsv", "a\tone text\nb\tanother\n", Options{Columns: []string{"label", "text"}}, ab},
		{"no header, by the first line", "SMSSpamCollection", "a\tone text\nb\tanother\n", Options{Columns: []string{"label", "text"}}, ab},
		{"CSV without a header", "x.csv", "1;one text;a\n2;another;b\n", Options{Columns: []string{"id", "body", "label"}, TextColumn: "body"},
			ab},
		{"semicolons", "x.csv", "id;text;label\n1;one text;a\n2;another;b\n", Options{}, ab},
		{"bars", "x.csv", "id|text|label\n1|one text|a\n2|another|b\n", Options{}, ab},
		{"tabs in CSV", "x.csv", "label\ttext, it is\ttext\na\t1\t\"one text\"\nb\t2\tanother", Options{}, ab},
		{"a delimiter", "x.csv", "text~label\none text~a\nanother~b\n", Options{Delimiter: "~"}, ab},
		{"a delimiter of TSV", "x.tsv", "text::label\n", Options{Columns: []string{"text", "x", "label"}, Delimiter: ":"},
			[]text.Example{{Text: "text", Label: "label"}}},
		{"zstd", "x.csv.zst", string(pack("zst", []byte("text,label\none text,a\nanother,b\n"))), Options{}, ab},
		{"zstd without the ending", "x.csv", string(pack("zst", []byte("text,label\none text,a\nanother,b\n"))), Options{}, ab},
		{"JSONL by the first line", "x.json", `{"text":"one text","label":"a"}` + "\n" + `{"text":"another","label":"b"}`, Options{}, ab},
		{"a JSON array", "x.json", "[\n  {\"text\":\"one text\",\"label\":\"a\"},\n  {\"text\":\"another\",\n\"label\":\"b\"}\n]\n", Options{},
			ab},
		{"a dotted path", "x.jsonl", `{"doc":{"a":{"b":"one text"}},"label":"a"}` + "\n" + `{"doc":{"a":{"b":"another"}},"label":"b"}`,
			Options{TextColumn: "doc.a.b"}, ab},
		{"the split given", "x.tsv", "text\tlabel\tsplit\n1\ta\t\n2\ta\ttest\n", Options{Split: data.Train},
			examplesOf("1", "a", data.Train, "2", "a", data.Test)},

		{"CSV", "x.csv", "text,label\none text,a\nanother,b\n", Options{}, ab},
		{"CSV quoting", "x.csv", "label,text\r\na,\"one, \"\"two\"\"\nthree\"\r\n\"b\",x\r\n", Options{},
			[]text.Example{{Text: "one, \"two\"\nthree", Label: "a"}, {Text: "x", Label: "b"}}},
		{"CSV with splits, gzip", "x.csv.gz", zipped("text,label,split\n1,a,dev\n2,b,\n"), Options{},
			examplesOf("1", "a", data.Validation, "2", "b", "")},

		{"JSONL", "x.jsonl", `{"text":"one text","label":"a"}` + "\n" + `{"label":"b","text":"another","more":[1,{}]}`, Options{}, ab},
		{"JSON lines' labels", "x.ndjson",
			`{"text":"1","label":1.50}` + "\n\n" + `{"text":"2","label":true,"split":"dev"}` + "\r\n" +
				`{"text":"3\né","label":"x","split":null}` + "\n", Options{},
			examplesOf("1", "1.5", "", "2", "true", data.Validation, "3\né", "x", "")},
		{"chosen members", "x.jsonl.gz", zipped(`{"t":"one text","l":"a"}` + "\n" + `{"t":"another","l":"b"}`),
			Options{TextColumn: "t", LabelColumn: "l"}, ab},
	} {
		got, err := Read(strings.NewReader(c.input), c.file, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		name, file, input string
		o                 Options
		want              []string
	}{
		{"nothing", "x.tsv", "", Options{}, []string{"x.tsv", "no examples"}},
		{"a header alone", "x.csv", "text,label\n", Options{}, []string{"no examples"}},
		{"no ending", "x", "text\na b\n", Options{}, []string{"cannot tell the format", ".jsonl", "give the format"}},
		{"unknown format", "x.tsv", "text\tlabel\na\tb\n", Options{Format: "xml"}, []string{`unknown format "xml"`, "tsv, csv, jsonl"}},
		{"missing columns", "x.tsv", "body\tstars\na\tb\n", Options{},
			[]string{"line 1", `no column "text"`, `no column "label"`, `"body" "stars"`}},
		{"missing split column", "x.csv", "text,label\na,b\n", Options{SplitColumn: "part"}, []string{`no column "part"`}},
		{"column twice", "x.tsv", "text\tlabel\ttext\na\tb\tc\n", Options{}, []string{`column "text"`, "there twice"}},
		{"a guess", "x.csv", "id,Tweet text,airline_sentiment\n1,a,b\n", Options{},
			[]string{`no column "text"`, `did you mean "Tweet text"?`, `did you mean "airline_sentiment"?`}},
		{"a guess of the case", "x.tsv", "Body\tbody text\tStars\n1\ta\tb\n", Options{TextColumn: "BODY", LabelColumn: "y"},
			[]string{`did you mean "Body"?`, `did you mean "Stars"?`}},
		{"a guess of members", "x.jsonl", `{"review":"x","category":1}`, Options{},
			[]string{`no member "text"; the members are ["category" "review"]; did you mean "review"?`, `did you mean "category"?`}},
		{"a recorded benchmark", "x.json", `{"metrics":["score"],"effects":{"score":{"intercept":1}}}`, Options{},
			[]string{"a recorded benchmark has these: --kind table reads one"}},
		{"one column for both", "x.tsv", "text\tlabel\na\tb\n", Options{LabelColumn: "text"}, []string{"cannot be both text and label"}},
		{"a header and columns", "x.csv", "label,text\na,b\n", Options{Columns: []string{"label", "text"}},
			[]string{"line 1: the first line is a header"}},
		{"columns of another number", "x.csv", "a,b\nc,d,e\n", Options{Columns: []string{"label", "text", "id"}},
			[]string{"line 1: 2 columns, 3 names were given", "comma"}[:1]},
		{"columns without the label", "x.tsv", "a\tb\n", Options{Columns: []string{"class", "text"}},
			[]string{`no column "label"`, `did you mean "class"?`}},
		{"a text for a header", "x.tsv", strings.Repeat("so long a text ", 999) + "\ta\n", Options{},
			[]string{`so long a text so long a text so long a text so long a text…" "a"]` + "\n" + `line 1: no column "label"`}},
		{"columns of JSON", "x.jsonl", "{}", Options{Columns: []string{"class", "text"}}, []string{"give no columns"}},
		{"a delimiter of JSON", "x.jsonl", "{}", Options{Delimiter: ";"}, []string{"or delimiter"}},
		{"a delimiter of two", "x.csv", "a,b\n", Options{Delimiter: ",,"}, []string{`a delimiter of ",,"`}},
		{"a quote for a delimiter", "x.tsv", "a,b\n", Options{Delimiter: `"`}, []string{`a delimiter of "\""`}},
		{"unknown split given", "x.tsv", "text\tlabel\na\tb\n", Options{Split: "all"}, []string{`unknown split "all"`}},
		{"a JSON array cut off", "x.json", "[{\"text\":\"a\",\"label\":1},\n{\"text\":\"b\"", Options{},
			[]string{"line 2: not a JSON array of objects: unexpected EOF"}},
		{"a JSON array without its end", "x.json", "[{\"text\":\"a\",\"label\":1},\n{\"text\":\"b\",\"label\":1}\n", Options{},
			[]string{"line 3: not a JSON array of objects: unexpected EOF"}},
		{"a JSON array with something after it", "x.json", "[{\"text\":\"a\",\"label\":1}]\n[]", Options{},
			[]string{"line 2: not a JSON array", "something follows"}},
		{"a JSON array of arrays", "x.json", "[\n[1]]", Options{}, []string{"line 2: not a JSON object"}},
		{"a damaged JSON array", "x.json", "[\n{\"text\":\"a\",\"label\":1},\n\n{\"text\":a}\n]", Options{},
			[]string{"line 4: not a JSON array of objects: invalid character 'a'"}},
		{"a JSON array's members", "x.json", "[\n{\"text\":\"a\",\"label\":1},\n {\n\"text\":\"b\"}]", Options{},
			[]string{"line 3: no member \"label\""}},
		{"too many columns", "x.tsv", "text\tlabel\na\tb\n\na\tb\tc\n", Options{}, []string{"line 4", "3 columns, the header has 2", "CSV"}},
		{"empty labels", "x.tsv", "text\tlabel\na\t\nb\tx\nc\t \n", Options{}, []string{`line 2, column "label": empty label`, "line 4"}},
		{"unknown split", "x.tsv", "text\tlabel\tsplit\na\tb\tholdout\n", Options{},
			[]string{`line 2, column "split"`, `"holdout"`, "known: train"}},
		{"text not UTF-8", "x.tsv", "text\tlabel\na\tb\ncaf\xe9\tc\n", Options{}, []string{"line 3: byte 4 is not valid UTF-8", "give its name"}},
		{"label not UTF-8", "x.csv", "text,label\na,\xff\n", Options{}, []string{"line 2: byte 3 is not valid UTF-8"}},

		{"CSV, other number of columns", "x.csv", "text,label\na,b\n\"c\nd\",e,f\ng,h\n", Options{},
			[]string{"line 3", "3 columns, the header has 2", "quoted"}},
		{"CSV, bare quote", "x.csv", "text,label\na,b\nc\"d,e\n", Options{}, []string{"line 3", "byte", "written twice"}},
		{"CSV, quote never closed", "x.csv", "text,label\na,b\n\"c,d\n", Options{}, []string{"line 3"}},
		{"CSV, bad header", "x.csv", "te\"xt,label\n", Options{}, []string{"line 1", "header"}},
		{"CSV, empty label after a long text", "x.csv", "text,label\n\"a\nb\nc\",x\nd,\n", Options{}, []string{`line 5, column "label"`}},

		{"no JSON", "x.jsonl", "{\"text\":\"a\",\"label\":\"b\"}\nhello\n", Options{}, []string{"line 2", "not a JSON object"}},
		{"JSON array", "x.jsonl", "[1,2]\n", Options{}, []string{"line 1: not a JSON object: it is of the type number"}},
		{"missing member", "x.jsonl", "{\"text\":\"a\",\"stars\":1}\n", Options{}, []string{"line 1", `no member "label"`, `"stars" "text"`}},
		{"missing split member", "x.jsonl", "{\"text\":\"a\",\"label\":1}\n", Options{SplitColumn: "part"}, []string{`no member "part"`}},
		{"text a number", "x.jsonl", "{\"text\":7,\"label\":1}\n", Options{}, []string{`line 1, column "text"`, "must be a string, not 7"}},
		{"label an object", "x.jsonl", "{\"text\":\"a\",\"label\":{}}\n", Options{}, []string{`column "label"`, "must be a string"}},
		{"label null", "x.jsonl", "{\"text\":\"a\",\"label\":null}\n", Options{}, []string{"empty label"}},

		{"zstd damaged", "x.tsv.zst", "\x28\xb5\x2f\xfdno", Options{}, []string{"zstd: "}},
		{"zstd cut off", "x.tsv.zst", string(pack("zst", []byte("text\tlabel\na\tb\n"))[:20]), Options{},
			[]string{"zstd: damaged at or before byte 20", "cut off"}},
		{"a zstd bomb", "x.tsv", string(pack("zst", bytes.Repeat([]byte("a"), 1<<20))), Options{MaxBytes: 1 << 19},
			[]string{"more than 524288 bytes"}},
		{"gzip damaged", "x.tsv.gz", "\x1f\x8bno", Options{}, []string{"gzip"}},
		{"gzip cut off", "x.tsv.gz", zipped("text\tlabel\na\tb\n")[:20], Options{}, []string{"unexpected EOF"}},
		{"too long", "x.tsv", "text\tlabel\na\tb\n", Options{MaxBytes: 14}, []string{"more than 14 bytes"}},
		{"a gzip bomb", "x.tsv", zipped(strings.Repeat("a", 1<<20)), Options{MaxBytes: 1 << 19}, []string{"more than 524288 bytes"}},
		{"many problems", "x.tsv", "text\tlabel\n" + strings.Repeat("a\t\n", 25), Options{}, []string{"line 2,", "line 11,", "and 15 more"}},
	} {
		got, err := Read(strings.NewReader(c.input), c.file, c.o)
		if err == nil || got != nil {
			t.Errorf("%s: accepted: %v", c.name, got)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
	}
	if _, err := Read(strings.NewReader("text\tlabel\na\tb\n"), "x.tsv", Options{MaxBytes: 15}); err != nil {
		t.Errorf("just as long as allowed: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"text\tlabel\tsplit\na b\tx\tdev\nc\ty\t\n", "text,label\n\"a\n\"\"b\"\"\",x\nc,y\n",
		`{"text":"a","label":1}` + "\n" + `{"text":"\ud800","label":false,"split":"test"}`, zipped("text\tlabel\na\tb\n"),
		"\ufefftext\tlabel\r\n\xff\ty\r\n",
	} {
		for _, format := range []string{"tsv", "csv", "jsonl"} {
			f.Add([]byte(s), format)
		}
	}
	f.Add([]byte("[{\"text\":\"a\",\n\"label\":1},{}]"), "jsonl")
	f.Add(pack("zst", []byte("text\tlabel\na\tb\n")), "tsv")
	f.Fuzz(func(t *testing.T, b []byte, format string) {
		checkRead(t, func(o Options) ([]text.Example, error) { return Read(bytes.NewReader(b), "x."+format, o) })
		checkRead(t, func(o Options) ([]text.Example, error) {
			o.Columns = []string{"text", "label"}
			return Read(bytes.NewReader(b), "x."+format, o)
		})
	})
}

// The report says what the source is, where reading fails too.
func TestReport(t *testing.T) {
	for _, c := range []struct {
		file, input string
		want        Report
	}{
		{"x.csv", "n;text;label;x;b\n1;a b;2.5;;true\n2;;x;;false\n",
			Report{Name: "x.csv", Format: CSV, Delimiter: ";", Rows: 2, Empty: 1, Encoding: Encoding{"utf-8", "valid", 1}, Columns: []Column{
				{"n", "integer", "1", ""}, {"text", "text", "a b", "text"}, {"label", "text", "2.5", "label"}, {"x", "empty", "", ""},
				{"b", "boolean", "true", ""}}}},
		{"x.tsv.gz", zipped("text\tlabel\n1\t1\n2.5\t2\n"),
			Report{Name: "x.tsv.gz", Format: TSV, Compression: "gzip", Delimiter: "\t", Rows: 2, Encoding: Encoding{"utf-8", "valid", 1},
				Columns: []Column{
					{"text", "number", "1", "text"}, {"label", "integer", "1", "label"}}}},
		{"x.jsonl", `{"text":"17","label":1,"o":{"a":1},"z":null}` + "\n" + `{"text":"a","label":1,"more":[1]}`,
			Report{Name: "x.jsonl", Format: JSONL, Rows: 2, Encoding: Encoding{"utf-8", "valid", 1}, Columns: []Column{
				{"label", "integer", "1", "label"}, {"o", "object", `{"a":1}`, ""}, {"text", "text", "17", "text"}, {"z", "empty", "", ""},
				{"more", "array", "[1]", ""}}}},
		{"bad.tsv", "body\tlabel\n1\t1\n",
			Report{Name: "bad.tsv", Format: TSV, Delimiter: "\t", Encoding: Encoding{"utf-8", "valid", 1},
				Columns: []Column{{"body", "empty", "", ""}, {"label", "empty", "", "label"}}}},
	} {
		var got Report
		_, err := Read(strings.NewReader(c.input), c.file, Options{Report: &got})
		if (err != nil) != (c.want.Rows == 0) {
			t.Errorf("%s: %v", c.file, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.file, diff)
		}
	}
}

// Objects that have names of their own each are read in the time that they take; what is told
// of them is bounded, and of what is read it is all.
func TestReportOfManyMembers(t *testing.T) {
	var b strings.Builder
	for i := range typeRows {
		for k := range 40 {
			fmt.Fprintf(&b, `%c"a%d.%d":1`, "{,"[min(k, 1)], i, k)
		}
		fmt.Fprintf(&b, `,"text":"t %d","label":"l%d"}`+"\n", i, i%2)
	}
	var r Report
	var rows []text.Example
	took := time.Hour
	for try := 0; try < 3 && took > 4*time.Second; try++ { // a busy machine
		begun := time.Now()
		var err error
		if rows, err = Read(strings.NewReader(b.String()), "x.jsonl", Options{Report: &r}); err != nil {
			t.Fatal(err)
		}
		took = min(took, time.Since(begun))
	}
	if len(rows) != typeRows || took > 4*time.Second {
		t.Errorf("%d rows in %s", len(rows), took)
	}
	used := 0
	for _, c := range r.Columns {
		if c.Use == "text" && c.Name == "text" && c.Example == "t 0" || c.Use == "label" && c.Name == "label" {
			used++
		}
	}
	if n := len(r.Columns); n < maxColumns || n > maxColumns+3 || used != 2 {
		t.Errorf("%d columns, %d of them used", n, used)
	}
}

// What may be meant by a member that all objects lack is said of a few of them: a large file is
// refused in about the time in which it would be read.
func TestMissingMembersAreToldQuickly(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `{"id":%d,"created_at":"x","user_name":"y","user_id":3,"source_url":"u","geo_x":1,"words":"hello","gold":"%d"}`, i, i%2)
		b.WriteByte('\n')
	}
	read := func(o Options) (took time.Duration, err error) {
		took = time.Hour
		for range 3 {
			begun := time.Now()
			_, err = Read(strings.NewReader(b.String()), "x.jsonl", o)
			took = min(took, time.Since(begun))
		}
		return took, err
	}
	right, err := read(Options{TextColumn: "words", LabelColumn: "gold"})
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := read(Options{})
	if err == nil || !strings.Contains(err.Error(), "and 9990 more") || strings.Count(err.Error(), "no member") != data.MaxProblems {
		t.Error(err)
	}
	if wrong > 5*right {
		t.Errorf("refused in %s, read in %s", wrong, right)
	}
}
