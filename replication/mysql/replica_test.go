package mysql_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// apply does what the engine does with a batch. It reports whether it had to
// delete and insert.
func apply(t testing.TB, c *sql.Conn, to replication.TargetTable, exist, gone [][][]byte) (replaced bool) {
	t.Helper()
	st := d.Staging(to)
	run(t, c, st.Create...)
	run(t, c, st.Clear...)
	tx, err := d.Begin(t.Context(), c, replication.Write)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := d.Relax(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	columns := append([]replication.Column{
		{Name: replication.StageNumber, Kind: replication.Int, Native: "bigint"},
		{Name: replication.StageExists, Kind: replication.Int, Native: "bigint"}}, to.Columns...)
	var rows [][][]byte
	for n, row := range append(slices.Clone(exist), gone...) {
		exists := 1
		if n >= len(exist) {
			exists = 0
		}
		rows = append(rows, append(values(n, exists), row...))
	}
	if _, err := d.Load(t.Context(), c, st.Table, columns, each(rows...)); err != nil {
		t.Fatal(err)
	}
	run(t, c, "SAVEPOINT s")
	for _, q := range []string{st.DeleteGone, st.Update, st.Insert} {
		if _, err := c.ExecContext(t.Context(), q); err != nil {
			if d.Fault(err) != replication.Unique {
				t.Fatalf("%s: %v", q, err)
			}
			replaced = true
			break
		}
	}
	if replaced {
		run(t, c, "ROLLBACK TO SAVEPOINT s", st.DeleteStaged, st.Insert)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return replaced
}

func TestApplyUpdatesInsertsAndDeletes(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (k VARCHAR(20) COLLATE utf8mb4_general_ci, v VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL, u INT UNIQUE, g INT AS (u+1), PRIMARY KEY (k))",
		"INSERT INTO t (k,v,u) VALUES ('a','one',1),('b','two',2),('c','three',3),('d','four',4)")
	to, s := target(t, c, "t"), source(t, c, "t")
	check := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, row := range all(t, c, s) {
			got = append(got, strings.ReplaceAll(text(row), `"`, ""))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	apply(t, c, to, [][][]byte{values("a", "ONE", 1), values("e", "five", nil)}, [][][]byte{values("b", nil, nil), values("zz", nil, nil)})
	check("update to another case, insert, delete", "a ONE 1", "c three 3", "d four 4", "e five NULL")
	apply(t, c, to, [][][]byte{values("a", "ONE ", 1)}, nil)
	check("a blank more", "a ONE  1", "c three 3", "d four 4", "e five NULL")
	apply(t, c, to, [][][]byte{values("A", "ONE", 1)}, [][][]byte{values("a", nil, nil)})
	check("key in another case", "A ONE 1", "c three 3", "d four 4", "e five NULL")
	apply(t, c, to, [][][]byte{values("A", "ONE", 1)}, [][][]byte{values("a", nil, nil)})
	check("again", "A ONE 1", "c three 3", "d four 4", "e five NULL")
	if !apply(t, c, to, [][][]byte{values("c", "three", 4), values("d", "four", 3)}, nil) {
		t.Error("unique values were swapped by updates")
	}
	check("unique swap", "A ONE 1", "c three 4", "d four 3", "e five NULL")
	st := d.Staging(to)
	run(t, c, st.Clear...)
	run(t, c, fmt.Sprintf("INSERT INTO %s VALUES (0,1,'x','new',4),(1,1,'e','EIGHT',8),(2,1,'A','ONE',1),(3,0,'c',NULL,NULL)", d.Quote(st.Table)))
	for _, q := range st.DeleteRivals {
		run(t, c, q)
	}
	check("rivals", "A ONE 1", "d four 3", "e five NULL")
	run(t, c, st.DeleteOthers)
	check("others", "A ONE 1", "e five NULL")
	if _, err := c.ExecContext(t.Context(), st.Keep, 1, 3); err != nil {
		t.Fatal(err)
	}
	run(t, c, st.Update, st.Insert)
	check("kept", "A ONE 1", "e EIGHT 8")
	run(t, c, st.Create...) // again does nothing
}

func TestApplyNeverRewritesAnotherRow(t *testing.T) {
	t.Parallel()
	// ON DUPLICATE KEY UPDATE turns row 2 into row 3 here.
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE)", "INSERT INTO t VALUES (1,10),(2,20)")
	to, s := target(t, c, "t"), source(t, c, "t")
	apply(t, c, to, [][][]byte{values(3, 20), values(2, 30)}, nil)
	var got []string
	for _, row := range all(t, c, s) {
		got = append(got, text(row))
	}
	if want := `"1" "10","2" "30","3" "20"`; strings.Join(got, ",") != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRelaxEndsWithTheTransaction(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE p (id INT PRIMARY KEY)", "CREATE TABLE ch (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id))")
	for _, commit := range []bool{true, false} {
		tx, err := d.Begin(t.Context(), c, replication.Write)
		if err != nil {
			t.Fatal(err)
		}
		if ordered, err := d.Relax(t.Context(), c); err != nil || ordered {
			t.Fatal(ordered, err)
		}
		run(t, c, "REPLACE INTO ch VALUES (1,1)")
		if commit {
			err = tx.Commit()
		} else {
			err = tx.Rollback()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.ExecContext(t.Context(), "INSERT INTO ch VALUES (2,2)"); d.Fault(err) != replication.Integrity {
			t.Errorf("after commit=%v: %v", commit, err)
		}
		if err := tx.Rollback(); err == nil {
			t.Error("Rollback after the end returned no error")
		}
	}
}

// Statements of the engine's own books: a table by Create under Bookkeeping.
func TestBookkeepingTables(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	table := replication.TargetTable{Name: d.Bookkeeping("node"), Key: []int{0, 1}, Columns: []replication.Column{
		{Name: "grp", Kind: replication.Text, Size: 100}, {Name: "node", Kind: replication.Text, Size: 100},
		{Name: "seen", Kind: replication.Int, Nullable: true}, {Name: "position", Kind: replication.Text, Nullable: true}}}
	run(t, c, d.Create(table)...)
	q := d.Quote(table.Name)
	if _, err := c.ExecContext(t.Context(), d.Bind("INSERT INTO "+q+" (grp, node, seen, position) VALUES (?, ?, ?, ?)"), "g", "N", 1, "x y"); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"N", "n", "N "} {
		var n int
		if err := c.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+q+" WHERE grp = ? AND node = ?", "g", node).Scan(&n); err != nil || (n == 1) != (node == "N") {
			t.Errorf("%q: %d rows, %v", node, n, err)
		}
	}
}
