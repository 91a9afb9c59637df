package sqlite_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// stage loads rows into the staging table as existing. A row whose first value
// is "gone" has only a key.
func stage(t testing.TB, c *sql.Conn, s replication.Staging, columns []replication.Column, rows ...[][]byte) error {
	t.Helper()
	exec(t, c, s.Clear...)
	all := append([]replication.Column{{Name: replication.StageNumber, Kind: replication.Int, Native: "bigint"}, {Name: replication.StageExists, Kind: replication.Int, Native: "bigint"}}, columns...)
	var staged [][][]byte
	for i, r := range rows {
		exists := "1"
		if len(r) > len(columns) {
			exists, r = "0", r[1:]
		}
		staged = append(staged, append([][]byte{fmt.Append(nil, i), []byte(exists)}, r...))
	}
	_, err := dialect.Load(t.Context(), c, s.Table, all, rowsOf(staged...))
	return err
}

// row makes a row of texts; "NULL" is NULL, and "gone" in front marks it so.
func row(values ...string) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		if v != "NULL" {
			out[i] = []byte(v)
		}
	}
	return out
}

func contents(t testing.TB, c *sql.Conn, query string) string {
	t.Helper()
	rows, err := c.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// staged is a table with unique columns, and a staging table for it.
func staged(t testing.TB) (*sql.Conn, replication.TargetTable, replication.Staging) {
	c := conn(t, open(t))
	exec(t, c, `CREATE TABLE t (a INT, b TEXT, u INT UNIQUE, v TEXT, PRIMARY KEY (a, b))`,
		`INSERT INTO t VALUES (1, 'x', 10, 'one'), (2, 'x', 20, 'two'), (3, 'x', 30, 'three'), (4, 'x', NULL, 'four')`)
	tt := target(describe(t, c, "t"), "t")
	s := dialect.Staging(tt)
	exec(t, c, s.Create...)
	exec(t, c, s.Create...)
	return c, tt, s
}

const all = `SELECT format('%d%s:%s:%s', a, b, ifnull(u, '-'), v) FROM t ORDER BY a, b`

func TestApplyIsExact(t *testing.T) {
	c, tt, s := staged(t)
	if err := stage(t, c, s, tt.Columns, row("1", "x", "11", "one"), row("gone", "2", "x", "NULL", "NULL"), row("3", "x", "30", "three"), row("5", "y", "50", "five"), row("gone", "9", "x", "NULL", "NULL")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		sql     string
		changed int64
	}{{s.DeleteGone, 1}, {s.Update, 1}, {s.Insert, 1}} {
		res, err := c.ExecContext(t.Context(), step.sql)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := res.RowsAffected(); n != step.changed {
			t.Errorf("%s changed %d rows, want %d", step.sql, n, step.changed)
		}
	}
	if got, want := contents(t, c, all), "1x:11:one 3x:30:three 4x:-:four 5y:50:five"; got != want {
		t.Errorf("have %s, want %s", got, want)
	}
}

func TestSwappedUniqueValuesAreAppliedByDeleting(t *testing.T) {
	c, tt, s := staged(t)
	if err := stage(t, c, s, tt.Columns, row("1", "x", "20", "one"), row("2", "x", "10", "two")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(t.Context(), s.Update); dialect.Fault(err) != replication.Unique {
		t.Fatalf("a swap by UPDATE: %v, fault %d", err, dialect.Fault(err))
	}
	exec(t, c, s.DeleteStaged, s.Insert)
	if got, want := contents(t, c, all), "1x:20:one 2x:10:two 3x:30:three 4x:-:four"; got != want {
		t.Errorf("have %s, want %s", got, want)
	}
}

func TestRivalsOthersAndKeep(t *testing.T) {
	c, tt, s := staged(t)
	if err := stage(t, c, s, tt.Columns, row("1", "x", "30", "one"), row("7", "x", "20", "new"), row("4", "x", "NULL", "four"), row("gone", "3", "x", "NULL", "NULL")); err != nil {
		t.Fatal(err)
	}
	exec(t, c, s.DeleteRivals...)
	if got, want := contents(t, c, all), "1x:10:one 4x:-:four"; got != want {
		t.Errorf("without rivals: have %s, want %s", got, want)
	}
	exec(t, c, s.Update, s.Insert, `INSERT INTO t VALUES (8, 'x', 80, 'other'), (NULL, 'x', 90, 'other')`, s.DeleteOthers)
	if got, want := contents(t, c, all), "1x:30:one 4x:-:four 7x:20:new"; got != want {
		t.Errorf("without others: have %s, want %s", got, want)
	}
	if _, err := c.ExecContext(t.Context(), s.Keep, 1, 3); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, c, "SELECT ashlar_n FROM "+dialect.Quote(s.Table)+" ORDER BY 1"); got != "1 2" {
		t.Errorf("kept %s", got)
	}
}

// TestReplicaKeepsChildrenOfRowsMadeAnew: DELETE and INSERT of a parent must not
// cascade, even where the caller's connections enforce foreign keys.
func TestReplicaKeepsChildrenOfRowsMadeAnew(t *testing.T) {
	db := open(t, "_pragma=foreign_keys(on)")
	exec(t, db, `CREATE TABLE p (id INTEGER PRIMARY KEY, u INT UNIQUE)`, `CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p ON DELETE CASCADE)`,
		`INSERT INTO p VALUES (1, 1), (2, 2)`, `INSERT INTO c VALUES (10, 1), (20, 2)`)
	c := conn(t, db)
	tt := target(describe(t, c, "p"), "p")
	s := dialect.Staging(tt)
	exec(t, c, s.Create...)
	tx, err := dialect.Begin(t.Context(), c, replication.Write)
	if err != nil {
		t.Fatal(err)
	}
	if ordered, err := dialect.Relax(t.Context(), c); ordered || err != nil {
		t.Fatalf("Relax = %t, %v", ordered, err)
	}
	if err := stage(t, c, s, tt.Columns, row("1", "2"), row("2", "1")); err != nil {
		t.Fatal(err)
	}
	exec(t, c, s.DeleteStaged, s.Insert)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, c, "SELECT id FROM c ORDER BY 1"); got != "10 20" {
		t.Errorf("children left: %s", got)
	}
}

func TestFoldingKeysAreToldApart(t *testing.T) {
	c := conn(t, open(t))
	exec(t, c, `CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY, v TEXT COLLATE NOCASE)`, `INSERT INTO t VALUES ('A', 'x'), ('b', 'y')`)
	l := describe(t, c, "t")
	if !l.Columns[0].Folds || !l.Columns[1].Folds {
		t.Fatalf("the collation was not seen: %+v", l.Columns)
	}
	tt := target(l, "t")
	s := dialect.Staging(tt)
	exec(t, c, s.Create...)
	if err := stage(t, c, s, tt.Columns, row("gone", "a", "NULL"), row("B", "Y"), row("c", "z")); err != nil {
		t.Fatal(err)
	}
	exec(t, c, s.DeleteGone)
	exec(t, c, s.DeleteRivals...)
	exec(t, c, s.Update, s.Insert)
	if got := contents(t, c, "SELECT k || v FROM t ORDER BY k COLLATE BINARY"); got != "Ax BY cz" {
		t.Errorf("have %s", got)
	}
	if err := stage(t, c, s, tt.Columns, row("A", "X")); err != nil {
		t.Fatal(err)
	}
	exec(t, c, s.Update)
	if got := contents(t, c, "SELECT k || v FROM t ORDER BY k COLLATE BINARY"); got != "AX BY cz" {
		t.Errorf("have %s", got)
	}
}

// TestStatementsFindRowsByIndex: none of them reads the table for each batch.
func TestStatementsFindRowsByIndex(t *testing.T) {
	c, tt, s := staged(t)
	st := source(t, c, "t", "t")
	install(t, c, st)
	key := row("1", "x")
	queries := append([]string{s.DeleteGone, s.DeleteStaged, s.Update, s.Insert, dialect.Changes(group, st, "1", "2", replication.SomeKeys), dialect.Select(st, key, 10),
		dialect.Lookup(st, [][][]byte{key, row("2", "y")}), `DELETE FROM ashlar_log_t WHERE ashlar_k1 IS +1 AND ashlar_k2 IS +'x'`}, s.DeleteRivals...)
	_ = tt
	for _, q := range queries {
		rows, err := c.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
			if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "ashlar_stage_t") && detail != "SCAN s" && !strings.Contains(detail, "VALUES") || strings.Contains(detail, "AUTOMATIC") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s: %q", q, detail)
			}
		}
		_ = rows.Close()
		if len(plan) == 0 {
			t.Errorf("%s has no plan", q)
		}
	}
}
