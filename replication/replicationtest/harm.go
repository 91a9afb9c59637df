package replicationtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

func testForeignMasterIsRefused(t *testing.T, p Pair) {
	l := newLab(t, p)
	l.table(l.source, "home", 1, integer("id"))
	l.exec(l.source, "INSERT INTO home VALUES (1)")
	r := l.started(nil, "home")
	_ = r.Close()

	// Another system with the same tables.
	abroad := l.pair.Source(t)
	l.table(abroad, "home", 1, integer("id"))
	cfg := replication.Config{Node: "n1", Source: abroad, Target: l.target, Tables: []replication.Table{{Source: "home"}}}
	foreign, err := replication.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	if err := foreign.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.Step(t.Context()); !errors.Is(err, replication.ErrForeignPosition) && !errors.Is(err, replication.ErrNeedResync) {
		t.Fatalf("another master: %v, want ErrForeignPosition", err)
	}
	if n := len(l.rows(l.target, "home")); n != 1 {
		t.Fatalf("the replica has %d rows after a refusal, want 1", n)
	}

	// The same system, gone back in time: what it noted of the node is older.
	node := l.kept(l.source, "node")
	var token string
	if err := l.source.DB.QueryRowContext(t.Context(), "SELECT token FROM "+node).Scan(&token); err != nil {
		t.Fatal(err)
	}
	l.step(r)
	l.exec(l.source, "UPDATE "+node+" SET token = ?", "of an earlier state")
	_ = r.Close()
	back := l.replicator(nil, "home")
	if _, err := back.Step(t.Context()); !errors.Is(err, replication.ErrForeignPosition) {
		t.Fatalf("a master that went back in time: %v, want ErrForeignPosition", err)
	}
	// Copying anew is the way out.
	if err := back.Copy(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.exec(l.source, "INSERT INTO home VALUES (2)")
	l.step(back)
	l.equal("home")
}

// kept is the SQL name of one of the library's own tables.
func (l *lab) kept(end replication.End, table string) string {
	return end.Dialect.Quote(end.Dialect.Bookkeeping(table))
}

func testDriftIsNoticed(t *testing.T, p Pair) {
	for _, drift := range []struct{ name, statement string }{
		{"a column is added", "ALTER TABLE drift ADD extra INTEGER"},
		{"a column is dropped", "ALTER TABLE drift DROP COLUMN other"},
		{"a column is renamed", "ALTER TABLE drift RENAME COLUMN other TO another"},
	} {
		t.Run(drift.name, func(t *testing.T) {
			l := newLab(t, p)
			l.table(l.source, "drift", 1, integer("id"), text("v", 20), integer("other"))
			l.exec(l.source, "INSERT INTO drift VALUES (1, 'a', 1)")
			r := l.started(nil, "drift")
			l.exec(l.source, "UPDATE drift SET v = 'before' WHERE id = 1")
			before := l.rows(l.target, "drift")
			l.exec(l.source, drift.statement)
			_ = r.Close()
			r = l.replicator(nil, "drift")
			if _, err := r.Step(t.Context()); !errors.Is(err, replication.ErrDrift) && !errors.Is(err, replication.ErrNeedResync) {
				if drift.name == "a column is added" && err != nil && strings.Contains(err.Error(), "no column extra") {
					return // the replica lacks it: as clear
				}
				if err == nil || !strings.Contains(err.Error(), "column") {
					t.Fatalf("%v, want ErrDrift", err)
				}
			}
			same(t, "drift", before, l.rows(l.target, "drift"))
		})
	}
	t.Run("a trigger is gone", func(t *testing.T) {
		l := newLab(t, p)
		l.table(l.source, "drift", 1, integer("id"), text("v", 20))
		l.exec(l.source, "INSERT INTO drift VALUES (1, 'a')")
		r := l.started(nil, "drift")
		_ = r.Close()
		// Uninstalling and installing makes new triggers; what changed in between
		// was not logged.
		if err := r.Uninstall(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.exec(l.source, "INSERT INTO drift VALUES (2, 'not logged')")
		if _, err := r.Step(t.Context()); err == nil {
			t.Fatal("a step without triggers: no error")
		}
		if err := r.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Step(t.Context()); !errors.Is(err, replication.ErrDrift) && !errors.Is(err, replication.ErrNeedResync) && !errors.Is(err, replication.ErrForeignPosition) {
			t.Fatalf("%v, want ErrDrift or ErrNeedResync", err)
		}
		if err := r.Copy(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.equal("drift")
	})
}

func testPoisonRowIsNamed(t *testing.T, p Pair) {
	l := newLab(t, p)
	for _, end := range []replication.End{l.source, l.target} {
		l.table(end, "poison", 1, integer("id"), text("v", 40))
	}
	l.exec(l.target, "CREATE UNIQUE INDEX u_poison ON poison (v)")
	r := l.started(nil, "poison")
	l.tx(func(exec func(string, ...any)) {
		for i := range 100 {
			exec("INSERT INTO poison VALUES (?, ?)", i, fmt.Sprint(i))
		}
		exec("UPDATE poison SET v = 'twice' WHERE id IN (40, 70)") // the replica alone has a rule against it
	})
	_, err := r.Step(t.Context())
	var apply *replication.ApplyError
	if !errors.As(err, &apply) || !strings.EqualFold(apply.Table, "poison") && !strings.HasSuffix(apply.Table, ".poison") {
		t.Fatalf("%v, want an ApplyError for table poison", err)
	}
	if n := len(l.rows(l.target, "poison")); n != 0 {
		t.Errorf("%d rows of a refused batch were applied", n)
	}
	l.exec(l.source, "UPDATE poison SET v = 'once' WHERE id = 70")
	l.step(r)
	l.equal("poison")

	// A value that the replica's column cannot hold.
	l.table(l.source, "narrow", 1, integer("id"), text("v", 100))
	l.table(l.target, "narrow", 1, integer("id"), text("v", 10))
	r2 := l.started(func(c *replication.Config) { c.Node = "n2" }, "narrow")
	l.tx(func(exec func(string, ...any)) {
		for i := range 300 {
			exec("INSERT INTO narrow VALUES (?, 'short')", i)
		}
		exec("UPDATE narrow SET v = 'much too long for it' WHERE id = 217")
	})
	_, err = r2.Step(t.Context())
	if err == nil {
		t.Fatal("a value that is too long: no error")
	}
	if !strings.Contains(err.Error(), "narrow") || !strings.Contains(err.Error(), "id=217") {
		t.Errorf("the error does not name the table and the row: %v", err)
	}
	if n := len(l.rows(l.target, "narrow")); n != 0 {
		t.Errorf("%d rows of a refused batch were applied", n)
	}
	if st := r2.Stats(); st.Errors != 1 {
		t.Errorf("stats %+v", st)
	}
}

func testVerifyAndRepair(t *testing.T, p Pair) {
	l := newLab(t, p)
	l.table(l.source, "truth", 1, integer("id"), text("v", 50))
	l.table(l.source, "words", 1, key(text("w", 50)), integer("n"))
	l.tx(func(exec func(string, ...any)) {
		for i := range 300 {
			exec("INSERT INTO truth VALUES (?, ?)", i, fmt.Sprint(i))
		}
		for _, w := range []string{"", "a", "A", "ä", "Ä", "z", "Z", "aa", "a b", "a-b", "é", "e", "日本", "🙂"} {
			exec("INSERT INTO words VALUES (?, 1)", w)
		}
	})
	r := l.started(nil, "truth", "words")
	l.verified(r)
	l.exec(l.target, "UPDATE truth SET v = 'tampered' WHERE id = 17")
	l.exec(l.target, "DELETE FROM truth WHERE id = 18")
	l.exec(l.target, "INSERT INTO truth VALUES (1000, 'extra')")
	l.exec(l.target, "DELETE FROM words WHERE w = 'ä'")
	l.exec(l.source, "UPDATE truth SET v = 'on its way' WHERE id = 19") // counts for nothing
	want := []string{"different truth id=17", "missing truth id=18", "extra truth id=1000", `missing words w="ä"`}
	check := func(diffs []replication.Diff) {
		t.Helper()
		var got []string
		for _, d := range diffs {
			got = append(got, d.What+" "+d.Table[strings.LastIndexByte(d.Table, '.')+1:]+" "+d.Key)
		}
		for _, w := range want {
			if !strings.Contains(strings.Join(got, "\n"), w) {
				t.Errorf("not found: %s", w)
			}
		}
		if len(got) != len(want) {
			t.Errorf("found %q, want %q", got, want)
		}
	}
	stop := l.run(r) // brings row 19
	var diffs []replication.Diff
	for d, err := range r.Verify(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		diffs = append(diffs, d)
	}
	check(diffs)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	diffs, err := r.Repair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	check(diffs)
	l.equal("truth", "words")
	l.verified(r)
	if st, err := r.Status(t.Context()); err != nil || st.Phase != replication.Following {
		t.Errorf("after the repair: %+v, %v", st, err)
	}
}

func testUninstallLeavesNothing(t *testing.T, p Pair) {
	l := newLab(t, p)
	l.table(l.source, "gone", 1, integer("id"))
	r := l.started(nil, "gone")
	plan, err := r.Plan(t.Context())
	if err != nil || len(plan.Statements) == 0 || len(plan.Columns) != 1 {
		t.Fatalf("plan %+v, %v", plan, err)
	}
	_ = r.Close()
	for range 2 {
		if err := r.Uninstall(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	l.exec(l.source, "INSERT INTO gone VALUES (1)")
	c, err := session(t.Context(), l.source)
	if err != nil {
		t.Fatal(err)
	}
	defer discard(c)
	layout, err := l.source.Dialect.Describe(t.Context(), c, "gone")
	if err != nil {
		t.Fatal(err)
	}
	st := replication.SourceTable{ID: "gone_1", Name: layout.Name, Columns: layout.Columns, Key: []int{0}}
	if prints, err := l.source.Dialect.Fingerprint(t.Context(), c, "ashlar", []replication.SourceTable{st}); err == nil && prints[0] != "" {
		t.Errorf("fingerprint %q after uninstalling, want none", prints[0])
	}
}
