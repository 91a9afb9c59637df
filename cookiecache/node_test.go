package cookiecache_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// The format is documented well enough for a program in another language.
func TestNodeOpensTheGoldenVectors(t *testing.T) {
	node := testservers.Tool(t, "node")
	out, err := exec.CommandContext(t.Context(), node, "testdata/reader.mjs", "testdata/vectors.json").CombinedOutput()
	if err != nil || string(out) != "24 vectors opened\n" {
		t.Fatalf("%v: %s", err, out)
	}
	// And it is no rubber stamp: a vector with one changed character fails.
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(b), `"__Host-nav": "IA`, `"__Host-nav": "IB`, 1)
	if changed == string(b) {
		t.Fatal("nothing changed")
	}
	file := t.TempDir() + "/changed.json"
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), node, "testdata/reader.mjs", file).CombinedOutput(); err == nil {
		t.Fatalf("a changed cookie was opened: %s", out)
	}
}
