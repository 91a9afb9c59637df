package arch_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestConsumerOfCookiecacheNeedsOnlyCrypto builds a module that imports only
// cookiecache and looks at which modules that takes.
func TestConsumerOfCookiecacheNeedsOnlyCrypto(t *testing.T) {
	allowed := []string{
		"golang.org/x/crypto", // XChaCha20-Poly1305
		"golang.org/x/sys",    // x/crypto asks its package cpu which instructions there are
	}
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "go.mod", fmt.Sprintf("module example.com/consumer\n\ngo 1.26.0\n\nrequire %[1]s v0.0.0\n\nreplace %[1]s => %[2]s\n", module, checkout))
	write(t, dir, "main.go", fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", module+"/cookiecache"))
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "go.sum", string(sums))

	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "list", "-mod=mod", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		var complaints strings.Builder
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, &complaints)
		}
		modules := strings.Fields(string(out))
		slices.Sort(modules)
		modules = slices.Compact(modules)
		for _, own := range []string{"example.com/consumer", module} {
			i := slices.Index(modules, own)
			if i < 0 {
				t.Fatalf("%s: %v, want %s among them", arch, modules, own)
			}
			modules = slices.Delete(modules, i, i+1)
		}
		for _, m := range modules {
			if !slices.Contains(allowed, m) {
				t.Errorf("%s: a program that imports only cookiecache depends on %s; allowed are %v", arch, m, allowed)
			}
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
