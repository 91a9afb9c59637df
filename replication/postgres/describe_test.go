package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/postgres"
)

func TestTablesAreFoundAsWrittenAndElseInAnyCase(t *testing.T) {
	c := session(t, open(t))
	do(t, c, `CREATE SCHEMA "S"`, `CREATE SCHEMA other`, `CREATE TABLE news (id int PRIMARY KEY)`, `CREATE TABLE "News" (id int PRIMARY KEY)`, `CREATE TABLE "S"."Only" (id int PRIMARY KEY)`,
		`CREATE TABLE other.far (id int PRIMARY KEY)`, `CREATE TABLE "a.b" (id int PRIMARY KEY)`, `CREATE TABLE "q""q" (id int PRIMARY KEY)`, `CREATE TABLE "UPPER" (id int PRIMARY KEY)`,
		`CREATE TABLE "Two" (id int)`, `CREATE TABLE "TWO" (id int)`)
	for name, want := range map[string]string{
		"news": "public.news", "News": "public.News", "NEWS": "ambiguous", `"News"`: "public.News", `"NEWS"`: "", "public.news": "public.news", "Public.news": "public.news",
		"S.Only": "S.Only", "s.only": "S.Only", `"S"."Only"`: "S.Only", `S."Only"`: "S.Only", "far": "", "other.far": "other.far", "a.b": "public.a.b", `"a.b"`: "public.a.b", "public.a.b": "public.a.b",
		`"q""q"`: `public.q"q`, `q"q`: `public.q"q`, "upper": "public.UPPER", "two": "ambiguous", "nowhere": "", "": "", ".": "", "pg_class": "", `"`: "",
	} {
		l, err := d.Describe(t.Context(), c, name)
		switch {
		case want == "" || want == "ambiguous":
			if !errors.Is(err, replication.ErrNoTable) {
				t.Errorf("%s: %v, %v", name, l.Name, err)
			}
		case err != nil || l.Name.String() != want:
			t.Errorf("%s: %v, %v, want %s", name, l.Name, err, want)
		}
	}
	do(t, c, `SET search_path = other, public`, `CREATE TABLE other.news (id int PRIMARY KEY)`)
	if l, err := d.Describe(t.Context(), c, "news"); err != nil || l.Name.Schema != "other" {
		t.Errorf("in the search path: %v, %v", l.Name, err)
	}
}

func TestKeyIsThePrimaryKeyElseTheSmallestUniqueIndex(t *testing.T) {
	c := session(t, open(t))
	for ddl, want := range map[string][]string{
		"CREATE TABLE t (a int, b int UNIQUE NOT NULL, PRIMARY KEY (b, a))":                                                         {"b", "a"},
		"CREATE TABLE t (a int NOT NULL, b int NOT NULL, c int UNIQUE NOT NULL, UNIQUE (a, b))":                                     {"c"},
		"CREATE TABLE t (a int UNIQUE, b int NOT NULL, c int NOT NULL, UNIQUE (c, b))":                                              {"c", "b"},
		"CREATE TABLE t (a int NOT NULL); CREATE UNIQUE INDEX ON t (a) WHERE a > 0":                                                 nil,
		"CREATE TABLE t (a text NOT NULL); CREATE UNIQUE INDEX ON t (lower(a))":                                                     nil,
		"CREATE TABLE t (a int NOT NULL, b int NOT NULL GENERATED ALWAYS AS (a) STORED UNIQUE)":                                     nil,
		"CREATE TABLE t (a int NOT NULL, b int); CREATE UNIQUE INDEX ON t (a) INCLUDE (b)":                                          {"a"},
		"CREATE TABLE t (a int NOT NULL); CREATE INDEX ON t (a)":                                                                    nil,
		"CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)": {"a", "b"},
	} {
		do(t, c, "DROP TABLE IF EXISTS t", ddl)
		l, err := d.Describe(t.Context(), c, "t")
		if err != nil || !slices.Equal(l.Key, want) {
			t.Errorf("%s: key %v, %v", ddl, l.Key, err)
		}
	}
}

func TestLayoutSaysWhatATableIs(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY, u int UNIQUE, a int REFERENCES a ON DELETE CASCADE, b int REFERENCES b)", "CREATE VIEW v AS SELECT * FROM a", "CREATE MATERIALIZED VIEW m AS SELECT * FROM a",
		"INSERT INTO a SELECT generate_series(1, 100)", "ANALYZE a", "CREATE DOMAIN big AS numeric(12,3)", "CREATE TABLE c (id bigint GENERATED ALWAYS AS IDENTITY, gone int, n big, g int GENERATED ALWAYS AS (7) STORED)", "ALTER TABLE c DROP gone")
	b, err := d.Describe(t.Context(), c, "b")
	if err != nil {
		t.Fatal(err)
	}
	if len(b.References) != 2 || len(b.Unique) != 1 || b.Cascades != nil || b.View {
		t.Errorf("%+v", b)
	}
	a, err := d.Describe(t.Context(), c, "a")
	if err != nil || a.Rows != 100 {
		t.Errorf("%d rows, %v", a.Rows, err)
	}
	for _, view := range []string{"v", "m"} {
		if l, err := d.Describe(t.Context(), c, view); err != nil || !l.View {
			t.Errorf("%s: %+v, %v", view, l, err)
		}
	}
	l, err := d.Describe(t.Context(), c, "c")
	if err != nil || len(l.Columns) != 3 {
		t.Fatalf("%+v, %v", l, err)
	}
	if n := l.Columns[1]; n.Kind != replication.Decimal || n.Precision != 12 || n.Scale != 3 || n.Native != "numeric(12,3)" {
		t.Errorf("a domain is %+v", n)
	}
	if l.Columns[0].Generated || !l.Columns[2].Generated {
		t.Errorf("generated: %+v", l.Columns)
	}
}

func TestNamesAreQuoted(t *testing.T) {
	if got := d.Quote(replication.Name{Schema: `a"b`, Table: "c.d"}); got != `"a""b"."c.d"` {
		t.Error(got)
	}
	if got := d.Quote(replication.Name{Table: "t"}); got != `"t"` {
		t.Error(got)
	}
	if got := d.Bind("a = ? AND b = ?"); got != "a = $1 AND b = $2" {
		t.Error(got)
	}
}

func FuzzSplitName(f *testing.F) {
	for _, s := range []string{"a", "a.b", `"a.b"."c"`, `"a""b"`, `"`, `""`, `a."b`, `"a".b.c`, "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		postgres.SplitName(s)
		if a, b, quoted := postgres.SplitName(quote(s) + "." + quote(s)); a != s || b != s || !quoted {
			t.Fatalf("%q: %q %q %v", s, a, b, quoted)
		}
		if a, b, quoted := postgres.SplitName(quote(s)); a != "" || b != s || !quoted {
			t.Fatalf("%q: %q %q %v", s, a, b, quoted)
		}
	})
}
