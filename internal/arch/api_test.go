package arch_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "accept the exported API as it is: rewrite testdata/api.txt")

const goldenAPI = "testdata/api.txt"

// TestExportedAPI compares the exported API of the library's packages with
// testdata/api.txt, one line per symbol, field and method.
func TestExportedAPI(t *testing.T) {
	var now []string
	for _, f := range folders(t) {
		if f.library() {
			now = append(now, api(f)...)
		}
	}
	slices.Sort(now)
	if *update {
		if err := os.WriteFile(goldenAPI, []byte(strings.Join(now, "")), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	golden, err := os.ReadFile(goldenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if diff := difference(slices.Collect(strings.Lines(string(golden))), now); diff != "" {
		t.Errorf("the exported API differs from internal/arch/%s:\n%sIf that is intended: go test ./internal/arch -update, and an entry in CHANGELOG.md", goldenAPI, diff)
	}
}

// difference lists the lines that went and the lines that came.
func difference(before, after []string) string {
	var b strings.Builder
	for _, line := range before {
		if !slices.Contains(after, line) {
			b.WriteString("- " + line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			b.WriteString("+ " + line)
		}
	}
	return b.String()
}

// api describes what a folder exports, in the manner of the api/*.txt of Go
// itself. Files for all operating systems count together.
func api(f folder) []string {
	lines := make(map[string]bool)
	for _, file := range f.code() {
		if file.ast.Name.Name == "main" {
			continue
		}
		forgetNames(file.ast)
		e := exporter{add: func(format string, args ...any) {
			lines["pkg "+f.name()+", "+fmt.Sprintf(format, args...)+"\n"] = true
		}}
		for _, d := range file.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				e.function(d)
			case *ast.GenDecl:
				switch d.Tok {
				case token.CONST:
					e.constants(d)
				case token.VAR:
					e.variables(d)
				case token.TYPE:
					for _, s := range d.Specs {
						e.typeSpec(s.(*ast.TypeSpec))
					}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(lines))
}

// forgetNames removes the names of parameters and results, which callers do not
// depend on, and the comments of fields. Receivers and type parameters keep
// theirs.
func forgetNames(tree *ast.File) {
	ast.Inspect(tree, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok {
			f.Doc, f.Comment = nil, nil
		}
		ft, ok := n.(*ast.FuncType)
		if !ok {
			return true
		}
		for _, list := range []*ast.FieldList{ft.Params, ft.Results} {
			if list == nil {
				continue
			}
			var bare []*ast.Field
			for _, f := range list.List {
				for range max(1, len(f.Names)) {
					bare = append(bare, &ast.Field{Type: f.Type})
				}
			}
			list.List = bare
		}
		return true
	})
}

type exporter struct {
	add func(format string, args ...any)
}

func (e exporter) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	if d.Recv == nil {
		e.add("func %s%s%s", d.Name.Name, typeParams(d.Type.TypeParams), signature(d.Type))
		return
	}
	if ast.IsExported(receiver(d)) {
		e.add("method (%s) %s%s", source(d.Recv.List[0].Type), d.Name.Name, signature(d.Type))
	}
}

// constants repeats the type and the value that a group leaves out, and says
// what iota is, since moving a constant changes its value.
func (e exporter) constants(d *ast.GenDecl) {
	var typ ast.Expr
	var values []ast.Expr
	for iota, s := range d.Specs {
		s := s.(*ast.ValueSpec)
		if s.Values != nil || s.Type != nil {
			typ, values = s.Type, s.Values
		}
		for i, name := range s.Names {
			if !name.IsExported() {
				continue
			}
			line := "const " + name.Name
			if typ != nil {
				line += " " + source(typ)
			}
			if i < len(values) {
				switch value := source(values[i]); {
				case value == "iota":
					line += fmt.Sprintf(" = %d", iota)
				case usesIota(values[i]):
					line += fmt.Sprintf(" = %s (iota is %d)", value, iota)
				default:
					line += " = " + value
				}
			}
			e.add("%s", line)
		}
	}
}

func usesIota(x ast.Expr) bool {
	found := false
	ast.Inspect(x, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && id.Name == "iota"
		return true
	})
	return found
}

func (e exporter) variables(d *ast.GenDecl) {
	for _, s := range d.Specs {
		s := s.(*ast.ValueSpec)
		for i, name := range s.Names {
			if !name.IsExported() {
				continue
			}
			switch {
			case s.Type != nil:
				e.add("var %s %s", name.Name, source(s.Type))
			case i < len(s.Values):
				e.add("var %s %s", name.Name, typeOf(s.Values[i]))
			default:
				e.add("var %s", name.Name)
			}
		}
	}
}

// typeOf says what is known of a value's type without checking types.
func typeOf(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.CompositeLit:
		return source(x.Type)
	case *ast.UnaryExpr:
		if lit, ok := x.X.(*ast.CompositeLit); ok && x.Op == token.AND {
			return "*" + source(lit.Type)
		}
	case *ast.CallExpr:
		if f := source(x.Fun); f == "errors.New" || f == "fmt.Errorf" {
			return "error"
		}
	}
	return "= " + source(x)
}

func (e exporter) typeSpec(s *ast.TypeSpec) {
	if !s.Name.IsExported() {
		return
	}
	name := "type " + s.Name.Name
	full := name + typeParams(s.TypeParams)
	if s.Assign.IsValid() {
		full += " ="
	}
	switch x := s.Type.(type) {
	case *ast.StructType:
		e.add("%s struct", full)
		for _, f := range x.Fields.List {
			if len(f.Names) == 0 {
				e.add("%s struct, embedded %s", name, source(f.Type))
			}
			for _, n := range f.Names {
				if n.IsExported() {
					e.add("%s struct, %s %s", name, n.Name, source(f.Type))
				}
			}
		}
	case *ast.InterfaceType:
		e.add("%s interface", full)
		for _, f := range x.Methods.List {
			ft, isMethod := f.Type.(*ast.FuncType)
			switch {
			case !isMethod:
				e.add("%s interface, embedded %s", name, source(f.Type))
			case f.Names[0].IsExported():
				e.add("%s interface, %s%s", name, f.Names[0].Name, signature(ft))
			default:
				e.add("%s interface, unexported methods", name)
			}
		}
	default:
		e.add("%s %s", full, source(x))
	}
}

func typeParams(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var words []string
	for _, f := range list.List {
		for _, n := range f.Names {
			words = append(words, n.Name+" "+source(f.Type))
		}
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func signature(ft *ast.FuncType) string {
	return strings.TrimPrefix(source(&ast.FuncType{Params: ft.Params, Results: ft.Results}), "func")
}

// source writes an expression in one line. A new file set makes the printer
// forget where lines were broken; those of a struct or an interface remain.
func source(x ast.Expr) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), x); err != nil {
		return "(" + err.Error() + ")"
	}
	var one strings.Builder
	for line := range strings.Lines(b.String()) {
		line = strings.Join(strings.Fields(line), " ")
		switch so := one.String(); {
		case so == "":
		case strings.HasSuffix(so, "{") || line == "}":
			one.WriteString(" ")
		default:
			one.WriteString("; ")
		}
		one.WriteString(line)
	}
	return one.String()
}

func TestAPILines(t *testing.T) {
	const src = `package made
type Config[K comparable, V any] struct {
	TTL, Jitter time.Duration
	Load func(ctx context.Context, key K) (v V, err error)
	Inner struct {
		A int // why
		B string
	}
	*Base
	hidden int
}
func New[K comparable, V any](cfg Config[K, V]) (*Cache[K, V], error) { return nil, nil }
func Get(
	ctx context.Context,
	keys ...string,
) (a, b map[string][]byte) { return }
type Cache[K comparable, V any] struct{ mu sync.Mutex }
func (c *Cache[K, V]) Get(ctx context.Context, key K) (V, error) { panic(0) }
func (c *Cache[K, V]) get() {}
type secret int
func (secret) Shown() {}
type Store interface {
	io.Closer
	Get(ctx context.Context, key string) ([]byte, error)
	done()
}
type Number interface{ ~int | ~float64 }
type Status int
type Alias = Status
type Policy func(nodes []string, r uint64) int
const (
	Miss Status = iota
	Hit
	internal
	Stale
)
const Max, min = 1 << 20, 2
const (
	_  = iota
	KB = 1 << (10 * iota)
)
var ErrMiss = errors.New("made: miss")
var Default = &Config[int, int]{}
var Zero, One = big.NewInt(0), Status(1)
var Dialect io.Writer = nil
var hidden = 1
func main() {}
func init() {}
`
	const want = `pkg made, const Hit Status = 1
pkg made, const KB = 1 << (10 * iota) (iota is 1)
pkg made, const Max = 1 << 20
pkg made, const Miss Status = 0
pkg made, const Stale Status = 3
pkg made, func Get(context.Context, ...string) (map[string][]byte, map[string][]byte)
pkg made, func New[K comparable, V any](Config[K, V]) (*Cache[K, V], error)
pkg made, method (*Cache[K, V]) Get(context.Context, K) (V, error)
pkg made, type Alias = Status
pkg made, type Cache[K comparable, V any] struct
pkg made, type Config struct, Inner struct { A int; B string }
pkg made, type Config struct, Jitter time.Duration
pkg made, type Config struct, Load func(context.Context, K) (V, error)
pkg made, type Config struct, TTL time.Duration
pkg made, type Config struct, embedded *Base
pkg made, type Config[K comparable, V any] struct
pkg made, type Number interface
pkg made, type Number interface, embedded ~int | ~float64
pkg made, type Policy func([]string, uint64) int
pkg made, type Status int
pkg made, type Store interface
pkg made, type Store interface, Get(context.Context, string) ([]byte, error)
pkg made, type Store interface, embedded io.Closer
pkg made, type Store interface, unexported methods
pkg made, var Default *Config[int, int]
pkg made, var Dialect io.Writer
pkg made, var ErrMiss error
pkg made, var One = Status(1)
pkg made, var Zero = big.NewInt(0)
`
	f := synthetic(t, map[string]string{"a.go": src, "a_linux.go": "package made\nfunc Get(context.Context, ...string) (map[string][]byte, map[string][]byte)", "a_test.go": "package made\nfunc Helper() {}"})
	got := api(f)
	if diff := difference(slices.Collect(strings.Lines(want)), got); diff != "" {
		t.Errorf("wanted -, got +\n%s", diff)
	}
}

func TestAPIDifferenceShowsBothSides(t *testing.T) {
	got := difference([]string{"pkg a, func A()\n", "pkg a, func B()\n"}, []string{"pkg a, func B()\n", "pkg a, func C()\n"})
	if want := "- pkg a, func A()\n+ pkg a, func C()\n"; got != want {
		t.Errorf("difference:\n%swant:\n%s", got, want)
	}
	if got := difference([]string{"x\n"}, []string{"x\n"}); got != "" {
		t.Errorf("difference of the same: %q", got)
	}
}
