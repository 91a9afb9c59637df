package arch_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ashlar-go/ashlar"

// root is the module's folder as seen from the test.
var root = filepath.Join("..", "..")

// folder is one folder with Go files, by its path below the module: "." or
// "./cache".
type folder struct {
	path  string
	files []file
}

// file is one Go file, whatever operating system it is for.
type file struct {
	name string
	test bool
	ast  *ast.File
	set  *token.FileSet
}

// folders reads the whole module, without nested modules and testdata.
func folders(t *testing.T) []folder {
	t.Helper()
	var list []folder
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if p != "." {
			name := d.Name()
			if name == "testdata" || name == "vendor" || name[0] == '.' || name[0] == '_' {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(root, p, "go.mod")); err == nil {
				return fs.SkipDir
			}
		}
		f, err := parseFolder(p)
		if len(f.files) > 0 {
			list = append(list, f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Here are we, the map of the library and the servers: fewer would mean that
	// we look at the wrong place and everything below is true of nothing.
	for _, want := range []string{".", "./internal/arch", "./internal/testservers"} {
		if !slices.ContainsFunc(list, func(f folder) bool { return f.path == want }) {
			t.Fatalf("no Go files in %s", want)
		}
	}
	return list
}

func parseFolder(p string) (folder, error) {
	f := folder{path: "."}
	if p != "." {
		f.path = "./" + p
	}
	names, err := filepath.Glob(filepath.Join(root, p, "*.go"))
	if err != nil {
		return f, err
	}
	var errs []error
	for _, name := range names {
		if base := filepath.Base(name); base[0] == '.' || base[0] == '_' {
			continue
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		f.files = append(f.files, file{name: filepath.Base(name), test: strings.HasSuffix(name, "_test.go"), ast: tree, set: set})
	}
	return f, errors.Join(errs...)
}

// library reports whether the folder is part of what others import.
func (f folder) library() bool {
	return f.path != "." && !strings.HasPrefix(f.path, "./internal/") && !strings.HasPrefix(f.path, "./examples/")
}

// code returns the files that are not tests.
func (f folder) code() []file {
	return slices.DeleteFunc(slices.Clone(f.files), func(f file) bool { return f.test })
}

// name is the import path below the module, as people say it: "cache/memcached".
func (f folder) name() string { return path.Clean(f.path) }

// imports returns all arrows that leave the folder.
func (f folder) imports(t *testing.T) []arrow {
	t.Helper()
	var list []arrow
	for _, file := range f.files {
		for _, spec := range file.ast.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			to = below(to)
			// The external tests of a package import the package itself.
			if to == f.path && file.test {
				continue
			}
			list = append(list, arrow{from: f.path, to: to, test: file.test, file: file.name})
		}
	}
	return list
}

// below writes an import path of ours as a path below the module.
func below(importPath string) string {
	if importPath == module {
		return "."
	}
	if rest, ours := strings.CutPrefix(importPath, module+"/"); ours {
		return "./" + rest
	}
	return importPath
}
