// Package godoc makes real text classification tasks, and the corpus for
// embedding modules, of the documentation comments in a Go source tree: text
// that every machine with Go has. With the standard library's (BSD-3-Clause,
// the Go Authors) it gives a handful of related tasks of several thousand
// examples each, whose labels are facts about the declarations documented.
//
// A task learns to tell from the text what the compiler knows of the
// declaration. So that the text does not simply say it, the declared name is
// cut off where Go's convention starts the comment with it ("Open opens …", "A
// Reader is …"): its form tells types from functions and what is exported from
// what is not. README.md has the figures of each task.
package godoc

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// Version is the version of the rules in this package. It is changed with
// every change that gives other tasks or modules from the same sources.
const Version = 1

// Kind is the kind of a documented declaration.
type Kind string

// The kinds of declarations.
const (
	Function        Kind = "function"
	Method          Kind = "method"
	Type            Kind = "type"
	Value           Kind = "value" // a constant or variable
	Field           Kind = "field"
	InterfaceMethod Kind = "interface method"
)

// Comment is one documented declaration.
type Comment struct {
	// Text is the comment without the declared name, and the article before
	// it, that Go's convention starts it with.
	Text    string
	Package string // import path below the tree's root
	Name    string
	Kind    Kind
	// Deprecated says that a paragraph of the comment begins "Deprecated:".
	Deprecated bool
	// Of functions and methods:
	Parameters, Results       int
	ReturnsError, ReturnsBool bool
	PointerReceiver           bool
}

// Exported reports whether the declared name is exported.
func (c Comment) Exported() bool { return ast.IsExported(c.Name) }

// callable reports whether the declaration has parameters and results.
func (c Comment) callable() bool {
	return c.Kind == Function || c.Kind == Method || c.Kind == InterfaceMethod
}

// Corpus is what a source tree's comments say.
type Corpus struct {
	// Comments are the documented declarations, in the order of the files. A
	// declaration that several files make alike, for several platforms, is
	// there once.
	Comments []Comment
	// Files is the number of files read.
	Files int

	documents []string
}

// Documents returns all comments, package documentation and those inside
// functions included, each once: the text to train embedding modules on. The
// caller must not change it.
func (c *Corpus) Documents() []string { return c.documents }

// Read reads all packages of a tree but commands, tests, vendored and
// generated code; internal packages are documented as the others are, and
// read. It is deterministic. progress, which may be nil, is told now and then
// how many files are done, by one goroutine at a time and rising.
//
// It is an error when a file cannot be read or the tree has no Go files. A
// file that does not parse, of another version of Go say, is left out.
func Read(src fs.FS, progress func(done, total int)) (*Corpus, error) {
	var files []string
	err := fs.WalkDir(src, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if entry.IsDir() {
			if name == "cmd" || base == "testdata" || base == "vendor" ||
				(strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".")) && name != "." {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(base, ".go") && !strings.HasSuffix(base, "_test.go") {
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("go sources: %w", err)
	}
	if len(files) == 0 {
		return nil, errors.New("go sources: no .go files; is this the src directory of a Go installation?")
	}
	parts := make([]part, len(files))
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex // guards done, and calls of progress
	done := 0
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				parts[i] = readFile(src, files[i])
				mu.Lock()
				if done++; progress != nil && (done%100 == 0 || done == len(files)) {
					progress(done, len(files))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	c := &Corpus{Files: len(files)}
	seen, declared := map[string]bool{}, map[Comment]bool{}
	for _, p := range parts {
		if p.err != nil {
			return nil, fmt.Errorf("go sources: %w", p.err)
		}
		for _, d := range p.comments {
			if !declared[d] {
				declared[d] = true
				c.Comments = append(c.Comments, d)
			}
		}
		for _, d := range p.documents {
			if !seen[d] {
				seen[d] = true
				c.documents = append(c.documents, d)
			}
		}
	}
	return c, nil
}

// part is what one file gives.
type part struct {
	comments  []Comment
	documents []string
	err       error
}

func readFile(src fs.FS, name string) (p part) {
	b, err := fs.ReadFile(src, name)
	if err != nil {
		p.err = err
		return p
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, b, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(file) {
		return p
	}
	for _, group := range file.Comments {
		if text := strings.TrimSpace(group.Text()); text != "" && !strings.HasPrefix(text, "Copyright") {
			p.documents = append(p.documents, text)
		}
	}
	v := visitor{pkg: path.Dir(name)}
	for _, d := range file.Decls {
		v.declaration(d)
	}
	p.comments = v.out
	return p
}

// visitor collects the documented declarations of a file.
type visitor struct {
	pkg string
	out []Comment
}

func (v *visitor) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		c := Comment{Kind: Function}
		if d.Recv != nil && len(d.Recv.List) == 1 {
			c.Kind = Method
			_, c.PointerReceiver = d.Recv.List[0].Type.(*ast.StarExpr)
		}
		c.signature(d.Type)
		v.add(c, d.Name.Name, d.Doc)
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				v.add(Comment{Kind: Type}, s.Name.Name, s.Doc, lone(d))
				v.members(s.Type)
			case *ast.ValueSpec:
				if len(s.Names) > 0 {
					v.add(Comment{Kind: Value}, s.Names[0].Name, s.Doc, s.Comment, lone(d))
				}
			}
		}
	}
}

// lone returns the comment of a declaration that declares one thing only.
func lone(d *ast.GenDecl) *ast.CommentGroup {
	if len(d.Specs) == 1 {
		return d.Doc
	}
	return nil
}

func (v *visitor) members(t ast.Expr) {
	switch t := t.(type) {
	case *ast.StructType:
		for _, f := range t.Fields.List {
			if len(f.Names) > 0 {
				v.add(Comment{Kind: Field}, f.Names[0].Name, f.Doc, f.Comment)
			}
		}
	case *ast.InterfaceType:
		for _, f := range t.Methods.List {
			if signature, ok := f.Type.(*ast.FuncType); ok && len(f.Names) > 0 {
				c := Comment{Kind: InterfaceMethod}
				c.signature(signature)
				v.add(c, f.Names[0].Name, f.Doc, f.Comment)
			}
		}
	}
}

func (c *Comment) signature(t *ast.FuncType) {
	c.Parameters = t.Params.NumFields()
	if t.Results == nil {
		return
	}
	c.Results = t.Results.NumFields()
	for _, r := range t.Results.List {
		if id, ok := r.Type.(*ast.Ident); ok {
			c.ReturnsError = c.ReturnsError || id.Name == "error"
			c.ReturnsBool = c.ReturnsBool || id.Name == "bool"
		}
	}
}

// minWords is the length below which a comment says nothing.
const minWords = 4

func (v *visitor) add(c Comment, name string, docs ...*ast.CommentGroup) {
	for _, doc := range docs {
		if doc == nil {
			continue
		}
		text := withoutName(strings.TrimSpace(doc.Text()), name)
		if len(strings.Fields(text)) < minWords {
			continue
		}
		c.Text, c.Name, c.Package = text, name, v.pkg
		c.Deprecated = strings.HasPrefix(text, "Deprecated:") || strings.Contains(text, "\n\nDeprecated:")
		v.out = append(v.out, c)
		return
	}
}

// withoutName cuts the declared name off the start of a comment, and an
// article before it.
func withoutName(text, name string) string {
	for _, article := range [...]string{"", "A ", "An ", "The "} {
		rest, ok := strings.CutPrefix(text, article+name)
		if !ok {
			continue
		}
		if next, _ := utf8.DecodeRuneInString(rest); rest == "" || next != '_' && !unicode.IsLetter(next) && !unicode.IsDigit(next) {
			return strings.TrimSpace(rest)
		}
	}
	return text
}

// area is the top-level directory of a package.
func (c Comment) area() string {
	area, _, _ := strings.Cut(c.Package, "/")
	return area
}

// areas returns the areas with the most comments, at most n, sorted by name.
// "internal" is no area: it holds parts of all others.
func (c *Corpus) areas(n int) []string {
	counts := map[string]int{}
	for _, d := range c.Comments {
		if a := d.area(); a != "internal" {
			counts[a]++
		}
	}
	var names []string
	for a := range counts {
		names = append(names, a)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	names = names[:min(n, len(names))]
	slices.Sort(names)
	return names
}
