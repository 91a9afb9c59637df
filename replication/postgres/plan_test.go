package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// explain returns the plan of a query as it ran.
func explain(t testing.TB, c execer, query string) string {
	t.Helper()
	return one[string](t, c, "SELECT explain($1)", query)
}

const explainer = `CREATE FUNCTION explain(query text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE line text; plan text := ''; BEGIN
		FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP plan := plan || line || E'\n'; END LOOP; RETURN plan; END $$`

// However little the planner knows of the log, few keys are looked up and many
// are joined.
func TestChangesPlanFollowsTheNumberOfKeys(t *testing.T) {
	c := session(t, open(t))
	do(t, c, explainer, "CREATE TABLE t (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off)",
		"INSERT INTO t SELECT i, 'some text ' || i FROM generate_series(1, 200000) i", "ANALYZE t")
	src := table(t, c, "t", "t")
	install(t, c, src)
	do(t, c, "ALTER TABLE ashlar.log_t_0 SET (autovacuum_enabled = off)", "ALTER TABLE ashlar.log_t_1 SET (autovacuum_enabled = off)")
	node := stand(t, c, src)
	for _, tc := range []struct {
		keys    int
		analyze bool
		looksUp bool
	}{{5, false, true}, {200000, false, false}, {1500, true, true}} {
		if tc.analyze { // what it then knows is of the past
			do(t, c, "ANALYZE ashlar.log_t_0")
		}
		do(t, c, fmt.Sprintf("UPDATE t SET v = v || '!' WHERE id %% (200000 / %d) = 0", tc.keys))
		if tc.keys == 5 {
			do(t, c, "UPDATE t SET v = v WHERE id IN (1, 2)")
		}
		err := node.snapshot(t.Context(), func(to string) error {
			if tc.keys <= 1000 {
				if plan := explain(t, c, d.Changes(group, src, node.at, to, 1000)); strings.Contains(plan, "Seq Scan on t") {
					t.Errorf("%d keys known to be few:\n%s", tc.keys, plan)
				}
			}
			plan := explain(t, c, d.Changes(group, src, node.at, to, replication.SomeKeys))
			// The plan that was not taken says so.
			ran := taken(plan)
			if tc.looksUp && (strings.Contains(ran, "Seq Scan on t") || !strings.Contains(ran, "Index Scan using t_pkey")) {
				t.Errorf("%d keys of 200000 (analyzed: %v):\n%s", tc.keys, tc.analyze, plan)
			}
			if !tc.looksUp && (!strings.Contains(ran, "Full Join") || strings.Contains(ran, "Nested Loop")) {
				t.Errorf("%d keys of 200000 (analyzed: %v):\n%s", tc.keys, tc.analyze, plan)
			}
			node.at = to
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stand is a node at the present, without rows.
func stand(t testing.TB, c conn, tables ...replication.SourceTable) *replica {
	t.Helper()
	node := &replica{c: c, tables: tables}
	if err := node.snapshot(t.Context(), func(at string) error { node.at = at; return nil }); err != nil {
		t.Fatal(err)
	}
	return node
}

// taken leaves out of a plan what never ran.
func taken(plan string) string {
	var out []string
	for line := range strings.SplitSeq(plan, "\n") {
		if !strings.Contains(line, "(never executed)") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// An idle poll is cheap, however many rows another node keeps in the log.
func TestIdlePollIsCheapWithALongLog(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v int)", "CREATE TABLE other (id int)", "INSERT INTO t SELECT i, 0 FROM generate_series(1, 200000) i")
	src := table(t, c, "t", "t")
	install(t, c, src)
	do(t, c, "UPDATE t SET v = 1", "VACUUM ANALYZE ashlar.log_t_0")
	node := stand(t, c, src)
	best := time.Hour
	for range 10 {
		do(t, c, "INSERT INTO other VALUES (1)")
		began := time.Now()
		err := node.snapshot(t.Context(), func(to string) error {
			changes, err := d.Changed(t.Context(), c, group, node.tables, node.at, to)
			if err == nil && changes[0] != replication.Nothing {
				t.Errorf("Changed = %v", changes)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(began))
	}
	t.Logf("idle poll with 200,000 rows in the log: %v", best)
	if best > 20*time.Millisecond {
		t.Errorf("an idle poll takes %v", best)
	}
}

// Statements of an apply are planned each time they run.
func TestPlansOfStagingAreNotReused(t *testing.T) {
	c := session(t, open(t))
	do(t, c, explainer, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT i, 0 FROM generate_series(1, 200000) i", "ANALYZE t")
	src := table(t, c, "t", "t")
	l, err := d.Describe(t.Context(), c, "t")
	if err != nil {
		t.Fatal(err)
	}
	st := d.Staging(target(src, l))
	do(t, c, st.Create...)
	for range 3 {
		for _, n := range []int{5, 100000} {
			stageRows(t, c, st, src, n, func() {
				plan := explain(t, c, st.Update)
				if n == 5 && strings.Contains(plan, "Seq Scan on t") || n > 5 && !strings.Contains(plan, "Hash Join") && !strings.Contains(plan, "Merge Join") {
					t.Fatalf("Update of %d rows:\n%s", n, plan)
				}
				do(t, c, st.DeleteGone, st.Update, st.Insert)
			})
		}
	}
	if n := one[int](t, c, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%ashlar_t_%' AND statement NOT LIKE '%explain%'"); n != 0 {
		t.Errorf("%d statements are prepared", n)
	}
}

// stageRows stages rows 1 to n in a transaction, in which fn runs.
func stageRows(t testing.TB, c conn, st replication.Staging, src replication.SourceTable, n int, fn func()) {
	t.Helper()
	tx, err := d.Begin(t.Context(), c, replication.Write)
	if err != nil {
		t.Fatal(err)
	}
	columns := append([]replication.Column{{Name: replication.StageNumber, Kind: replication.Int}, {Name: replication.StageExists, Kind: replication.Int}}, src.Columns...)
	i := 0
	if _, err := d.Load(t.Context(), c, st.Table, columns, func() ([][]byte, error) {
		if i == n {
			return nil, eof
		}
		i++
		s := fmt.Sprint(i)
		row := values(s, "1", s)
		for len(row) < len(columns) {
			row = append(row, []byte(s))
		}
		return row, nil
	}); err != nil {
		t.Fatal(err)
	}
	if n >= 1000 {
		do(t, c, st.Ready...)
	}
	fn()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}
