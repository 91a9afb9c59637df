package oracle_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files in testdata")

// TestStatementsAreThoseOfTheGoldenFiles lets every change of the SQL be seen in
// review. Run with -update to accept one.
func TestStatementsAreThoseOfTheGoldenFiles(t *testing.T) {
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			var b strings.Builder
			for _, st := range s.statements() {
				b.WriteString(st.String() + "\n")
			}
			file := filepath.Join("testdata", s.name+".sql")
			if *update {
				if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.String(); got != string(want) {
				gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
				for i := range gotLines {
					if i >= len(wantLines) || gotLines[i] != wantLines[i] {
						t.Fatalf("%s:%d: generated\n\t%s\nwant\n\t%s", file, i+1, gotLines[i], strings.Join(wantLines[i:min(i+1, len(wantLines))], ""))
					}
				}
				t.Fatalf("%s is longer than what was generated", file)
			}
		})
	}
}
