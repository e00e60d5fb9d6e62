package text

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// Every case is a rule of the Tokeniser's documentation; the tokens wanted are
// parted by spaces.
func TestTokens(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{" \t\r\n\u00a0\u2003", ""},
		{"Hello, World!", "hello , world !"},
		{"snake_case x2 3d", "snake_case x2 3d"},

		// Hyphens.
		{"state-of-the-art", "state of the art"},
		{"e\u2010mail non\u2011stop", "e mail non stop"},
		{"well - no", "well - no"},
		{"-5 a- -b", "- 5 a - - b"},

		// Contractions.
		{"don't", "do n't"},
		{"Don’t", "do n't"},
		{"I'm you're he'd they've she'll it's", "i 'm you 're he 'd they 've she 'll it 's"},
		{"does n 't it 's", "does n't it 's"},
		{"o'clock d'accord", "o'clock d'accord"},
		{"the dogs' 'quoted'", "the dogs ' ' quoted '"},
		{"'tis", "' tis"},
		{"can't've", "can't 've"},

		// Abbreviations.
		{"the U.S. Army, e.g. this", "the u.s. army , e.g. this"},
		{"U.S.A.", "u.s.a."},
		{"I. think", "i . think"},
		{"end. A b", "end . a b"},
		{"a.bc", "a . bc"},
		{"É.Ü. x", "é.ü. x"},

		// Numbers.
		{"3.5 1,000 7.", "3.5 1,000 7 ."},
		{"in 2018, 1234", "in 2018 , 1234"},
		{"12345", "00000"},
		{"08712400200", "00000000000"},
		{"10,000.50", "00,000.00"},
		{"9-5 12:30 50%", "9 5 12 : 30 50 %"},
		{"1111 a1111111", "1111 a1111111"},

		// Mentions, tags, addresses.
		{"@User hi #NLProc", "@user hi #nlproc nlproc"},
		{"a@b.com #", "a @ b . com #"},
		{"# 1 #1", "# 1 #1 1"},
		{"@user's", "@user 's"},
		{"see https://Example.org/a?b=c.", "see <url> example.org ."},
		{"WWW.Example.com/x, http://www.x-y.de", "<url> example.com , <url> x-y.de"},
		{"http:// www.", "http : // www ."},
		{"(http://a.b/c)", "( <url> a.b )"},
		{"xhttp://a.b", "xhttp : // a . b"},

		// Emoticons.
		{"ok :) :-( ;-P =D <3", "ok :) :-( ;-p =d <3"},
		{"nice:) 3:30 note: see", "nice :) 3 : 30 note : see"},
		{":Dan :3x", ": dan : 3x"},
		{"x <3 y <35", "x <3 y < 35"},

		// Marks and repetitions.
		{"wow!!!!! ... .......", "wow !!! ... ..."},
		{"??!!", "?? !!"},
		{"soooooo coool", "sooo coool"},
		{"“quoted” «q» ``ptb''", "\" quoted \" \" q \" \" ptb \""},
		{"a…b – c—d", "a ... b -- c -- d"},
		{"5€ 👍👍👍👍", "5 € 👍👍👍"},

		// Mark-up and entities.
		{"a<br />b<br/>c</p>d", "a b c d"},
		{"<b>bold</b> <x> 1<2", "bold < x > 1 < 2"},
		{"AT&amp;T &lt;3 &quot;x&quot;", "at & t <3 \" x \""},
		{"caf&eacute;", "café"},

		// Unicode.
		{"cafe\u0301 CAFÉ", "café café"},
		{"Straße ÑANDÚ", "straße ñandú"},
		{"я люблю", "я люблю"},
		{"IŞIK ışık İSTANBUL istanbul i\u0307stanbul #İZMİR", "işik işik istanbul istanbul istanbul #izmir izmir"},
		{"ΟΔΟΣ οδος ΣΑΣ σας Σ #ΟΔΟΣ", "οδος οδος σας σας σ #οδος οδος"},
		{"我爱 Go语言", "我 爱 go 语 言"},
		{"コーヒー", "コ ー ヒ ー"},
		{"हिन्दी", "हिन्दी"},
		{"zero\u200bwidth soft\u00adhyphen \ufeff", "zero width soft hyphen"},
		{"bad\xffbyte \xc3", "bad byte"},
		{"nul\x00bell\x07", "nul bell"},

		// Long words.
		{strings.Repeat("ab", 24), strings.Repeat("ab", 24)},
		{strings.Repeat("ab", 25), "<long>"},
		{"@" + strings.Repeat("ab", 25), "<long>"},
		{strings.Repeat("12", 30), "<long>"},
	} {
		got := Tokeniser{}.Tokens(c.text)
		if diff := cmp.Diff(strings.Fields(c.want), append([]string{}, got...)); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}

func TestKeepCase(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Don't SHOUT, U.S. @User #Tag", "Do n't SHOUT , U.S. @User #Tag Tag"},
		{"DON'T IT'S", "DO N'T IT 'S"},
		{"HTTP://Example.ORG/x :D", "<url> example.org :D"},
	} {
		if diff := cmp.Diff(strings.Fields(c.want), Tokeniser{KeepCase: true}.Tokens(c.text)); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}

func TestMaxTokens(t *testing.T) {
	const text = "I don't #know, see http://a.b/c"
	all := Tokeniser{}.Tokens(text)
	for n := 1; n <= len(all)+1; n++ {
		want := all[:min(n, len(all))]
		if diff := cmp.Diff(want, Tokeniser{MaxTokens: n}.Tokens(text)); diff != "" {
			t.Errorf("at most %d: %s", n, diff)
		}
	}
}

// Tokenising takes time proportional to the length of the text, whatever the
// text. Where it does not, some of these take minutes. The best
// of three counts: a busy machine delays one. A slow one is slow with plain words too.
func TestHostileTextsAreQuick(t *testing.T) {
	const length = 400_000
	measure := func(text string) time.Duration {
		begun := time.Now()
		Tokeniser{}.Tokens(text)
		return time.Since(begun)
	}
	limit := max(3*time.Second, 100*measure(strings.Repeat("plain words ", length/12)))
	for _, part := range []string{"a.", "<a", "<b ", "http://-", "http://.", "http://www.-", "-www.", "www..", "n '", "'s", "1,", ":-",
		"a\u0301", "&", "@", "#a"} {
		text := strings.Repeat(part, length/len(part))
		for _, text := range []string{text, text + strings.Repeat("!?", len(text)/2)} {
			took := time.Hour
			for try := 0; try < 3 && took > limit; try++ {
				took = min(took, measure(text))
			}
			if took > limit {
				t.Errorf("%d bytes of %q take %s", len(text), part, took)
			}
		}
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"Don't state-of-the-art U.S. 12345 @u #t http://a.b :) <br/> &amp;", "does n 't \xff\u00a0\u0085\u2028",
		"'’s\u0301", "我İẞ ﬁ", "<3:-)))", "&#0;&nbsp;&#x85;&#xd800;"} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, text string, most int) {
		for _, keep := range []bool{false, true} {
			all := Tokeniser{KeepCase: keep}.Tokens(text)
			for _, token := range all {
				if token == "" || !utf8.ValidString(token) || strings.IndexFunc(token, unicode.IsSpace) >= 0 {
					t.Fatalf("%q gives the token %q", text, token)
				}
				if n := len(token); n > maxWord && n > 3*utf8.UTFMax {
					t.Fatalf("%q gives the token %q of %d bytes", text, token, n)
				}
			}
			if most > 0 {
				if diff := cmp.Diff(all[:min(most, len(all))], (Tokeniser{KeepCase: keep, MaxTokens: most}).Tokens(text)); diff != "" {
					t.Fatalf("%q, at most %d: %s", text, most, diff)
				}
			}
		}
		// White space between texts keeps their tokens apart.
		if a, b := len(Tokeniser{}.Tokens(text)), len(Tokeniser{}.Tokens("\n"+text+" \n")); a != b {
			t.Fatalf("%q has %d tokens, with white space around it %d", text, a, b)
		}
	})
}

func BenchmarkTokens(b *testing.B) {
	text := strings.Repeat("The quick brown fox doesn't jump over 12,345 lazy dogs — see http://example.org/x, @fox! ", 40)
	b.SetBytes(int64(len(text)))
	tokens := 0
	var s scanner
	for b.Loop() {
		s.scan(Tokeniser{}, text, func([]byte) { tokens++ })
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
