package labelled

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// encoded writes a text in an encoding.
func encoded(t testing.TB, name, text string) string {
	t.Helper()
	var b []byte
	switch name {
	case utf16LE, utf16BE:
		for _, u := range utf16.Encode([]rune(text)) {
			b = append(b, byte(u), byte(u>>8))
		}
		swap(b, name == utf16BE, 2)
		return string(b)
	case utf32LE, utf32BE:
		for _, r := range text {
			b = append(b, byte(r), byte(r>>8), byte(r>>16), byte(r>>24))
		}
		swap(b, name == utf32BE, 4)
		return string(b)
	case latin1:
		s, err := charmap.ISO8859_1.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func swap(b []byte, yes bool, width int) {
	for i := 0; yes && i < len(b); i += width {
		for k := range width / 2 {
			b[i+k], b[i+width-1-k] = b[i+width-1-k], b[i+k]
		}
	}
}

// Each text is read back as it was, from each format, and the encoding said.
func TestEncodings(t *testing.T) {
	const (
		german   = "Das schöne Wetter läßt uns über Brücken gehen, und die Straße ist naß; Äpfel und Öl für alle"
		french   = "Cela coûte 12 € et le cœur est à gauche, où l’élève déjà vu est très bien"
		russian  = "Это очень хороший фильм, и мне он понравился: привет, мир, как дела сегодня"
		japanese = "これはとても良い映画でした。私は大好きです。ひどい雨が降っています"
	)
	for _, c := range []struct {
		encoding, mark, text, want, how string
	}{
		{utf8Name, "", german, utf8Name, "valid"},
		{utf8Name, "", "plain", utf8Name, "valid"},
		{utf8Name, "\xef\xbb\xbf", "plain", utf8Name, "byte order mark"},
		{utf16LE, "\xff\xfe", german + " 😀", utf16LE, "byte order mark"},
		{utf16BE, "\xfe\xff", japanese + " 😀", utf16BE, "byte order mark"},
		{utf32LE, "\xff\xfe\x00\x00", french, utf32LE, "byte order mark"},
		{utf32BE, "\x00\x00\xfe\xff", french, utf32BE, "byte order mark"},
		{utf16LE, "", german, utf16LE, "statistics"},
		{utf16BE, "", russian, utf16BE, "statistics"},
		{utf32LE, "", german, utf32LE, "statistics"},
		{utf32BE, "", russian, utf32BE, "statistics"},
		{windows1252, "", german, windows1252, "statistics"},
		{windows1252, "", french, windows1252, "statistics"},
		{windows1252, "", "it’s great, isn’t it", windows1252, "statistics"},
		{latin1, "", german, windows1252, "statistics"}, // the same characters
		{latin9, "", strings.ReplaceAll(french, "’", "'"), latin9, "statistics"},
		{"windows-1251", "", russian, "windows-1251", "statistics"},
		{"koi8-r", "", russian, "koi8-r", "statistics"},
		{"shift_jis", "", japanese, "shift_jis", "statistics"},
		{"euc-jp", "", japanese, "euc-jp", "statistics"},
		{"gb18030", "", "这是一部非常好的电影，我很喜欢它", "gb18030", "statistics"},
		{"big5", "", "這是一部非常好的電影我很喜歡它", "big5", "statistics"},
		{"euc-kr", "", "이것은 아주 좋은 영화입니다 나는 그것을 좋아합니다", "euc-kr", "statistics"},
	} {
		for file, form := range map[string]string{"x.tsv": "label\ttext\na\t%\nb\tother\n", "x.csv": "text,label\n\"%\",a\nother,b\n",
			"x.jsonl": "{\"text\":\"%\",\"label\":\"a\"}\n{\"text\":\"other\",\"label\":\"b\"}\n"} {
			in := c.mark + encoded(t, c.encoding, strings.Replace(form, "%", c.text, 1))
			for _, given := range []string{"", c.encoding} {
				var r Report
				got, err := Read(strings.NewReader(in), file, Options{Encoding: given, Report: &r})
				if err != nil {
					t.Errorf("%s %s (given %q): %v", c.encoding, file, given, err)
					continue
				}
				if got[0].Text != c.text {
					t.Errorf("%s %s (given %q): %q", c.encoding, file, given, got[0].Text)
				}
				want := Encoding{c.want, c.how, r.Encoding.Confidence}
				if given != "" {
					want = Encoding{c.encoding, "given", 1}
				}
				if r.Encoding != want || r.Encoding.Confidence <= 0.1 || r.Encoding.Confidence > 1 ||
					c.how != "statistics" && r.Encoding.Confidence != 1 {
					t.Errorf("%s %s (given %q): detected %+v", c.encoding, file, given, r.Encoding)
				}
			}
		}
	}
}

func TestEncodingRefuses(t *testing.T) {
	long := strings.Repeat("ein schönes Wörtchen über Äpfel\ta\n", 20)
	latin := encoded(t, windows1252, "der schöne Tag über Öl\ta\n")
	for _, c := range []struct {
		name, file, input, encoding string
		want                        []string
	}{
		{"UTF-8 with damage", "x.tsv", "text\tlabel\n" + long + "\xff\tb\n" + long + "a\xc3\tb\n", "",
			[]string{"x.tsv: line 22: byte 1 is not valid UTF-8", "line 43: byte 2"}},
		{"a mixture", "x.tsv", "text\tlabel\n" + strings.Repeat(latin, 3) + long[:40], "",
			[]string{"line 2: byte 8 is not valid UTF-8", "line 4", "perhaps windows-1252"}},
		{"too little", "x.tsv", "text\tlabel\n\x81\ta\n", "",
			[]string{"line 2: byte 1 is not valid UTF-8; if it is another encoding, give its name"}},
		{"not the encoding given", "x.tsv", "text\tlabel\n" + latin, "utf-8", []string{"line 2: byte 8 is not valid UTF-8"}},
		{"undefined in the one given", "x.tsv", "text\tlabel\na\ta\n\x81\ta\n", "windows-1252", []string{"line 3: not valid windows-1252"}},
		{"undefined in Shift JIS", "x.jsonl", "{\"text\":\"\x85\xff\",\"label\":1}\n", "sjis", []string{"line 1: not valid shift_jis"}},
		{"unknown", "x.tsv", "text\tlabel\na\ta\n", "klingon", []string{`unknown encoding "klingon"`, "windows-1250"}},
		{"replacement", "x.tsv", "text\tlabel\na\ta\n", "iso-2022-kr", []string{"unknown encoding"}},
		{"half a surrogate pair", "x.tsv", "\xff\xfe" + encoded(t, utf16LE, "text\tlabel\na") + "\x00\xd8" + encoded(t, utf16LE, "\ta\n"), "",
			[]string{"line 2: byte 26 of the file: not valid utf-16le"}},
		{"odd", "x.tsv", "\xff\xfe" + encoded(t, utf16LE, "text\tlabel\na\tb") + "x", "",
			[]string{"line 2: byte 31: the file ends within a character of utf-16le"}},
		{"beyond Unicode", "x.tsv", "\xff\xfe\x00\x00" + encoded(t, utf32LE, "text\tlabel\n") + "\x00\x00\x11\x00", "",
			[]string{"line 2: byte 48", "utf-32le"}},
		{"half a pair in JSON", "x.jsonl", `{"text":"a\ud800","label":"x"}`, "", []string{`line 1, column "text"`, "surrogate"}},
		{"half a pair in a label", "x.jsonl", `{"text":"a","label":"\udc00"}`, "", []string{`line 1, column "label"`, "surrogate"}},
	} {
		got, err := Read(strings.NewReader(c.input), c.file, Options{Encoding: c.encoding})
		if err == nil {
			t.Errorf("%s: accepted: %v", c.name, got)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
	}
	for _, s := range []string{`{"text":"a\ufffd","label":"x"}`, `{"text":"a\uFFFD","label":"x"}`, "{\"text\":\"a\ufffd\",\"label\":\"x\"}",
		`{"text":"\ud83d\ude00","label":"x"}`} {
		if _, err := Read(strings.NewReader(s), "x.jsonl", Options{}); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// Whatever the bytes, what comes out is UTF-8 without characters that the bytes
// did not stand for, or a problem.
func FuzzEncoding(f *testing.F) {
	f.Add([]byte("caf\xe9\nna\xefve"), "")
	f.Add([]byte("\xff\xfea\x00\n\x00"), "")
	f.Add([]byte("a\x00b\x00\n\x00"), "utf-16")
	f.Add([]byte("\x82\xa0\x82"), "shift_jis")
	f.Add([]byte("\x1b$B$\""), "iso-2022-jp")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		c, err := newCollector("x", Options{Encoding: name}, nil)
		if err != nil {
			return
		}
		s := new(survey)
		if _, err := s.add(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		found := c.settle(s, func(_, line int, err error) { c.Add("line %d: %w", line, err) })[0]
		if (found == "") != (c.Err(c.name) != nil) {
			t.Fatalf("%q with %v", found, c.Err(c.name))
		}
		if found == "" {
			return
		}
		d, err := newDecoder(iotest.OneByteReader(bytes.NewReader(b)), found, func(line int, err error) { c.Add("line %d: %w", line, err) })
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(d)
		if err != nil {
			t.Fatal(err)
		}
		if c.Err(c.name) != nil {
			return
		}
		if !utf8.Valid(out) {
			t.Fatalf("%q is not UTF-8", out)
		}
		if !strings.HasPrefix(found, "utf-") && bytes.ContainsRune(out, utf8.RuneError) {
			t.Fatalf("%s: characters were replaced", found)
		}
	})
}
