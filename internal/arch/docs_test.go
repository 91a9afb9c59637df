package arch_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

func TestOnePackageCommentPerFolder(t *testing.T) {
	for _, f := range folders(t) {
		for _, why := range packageComments(f) {
			t.Error(why)
		}
	}
}

func TestEveryExportedSymbolHasAComment(t *testing.T) {
	for _, f := range folders(t) {
		for _, why := range undocumented(f) {
			t.Error(why)
		}
	}
}

func packageComments(f folder) []string {
	code := f.code()
	if len(code) == 0 {
		return nil
	}
	var with []string
	var problems []string
	for _, file := range f.files {
		if file.ast.Doc == nil || strings.TrimSpace(file.ast.Doc.Text()) == "" {
			continue
		}
		if file.test {
			problems = append(problems, fmt.Sprintf("%s: %s has a package comment: a test says nothing about the package", f.path, file.name))
			continue
		}
		with = append(with, file.name)
	}
	switch {
	case len(with) == 0:
		problems = append(problems, fmt.Sprintf("%s: no package comment: write doc.go", f.path))
	case len(with) > 1:
		problems = append(problems, fmt.Sprintf("%s: package comments in %s: keep one", f.path, strings.Join(with, " and ")))
	case len(code) > 1 && with[0] != "doc.go" && code[0].ast.Name.Name != "main":
		problems = append(problems, fmt.Sprintf("%s: the package comment is in %s: move it to doc.go", f.path, with[0]))
	}
	return problems
}

// selfExplaining are methods whose meaning the standard library fixes.
var selfExplaining = []string{"Error", "Unwrap", "String"}

func undocumented(f folder) []string {
	var problems []string
	for _, file := range f.code() {
		if file.ast.Name.Name == "main" {
			continue
		}
		report := func(n ast.Node, what string) {
			problems = append(problems, fmt.Sprintf("%s/%s:%d: %s is exported and has no comment", f.path, file.name, file.set.Position(n.Pos()).Line, what))
		}
		for _, d := range file.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if !d.Name.IsExported() || d.Doc != nil {
					continue
				}
				if d.Recv == nil {
					report(d, d.Name.Name)
					continue
				}
				recv := receiver(d)
				if ast.IsExported(recv) && !slices.Contains(selfExplaining, d.Name.Name) {
					report(d, recv+"."+d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
							report(s, s.Name.Name)
						}
					case *ast.ValueSpec:
						// One comment may speak for a group.
						if d.Doc == nil && s.Doc == nil && s.Comment == nil {
							for _, name := range s.Names {
								if name.IsExported() {
									report(s, name.Name)
								}
							}
						}
					}
				}
			}
		}
	}
	return problems
}

// receiver is the name of the receiver's type.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// synthetic makes a folder from sources by file name.
func synthetic(t *testing.T, sources map[string]string) folder {
	t.Helper()
	f := folder{path: "./made"}
	for name, src := range sources {
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		f.files = append(f.files, file{name: name, test: strings.HasSuffix(name, "_test.go"), ast: tree, set: set})
	}
	slices.SortFunc(f.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return f
}

func TestPackageCommentCheckerFinds(t *testing.T) {
	const with, without = "// Package made is.\npackage made", "package made"
	for _, tt := range []struct {
		sources map[string]string
		want    string // "" for nothing
	}{
		{map[string]string{"doc.go": with, "a.go": without}, ""},
		{map[string]string{"a.go": with}, ""},
		{map[string]string{"a_test.go": without}, ""},
		{map[string]string{"a.go": without}, "no package comment"},
		{map[string]string{"doc.go": with, "a.go": with}, "a.go and doc.go: keep one"},
		{map[string]string{"b.go": with, "a.go": without}, "move it to doc.go"},
		{map[string]string{"doc.go": with, "a_test.go": with}, "a_test.go has a package comment"},
		{map[string]string{"main.go": "// Made runs.\npackage main", "a.go": "package main"}, ""},
	} {
		got := strings.Join(packageComments(synthetic(t, tt.sources)), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%v:\n got %q\nwant %q", tt.sources, got, tt.want)
		}
	}
}

func TestExportedCommentCheckerFinds(t *testing.T) {
	const src = `package made
func F() {}
// G is documented.
func G() {}
type T[K any] struct{}
func (t *T[K]) M() {}
func (t *T[K]) Error() string { return "" }
func (t *T[K]) m() {}
type u int
func (u) M() {}
const C = 1
// Together.
const (
	D = 1
	E = 2
)
var (
	V = 1
	W = 2 // W is documented.
	x = 3
)
`
	f := synthetic(t, map[string]string{"a.go": src, "a_test.go": "package made\nfunc Helper() {}"})
	var got []string
	for _, p := range undocumented(f) {
		got = append(got, strings.Fields(p)[1])
	}
	if want := []string{"F", "T", "T.M", "C", "V"}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}
