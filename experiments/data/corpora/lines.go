package corpora

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
)

// lines reads a text of an example a line.
func (c *collector) lines(name, text string, p Part) {
	line := 0
	for row := range strings.Lines(text) {
		line++
		row = strings.TrimSpace(row)
		if row == "" {
			continue
		}
		at := place{name, line}
		switch c.r.As {
		case Lines:
			c.add(at, row, p.Label, p.Split)
		case LabelledLines:
			label, rest, _ := strings.Cut(row, " ")
			c.add(at, rest, label, p.Split)
		case Reviews:
			c.review(at, row, p)
		case Trees:
			label, words, err := parseTree(row)
			if err != nil {
				c.problem("%s: %v", at, err)
				continue
			}
			c.add(at, strings.Join(words, " "), label, p.Split)
		}
	}
}

// paired reads two files, of texts and of labels, line by line.
func (c *collector) paired(texts, labels Source, p Part) error {
	read := func(s Source) ([]string, error) {
		b, err := s.readPlain()
		if err != nil {
			return nil, err
		}
		text, err := c.decode(member{where: s.Name, data: b})
		return strings.Split(strings.TrimSuffix(text, "\n"), "\n"), err
	}
	a, err := read(texts)
	if err != nil {
		return err
	}
	b, err := read(labels)
	if err != nil {
		return err
	}
	if len(a) != len(b) {
		return fmt.Errorf("%w: %s has %d lines and %s has %d", ErrLayout, texts.Name, len(a), labels.Name, len(b))
	}
	for i := range a {
		c.add(place{texts.Name, i + 1}, a[i], b[i], p.Split)
	}
	return nil
}

// opinion is an annotation of Hu and Liu: the strength of an opinion. Some
// have the brackets or the sign wrong; those do not count.
var opinion = regexp.MustCompile(`\[([+-])(\d)\]`)

// review reads one annotated sentence.
func (c *collector) review(at place, row string, p Part) {
	annotation, sentence, ok := strings.Cut(row, "##")
	if !ok { // a title, or a remark at the head of the file
		return
	}
	sum := 0
	for _, m := range opinion.FindAllStringSubmatch(annotation, -1) {
		n, _ := strconv.Atoi(m[2]) // one digit
		if m[1] == "-" {
			n = -n
		}
		sum += n
	}
	switch {
	case sum == 0:
		c.report.Dropped++
	case sum > 0:
		c.add(at, sentence, "positive", p.Split)
	default:
		c.add(at, sentence, "negative", p.Split)
	}
}

// brackets are the leaves of the Penn Treebank that stand for brackets.
var brackets = strings.NewReplacer("-LRB-", "(", "-RRB-", ")", "-LSB-", "[", "-RSB-", "]", "-LCB-", "{", "-RCB-", "}", `\/`, "/", `\*`, "*")

// parseTree returns the label of a tree's root and its leaves. A tree is
// "(label child child)" or "(label word)".
func parseTree(s string) (label string, words []string, err error) {
	depth, expect := 0, false
	for i := 0; i < len(s); {
		switch s[i] {
		case ' ', '\t':
			i++
		case '(':
			depth++
			i++
			expect = true
		case ')':
			if depth--; depth < 0 || expect {
				return "", nil, fmt.Errorf("byte %d: a closing bracket where there should be none", i)
			}
			i++
		default:
			n := strings.IndexAny(s[i:], " \t()")
			if n < 0 {
				n = len(s) - i
			}
			word := s[i : i+n]
			i += n
			switch {
			case depth == 0:
				return "", nil, fmt.Errorf("byte %d: %q is outside of the tree", i-n, word)
			case expect && label == "":
				label, expect = word, false
			case expect:
				expect = false
			default:
				words = append(words, brackets.Replace(word))
			}
		}
	}
	if depth != 0 || label == "" || len(words) == 0 {
		return "", nil, fmt.Errorf("no whole tree: %d brackets open, %d words", depth, len(words))
	}
	return label, words, nil
}

// brown reads the documents of the Brown corpus; cats.txt beside them gives
// each one's genre.
func (c *collector) brown(source string, members []member, p Part) error {
	genres := map[string]string{}
	for _, m := range members {
		if !strings.HasSuffix(m.name, "cats.txt") {
			continue
		}
		for row := range strings.Lines(string(m.data)) {
			if f := strings.Fields(row); len(f) >= 2 {
				genres[f[0]] = f[1]
			}
		}
	}
	if len(genres) == 0 {
		return fmt.Errorf("%s: %w: no genres in cats.txt", source, ErrLayout)
	}
	for _, m := range members {
		base := m.name[strings.LastIndexByte(m.name, '/')+1:]
		genre, ok := genres[base]
		if !ok {
			continue // cats.txt itself, CONTENTS, README
		}
		text, err := c.decode(m)
		if err != nil {
			c.problem("%v", err)
			continue
		}
		words := strings.Fields(text)
		if !c.r.Tagged {
			for i, w := range words {
				if at := strings.LastIndexByte(w, '/'); at > 0 {
					words[i] = w[:at]
				}
			}
		}
		c.add(place{m.where, 0}, strings.Join(words, " "), genre, p.Split)
	}
	return nil
}

var rank = regexp.MustCompile(`<review\b[^>]*\brank="(\d+)"`)

// muchocine reads one review. The files call themselves XML and are not all so:
// some have bare < and &, so only what is sought is looked at.
func (c *collector) muchocine(at place, text string, p Part) {
	m := rank.FindStringSubmatch(text)
	_, body, ok1 := strings.Cut(text, "<body>")
	body, _, ok2 := strings.Cut(body, "</body>")
	if m == nil || !ok1 || !ok2 {
		c.problem("%s: no rank or no body", at)
		return
	}
	c.add(at, strings.Join(strings.Fields(html.UnescapeString(body)), " "), m[1], p.Split)
}
