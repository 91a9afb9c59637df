package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

func TestDescribeFindsKeys(t *testing.T) {
	tests := []struct {
		create []string
		key    string
		unique string
	}{
		{[]string{`CREATE TABLE t (id INTEGER PRIMARY KEY, a)`}, "[id]", "[]"},
		{[]string{`CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID`}, "[b a]", "[]"},
		{[]string{`CREATE TABLE t (a TEXT UNIQUE, b INT)`}, "[]", "[[a]]"}, // a may be NULL
		{[]string{`CREATE TABLE t (a TEXT NOT NULL, b INT NOT NULL, UNIQUE (a, b))`}, "[a b]", "[]"},
		{[]string{`CREATE TABLE t (a TEXT NOT NULL)`, `CREATE UNIQUE INDEX i ON t (a) WHERE a > 'x'`}, "[]", "[]"},
		{[]string{`CREATE TABLE t (a TEXT NOT NULL)`, `CREATE UNIQUE INDEX i ON t (lower(a))`}, "[]", "[]"},
		{[]string{`CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b INT UNIQUE, UNIQUE (a, b))`}, "[id]", "[[b] [a b]]"},
		{[]string{`CREATE TABLE t (a)`}, "[]", "[]"},
		{[]string{`CREATE VIEW t AS SELECT 1 AS a`}, "[]", "[]"},
	}
	for _, tt := range tests {
		db := open(t)
		exec(t, db, tt.create...)
		l := describe(t, conn(t, db), "T")
		slices.SortFunc(l.Unique, func(a, b []string) int { return len(a) - len(b) })
		if fmt.Sprint(l.Key) != tt.key || fmt.Sprint(l.Unique) != tt.unique || l.Name != (replication.Name{Table: "t"}) || l.View != strings.Contains(tt.create[0], "VIEW") {
			t.Errorf("%s: %+v", tt.create, l)
		}
	}
}

func TestDescribeFindsTablesByName(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE "Order Items" (id INTEGER PRIMARY KEY, "Unit Price" DECIMAL(10, 2) NOT NULL DEFAULT 0, twice AS ("Unit Price" * 2))`,
		`CREATE TABLE "main.dotted" (id INTEGER PRIMARY KEY)`, `CREATE TABLE dotted (x INTEGER PRIMARY KEY, r REFERENCES "order items", s INT REFERENCES gone)`,
		`INSERT INTO dotted (x) VALUES (1), (2)`)
	c := conn(t, db)
	l := describe(t, c, "main.ORDER items")
	if l.Name.Table != "Order Items" || l.Columns[1].Name != "Unit Price" || l.Columns[1].Precision != 10 || l.Columns[1].Scale != 2 || l.Columns[1].Nullable || !l.Columns[2].Generated || l.Rows != -1 {
		t.Errorf("%+v", l)
	}
	if l := describe(t, c, "MAIN.dotted"); l.Columns[0].Name != "id" {
		t.Errorf("main.dotted is %+v", l)
	}
	exec(t, c, "ANALYZE")
	l = describe(t, c, "dotted")
	if fmt.Sprint(l.References) != "[Order Items gone]" || l.Rows != 2 {
		t.Errorf("%v, %d rows", l.References, l.Rows)
	}
	// A temporary table does not hide the one that is meant.
	exec(t, c, "CREATE TEMP TABLE dotted (other)")
	if got := describe(t, c, "dotted"); got.Columns[0].Name != "x" {
		t.Errorf("found the temporary table: %+v", got)
	}
	for _, name := range []string{"nothing", "temp.dotted", "sqlite_schema", ""} {
		if _, err := dialect.Describe(t.Context(), c, name); !errors.Is(err, replication.ErrNoTable) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestKindsAreThoseOfTheDeclaredTypes(t *testing.T) {
	c := conn(t, open(t))
	for declared, want := range map[string]replication.Column{
		"INT": {Kind: replication.Int}, "unsigned big int": {Kind: replication.Int}, "TINYINT(1)": {Kind: replication.Int},
		"bool": {Kind: replication.Bool}, "varchar ( 20 )": {Kind: replication.Text, Size: 20}, "NATIVE CHARACTER(7)": {Kind: replication.Text, Size: 7}, "CLOB": {Kind: replication.Text},
		"numeric(10 , 3)": {Kind: replication.Decimal, Precision: 10, Scale: 3}, "DECIMAL": {Kind: replication.Decimal}, "number(5,-2)": {Kind: replication.Decimal, Precision: 5, Scale: -2},
		"double precision": {Kind: replication.Float, Size: 64}, "FLOAT": {Kind: replication.Float, Size: 64}, "FLOAT32": {Kind: replication.Float, Size: 32},
		"BLOB": {Kind: replication.Bytes}, "varbinary(16)": {Kind: replication.Bytes, Size: 16}, "date": {Kind: replication.Date},
		"DateTime": {Kind: replication.Timestamp, Scale: 9}, "timestamp(3)": {Kind: replication.Timestamp, Scale: 3}, "TIMESTAMPTZ(6)": {Kind: replication.Instant, Scale: 6}, "TIMESTAMP WITH TIME ZONE": {Kind: replication.Instant, Scale: 9},
		"TIME": {Kind: replication.Time, Scale: 6}, "TIME(0)": {Kind: replication.Time}, "uuid": {Kind: replication.UUID}, "json": {Kind: replication.JSON}, "": {Kind: replication.Native}, "MONEY": {Kind: replication.Decimal},
	} {
		exec(t, c, "DROP TABLE IF EXISTS t", "CREATE TABLE t (c "+declared+")")
		got := describe(t, c, "t").Columns[0]
		want.Name, want.Native, want.Nullable = "c", got.Native, true
		if got != want {
			t.Errorf("%q: %+v, want %+v", declared, got, want)
		}
	}
}

func TestCollationsAreFound(t *testing.T) {
	c := conn(t, open(t))
	exec(t, c, `CREATE TABLE t ( -- COLLATE, in a comment
		"a, (b)" TEXT /* COLLATE NOCASE */ DEFAULT ('x' || ')') , [c ] TEXT DEFAULT ',' COLLATE "nocase",
		d TEXT CHECK (d COLLATE NOCASE <> 'x'), e VARCHAR(10) NOT NULL COLLATE RTRIM, f TEXT COLLATE BINARY)`)
	var folding []string
	for _, col := range describe(t, c, "t").Columns {
		if col.Folds {
			folding = append(folding, col.Name)
		}
	}
	if got := fmt.Sprintf("%q", folding); got != `["c " "e"]` {
		t.Errorf("folding columns: %s", got)
	}
	exec(t, c, `CREATE TABLE u (k TEXT, PRIMARY KEY (k COLLATE NOCASE))`)
	if !describe(t, c, "u").Columns[0].Folds {
		t.Error("a key's index folds, and its column does not")
	}
}

func TestPrepareRefusesWhatWillNotDo(t *testing.T) {
	for dsn, want := range map[string]string{
		"file:" + filepath.Join(t.TempDir(), "x") + "?_pragma=encoding('UTF-16')": "UTF-16",
		":memory:":                        "no file",
		"file:x?mode=memory&cache=shared": "no file",
	} {
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		exec(t, db, "CREATE TABLE t (a)")
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := dialect.Prepare(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", dsn, err)
		}
		_ = c.Close()
		_ = db.Close()
	}
}

// TestDriverOptionsDoNotChangeValues: the driver can be told to make times of
// texts and of numbers, and to begin transactions in its own way.
func TestDriverOptionsDoNotChangeValues(t *testing.T) {
	db := open(t, "_texttotime=1", "_inttotime=1", "_txlock=exclusive", "_time_format=sqlite")
	exec(t, db, `CREATE TABLE t (at TIMESTAMP PRIMARY KEY, d DATE, s TEXT, b BOOLEAN, z TIMESTAMPTZ, n INTEGER)`,
		`INSERT INTO t VALUES ('2006-01-02 15:04:05', '2006-01-02', '2006-01-02 15:04:05', 1, '2006-01-02 15:04:05+00', 5)`)
	c := conn(t, db)
	st := source(t, c, "t", "t")
	install(t, c, st)
	exec(t, db, "UPDATE t SET n = 6")
	want := `"2006-01-02 15:04:05","2006-01-02","2006-01-02 15:04:05","t","2006-01-02 15:04:05+00","6",`
	for _, q := range []string{dialect.Select(st, nil, 0), dialect.Changes(group, st, "0", "9", replication.SomeKeys)} {
		columns, skip := st.Columns, 0
		if strings.Contains(q, "ashlar_log") {
			columns, skip = append([]replication.Column{{Kind: replication.Int}}, columns...), 1
		}
		n := 0
		if err := dialect.Stream(t.Context(), c, q, columns, func(row [][]byte) error {
			if n++; text(row[skip:]) != want {
				t.Errorf("%s", text(row[skip:]))
			}
			return nil
		}); err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
	}
}

func TestFaultsAreTold(t *testing.T) {
	db := open(t, "_pragma=foreign_keys(on)")
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT NOT NULL CHECK (b > 0), r INT REFERENCES t)`, `INSERT INTO t VALUES (1, 'a', 1, NULL)`,
		`CREATE TABLE s (i INT) STRICT`, `CREATE TABLE w (k INT PRIMARY KEY) WITHOUT ROWID`, `INSERT INTO w VALUES (1)`, `CREATE TRIGGER x BEFORE DELETE ON t BEGIN SELECT raise(ABORT, 'no'); END`)
	for q, want := range map[string]replication.Fault{
		`INSERT INTO t VALUES (1, 'b', 1, NULL)`: replication.Unique, `INSERT INTO t VALUES (2, 'a', 1, NULL)`: replication.Unique, `INSERT INTO w VALUES (1)`: replication.Unique,
		`INSERT INTO t VALUES (2, 'b', NULL, NULL)`: replication.Integrity, `INSERT INTO t VALUES (2, 'b', 0, NULL)`: replication.Integrity, `INSERT INTO t VALUES (2, 'b', 1, 9)`: replication.Integrity,
		`INSERT INTO s VALUES ('x')`: replication.Integrity, `INSERT INTO t VALUES ('x', 'b', 1, NULL)`: replication.Integrity,
		`SELECT * FROM missing`: replication.Missing, `SELECT missing FROM t`: replication.Missing, `INSERT INTO t (missing) VALUES (1)`: replication.Missing, `SELECT missing()`: replication.Missing,
		`PRAGMA query_only = on; DELETE FROM w; `: replication.Denied, `SELEC`: replication.Other,
	} {
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.ExecContext(t.Context(), q)
		_, _ = c.ExecContext(t.Context(), "PRAGMA query_only = off")
		_ = c.Close()
		if err == nil {
			t.Errorf("%s did not fail", q)
			continue
		}
		for how, err := range map[string]error{"by code": fmt.Errorf("wrapped: %w", err), "by text": errors.New(err.Error())} {
			if got := dialect.Fault(err); got != want {
				t.Errorf("%s, %s: %v is fault %d, want %d", q, how, err, got, want)
			}
		}
	}
	if dialect.Fault(nil) != replication.Other || dialect.Fault(errors.New("database is locked (5)")) != replication.Transient {
		t.Error("no error, or a busy one")
	}
}
