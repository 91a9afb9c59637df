package sqlite

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

var anyColumn = replication.Column{Name: "x", Kind: replication.Native, Native: anyType}

func TestIndexesAreTakenApart(t *testing.T) {
	for source, want := range map[string]string{
		`CREATE UNIQUE INDEX i ON t (a)`:                                         `["a"] ""`,
		`CREATE UNIQUE INDEX "i (" ON "t)" (a, "b,c" DESC, lower(x || ',') ASC)`: `["a" "\"b,c\"" "lower(x || ',')"] ""`,
		"CREATE INDEX i ON t(f(a, b) COLLATE NOCASE desc) where a > ')' -- x":    `["f(a, b)"] "a > ')' -- x"`,
		`CREATE INDEX i ON t (a /* , */, (b + 1)) WHERE (c) IS NOT NULL`:         `["a" "(b + 1)"] "(c) IS NOT NULL"`,
		`CREATE INDEX i ON t (a * 1.5)`:                                          `["a * 1.5"] ""`,
		`CREATE INDEX i ON t ((a) COLLATE x)`:                                    `["(a)"] ""`,
	} {
		parts, where, err := splitIndex(source)
		if got := fmt.Sprintf("%q %q", parts, where); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", source, got, err, want)
		}
	}
	for _, source := range []string{"", "CREATE INDEX i ON t", "CREATE INDEX i ON t (", "CREATE INDEX i ON t ()", "CREATE INDEX i ON t (a) x"} {
		if parts, where, err := splitIndex(source); err == nil {
			t.Errorf("%q: %q %q", source, parts, where)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add(`CREATE TABLE "a""b" (x TEXT COLLATE nocase, [y] /* ( */ DEFAULT ')') -- end`)
	f.Add(`CREATE INDEX i ON t (lower(a) COLLATE x DESC, b) WHERE 'it''s`)
	f.Fuzz(func(t *testing.T, s string) {
		end := 0
		for _, tok := range tokens(s) {
			if tok.from < end || tok.text == "" || s[tok.from:tok.from+len(tok.text)] != tok.text {
				t.Fatalf("%q: token %+v after %d", s, tok, end)
			}
			end = tok.from + len(tok.text)
			_ = tok.name()
		}
		columnCollations(s)
		_, _, _ = splitIndex(s)
	})
}

func FuzzNative(f *testing.F) {
	for _, s := range []string{"1", "1.0", "'it''s'", "X'00'", "-9.0e999", "''", "'", "X'0'", "+1", "1e5"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseNative(b)
		if err != nil {
			return
		}
		d := decoder{column: &anyColumn}
		if err := d.Scan(x); err != nil || d.reason != "" {
			t.Fatalf("%q is %v, which is not read: %v %s", b, x, err, d.reason)
		}
		y, err := parseNative(d.buf)
		if err != nil || fmt.Sprintf("%T %v", x, x) != fmt.Sprintf("%T %v", y, y) {
			t.Fatalf("%q is %v, written %q, read %v, %v", b, x, d.buf, y, err)
		}
	})
}

// FuzzHint: whatever a condition contains, Install has it as Describe found it.
func FuzzHint(f *testing.F) {
	f.Add(`"a;b" = NEW."*/"`, "%3B; ?")
	f.Fuzz(func(t *testing.T, changed, match string) {
		want := []supplant{{changed, match}, {match, changed}}
		if got := supplants(hint(want)); !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}
