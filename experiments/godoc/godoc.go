// Package godoc makes real text classification tasks, and the corpus for
// embedding modules, of the documentation comments in a Go source tree: text
// that every machine with Go has. With the standard library's (BSD-3-Clause,
// the Go Authors) it gives a handful of related tasks of several thousand
// examples each, whose labels are facts about the declarations documented.
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
)

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
	// Text is the comment without the declared name that Go's convention
	// starts it with: it would give away kind and area.
	Text    string
	Package string // import path below the tree's root
	Name    string
	Kind    Kind
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
	// Comments are the documented declarations, in the order of the files.
	Comments []Comment
	// Documents are all comments, those inside functions included, each once.
	Documents []string
	// Files is the number of files read.
	Files int
}

// Read reads all packages of a tree but commands, tests, vendored and
// generated code. It is deterministic. progress, which may be nil, is told how
// many files are done.
func Read(src fs.FS, progress func(done, total int)) (*Corpus, error) {
	var files []string
	err := fs.WalkDir(src, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if entry.IsDir() {
			if name == "cmd" || base == "testdata" || base == "vendor" || (strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".")) && name != "." {
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
	var next, done atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex // progress is called one at a time
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				parts[i] = readFile(src, files[i])
				if n := int(done.Add(1)); progress != nil && (n%100 == 0 || n == len(files)) {
					mu.Lock()
					progress(n, len(files))
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	c := &Corpus{Files: len(files)}
	seen := map[string]bool{}
	for _, p := range parts {
		if p.err != nil {
			return nil, fmt.Errorf("go sources: %w", p.err)
		}
		c.Comments = append(c.Comments, p.comments...)
		for _, d := range p.documents {
			if !seen[d] {
				seen[d] = true
				c.Documents = append(c.Documents, d)
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
	// A file that does not parse, for a later version of Go say, gives nothing.
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
		text := strings.TrimSpace(doc.Text())
		rest := strings.TrimPrefix(text, name)
		if rest != text && (rest == "" || strings.ContainsAny(rest[:1], " \n\t'’,.(:")) {
			text = strings.TrimSpace(rest)
		}
		if len(strings.Fields(text)) < minWords {
			continue
		}
		c.Text, c.Name, c.Package = text, name, v.pkg
		v.out = append(v.out, c)
		return
	}
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
