package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// Every operation that changes rows reaches the node at its next poll, which
// compares the node with the master's snapshot.
func TestEveryOperationIsCaptured(t *testing.T) {
	const plain = `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 10) i`
	cases := []struct{ name, table, setup, change string }{
		{"insert", "t", plain, `INSERT INTO t VALUES (11, 'x'), (12, NULL)`},
		{"update", "t", plain, `UPDATE t SET v = 'x' WHERE id < 4`},
		{"update of nothing", "t", plain, `UPDATE t SET v = v`},
		{"delete", "t", plain, `DELETE FROM t WHERE id < 4`},
		{"insert and delete", "t", plain, `INSERT INTO t VALUES (11); DELETE FROM t WHERE id = 11`},
		{"delete and insert", "t", plain, `DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 'again')`},
		{"key update", "t", plain, `UPDATE t SET id = 100 WHERE id = 1`},
		{"key update of all rows", "t", plain, `UPDATE t SET id = id + 100`},
		{"key update chain", "t", plain, `UPDATE t SET id = 100 WHERE id = 1; UPDATE t SET id = 101 WHERE id = 100; DELETE FROM t WHERE id = 101`},
		{"key swap", "t", plain, `UPDATE t SET id = -1 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2; UPDATE t SET id = 2 WHERE id = -1`},
		{"key changed by a trigger of the user's", "t", plain + `;
			CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := NEW.id + 1000; RETURN NEW; END';
			CREATE TRIGGER moves BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION moves()`, `UPDATE t SET v = 'moved' WHERE id = 3`},
		{"composite key", "t", `CREATE TABLE t (b text, v int, a int, PRIMARY KEY (a, b)); INSERT INTO t VALUES ('x', 1, 1), ('x', 2, 2), ('y', 3, 1)`,
			`UPDATE t SET b = 'z' WHERE a = 1 AND b = 'x'; DELETE FROM t WHERE b = 'y'; INSERT INTO t VALUES ('y', 4, 2)`},
		{"unique index for a key", "t", `CREATE TABLE t (a int NOT NULL, b int NOT NULL, v text); CREATE UNIQUE INDEX ON t (b) INCLUDE (v); INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'y')`,
			`UPDATE t SET b = 3 WHERE b = 1; DELETE FROM t WHERE a = 2`},
		{"quoted names", `We "q" t.x`, `CREATE TABLE "We ""q"" t.x" ("The ""Key""?" int, "new" text, "$log$" text, "$ashlar$" int, k1 int, "tg_op" int, "our_table" int,
			PRIMARY KEY ("The ""Key""?", "new", "tg_op", "our_table")); INSERT INTO "We ""q"" t.x" SELECT i, 'a', 'b', i, i, i, i FROM generate_series(1, 3) i`,
			`UPDATE "We ""q"" t.x" SET "new" = 'z' WHERE k1 = 1; DELETE FROM "We ""q"" t.x" WHERE k1 = 2; INSERT INTO "We ""q"" t.x" VALUES (9, 'n', 'b', 1, 1, 1, 1)`},
		{"names in a key that look like the block's", "t", `CREATE TABLE t ("$log$" int, "$ashlar$" int, "ashlar_here" int, logged int, k1 int, PRIMARY KEY ("$log$", "$ashlar$", logged)); INSERT INTO t VALUES (1, 1, 1, 1, 1), (2, 2, 2, 2, 2)`,
			`UPDATE t SET k1 = 7 WHERE k1 = 1; DELETE FROM t WHERE k1 = 2`},
		{"cascade", "child", `CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
			INSERT INTO parent VALUES (1), (2), (3); INSERT INTO child VALUES (10, 1), (20, 2), (30, 3)`, `DELETE FROM parent WHERE id = 1; UPDATE parent SET id = 4 WHERE id = 2`},
		{"cascade to null and default", "child", `CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent ON DELETE SET NULL);
			INSERT INTO parent VALUES (1); INSERT INTO child VALUES (10, 1)`, `DELETE FROM parent`},
		{"truncate", "t", plain, `TRUNCATE t`},
		{"truncate and insert", "t", plain, `TRUNCATE t; INSERT INTO t VALUES (5, 'only')`},
		{"insert and truncate", "t", plain, `INSERT INTO t VALUES (50, 'x'); TRUNCATE t`},
		{"truncate cascade", "child", `CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent);
			INSERT INTO parent VALUES (1); INSERT INTO child VALUES (10, 1)`, `TRUNCATE parent CASCADE`},
		{"on conflict do update", "t", plain, `INSERT INTO t VALUES (1, 'x'), (99, 'y') ON CONFLICT (id) DO UPDATE SET v = excluded.v`},
		{"on conflict do nothing", "t", plain, `INSERT INTO t VALUES (1, 'x'), (99, 'y') ON CONFLICT DO NOTHING`},
		{"merge", "t", plain, `MERGE INTO t USING (VALUES (1, 'x'), (2, NULL), (99, 'y')) s (id, v) ON t.id = s.id
			WHEN MATCHED AND s.v IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)`},
		{"writing CTE", "t", plain, `WITH gone AS (DELETE FROM t WHERE id < 3 RETURNING id) INSERT INTO t SELECT id + 100 FROM gone`},
		{"writer in replica role", "t", plain, `SET session_replication_role = replica; UPDATE t SET v = 'x' WHERE id = 1; DELETE FROM t WHERE id = 2;
			UPDATE t SET id = 33 WHERE id = 3; RESET session_replication_role`},
		{"savepoint rolled back", "t", plain, `BEGIN; UPDATE t SET v = 'stays' WHERE id = 1; SAVEPOINT s; UPDATE t SET v = 'goes' WHERE id = 2; DELETE FROM t WHERE id = 1;
			ROLLBACK TO s; SAVEPOINT s2; UPDATE t SET v = 'sub' WHERE id = 3; RELEASE s2; COMMIT`},
		{"rolled back", "t", plain, `BEGIN; UPDATE t SET v = 'goes'; ROLLBACK`},
		{"domain key", "t", `CREATE DOMAIN strict AS int NOT NULL CHECK (VALUE > 0); CREATE DOMAIN stricter AS strict; CREATE TABLE t (id stricter PRIMARY KEY, v strict); INSERT INTO t VALUES (1, 1), (2, 2)`,
			`DELETE FROM t WHERE id = 1; UPDATE t SET v = 3; TRUNCATE t`},
		{"folding key", "t", `CREATE COLLATION folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
			CREATE TABLE t (k text COLLATE folds PRIMARY KEY, v int); INSERT INTO t VALUES ('a', 1), ('b', 2)`,
			`UPDATE t SET k = 'A' WHERE v = 1; DELETE FROM t WHERE k = 'B'; INSERT INTO t VALUES ('c', 3)`},
		{"char key", "t", `CREATE TABLE t (k char(5) PRIMARY KEY, v int); INSERT INTO t VALUES ('a', 1), ('b', 2)`, `UPDATE t SET k = 'aa' WHERE k = 'a'; DELETE FROM t WHERE k = 'b'`},
		{"enum key", "t", `CREATE TYPE mood AS ENUM ('sad', 'ok', 'Happy'); CREATE TABLE t (k mood PRIMARY KEY, v int); INSERT INTO t VALUES ('sad', 1), ('ok', 2)`, `UPDATE t SET k = 'Happy' WHERE k = 'sad'`},
		{"native keys", "t", `CREATE TABLE t (k int[], r int4range, PRIMARY KEY (k, r)); INSERT INTO t VALUES ('{1,2}', '[1,3)'), ('{3}', 'empty')`, `UPDATE t SET k = '{4,NULL}' WHERE k = '{3}'; DELETE FROM t WHERE k = '{1,2}'`},
		{"generated column", "t", `CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED); INSERT INTO t (a) VALUES (1), (2)`,
			`UPDATE t SET a = 5 WHERE id = 1; INSERT INTO t (a) VALUES (7)`},
		{"partitions by their parent", "p", partitions, `INSERT INTO p VALUES (3, 'c'), (203, 'd'); UPDATE p SET v = 'x' WHERE id = 1; DELETE FROM p WHERE id = 201; UPDATE p SET id = 250 WHERE id = 2`},
		{"partitions themselves", "p", partitions, `INSERT INTO p_low VALUES (3, 'c'); UPDATE p_low SET v = 'x' WHERE id = 1; DELETE FROM p_high_a WHERE id = 201; UPDATE p_low SET id = 50 WHERE id = 2`},
		{"one partition, by the parent", "p_low", partitions, `INSERT INTO p VALUES (3, 'c'), (203, 'd'); UPDATE p SET v = 'x'; UPDATE p SET id = 250 WHERE id = 2`},
		{"truncate of a partition", "p", partitions, `TRUNCATE p_high_a`},
		{"truncate of the parent, for a partition", "p_low", partitions, `TRUNCATE p`},
		{"inheriting table, by its parent", "child", `CREATE TABLE base (id int, v text); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (base); INSERT INTO child VALUES (1, 'a'), (2, 'b')`,
			`UPDATE base SET v = 'x' WHERE id = 1; DELETE FROM base WHERE id = 2; INSERT INTO child VALUES (3, 'c')`},
		{"composite type for a key", "t", `CREATE TYPE pair AS (a int, b int); CREATE TABLE t (k pair PRIMARY KEY, v int); INSERT INTO t VALUES ('(,)', 1), ('(1,)', 2), ('(2,2)', 3)`,
			`UPDATE t SET v = 7; DELETE FROM t WHERE v = 7 AND k = '(2,2)'::pair`},
		{"no rows", "t", plain, `UPDATE t SET v = 'x' WHERE false; DELETE FROM t WHERE false; INSERT INTO t SELECT 1, 'x' WHERE false`},
	}
	db := open(t)
	for i, tc := range cases {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			c := session(t, db)
			s := fmt.Sprintf("case%d", i)
			do(t, c, "CREATE SCHEMA "+s, "SET search_path = "+s)
			if tc.name == "merge" && one[int](t, c, "SELECT current_setting('server_version_num')::int") < 150000 {
				t.Skip("SKIPPED: MERGE needs version 15")
			}
			do(t, c, tc.setup)
			src := table(t, c, fmt.Sprintf("c%d", i), tc.table)
			install(t, c, src)
			node := follow(t, c, src)
			do(t, c, tc.change)
			node.poll(t)
			node.poll(t)
			if node.keys != 0 {
				t.Errorf("an idle poll delivers %d keys", node.keys)
			}
			if got := fingerprints(t, c, src); got[0] == "" {
				t.Error("not whole after the change")
			}
		})
	}
}

const partitions = `CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (0) TO (100);
	CREATE TABLE p_high PARTITION OF p FOR VALUES FROM (200) TO (400) PARTITION BY RANGE (id);
	CREATE TABLE p_high_a PARTITION OF p_high FOR VALUES FROM (200) TO (300);
	INSERT INTO p VALUES (1, 'a'), (2, 'b'), (201, 'c'), (202, 'd')`

func TestCopyFromIsCaptured(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	src := table(t, c, "t", "t")
	install(t, c, src)
	node := follow(t, c, src)
	if n, err := d.Load(t.Context(), c, src.Name, src.Columns, rowsOf(values("1", "a"), values("2", "NULL"))); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	node.poll(t)
	if node.keys != 2 {
		t.Fatalf("%d keys, want 2", node.keys)
	}
}

// The subscription's worker fires triggers over rows only.
func TestTableOfSubscriptionIsCapturedByRow(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false)")
	t.Cleanup(func() { // a subscription with a slot keeps the database from being dropped
		for _, q := range []string{"ALTER SUBSCRIPTION s DISABLE", "ALTER SUBSCRIPTION s SET (slot_name = NONE)", "DROP SUBSCRIPTION s"} {
			if _, err := c.ExecContext(t.Context(), q); err != nil && t.Context().Err() == nil {
				t.Log(err)
			}
		}
	})
	src := table(t, c, "t", "t")
	install(t, c, src)
	do(t, c, "SET allow_system_table_mods = on", "INSERT INTO pg_subscription_rel SELECT oid, 't'::regclass, 'r', NULL FROM pg_subscription")
	if p := fingerprints(t, c, src); p[0] != "" {
		t.Error("triggers over statements are said to be whole for a table that a subscription writes")
	}
	install(t, c, src)
	if n := one[int](t, c, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgtype & 1 = 1"); n != 4 {
		t.Errorf("%d triggers over rows, want 4", n)
	}
	do(t, c, "DELETE FROM pg_subscription_rel", "ALTER SUBSCRIPTION s SET (slot_name = NONE)", "DROP SUBSCRIPTION s")
}

func TestTableWithHeirsIsRefused(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE base (id int PRIMARY KEY)", "CREATE TABLE heir () INHERITS (base)")
	statements := d.Install(group, []replication.SourceTable{table(t, c, "t", "base")})
	do(t, c, statements[0])
	if _, err := c.ExecContext(t.Context(), statements[1]); err == nil || !strings.Contains(err.Error(), "inherit") {
		t.Fatalf("Install = %v", err)
	}
}

// A prepared transaction stays in every snapshot's list until it ends.
func TestPreparedTransactionIsCapturedWhenItCommits(t *testing.T) {
	db := openURL(t, startPostgres(t, "-c", "max_prepared_transactions=5").URL)
	c, writer := session(t, db), session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
	src := table(t, c, "t", "t")
	install(t, c, src)
	node := follow(t, c, src)
	do(t, writer, "BEGIN", "UPDATE t SET v = 'prepared' WHERE id = 1", "PREPARE TRANSACTION 'x'")
	for i := range 3 {
		do(t, writer, fmt.Sprintf("INSERT INTO t VALUES (%d, 'later')", 10+i))
		node.poll(t)
		if node.keys != 1 {
			t.Fatalf("poll %d delivers %d keys, want 1", i, node.keys)
		}
		if _, err := d.Trim(t.Context(), writer, group, node.tables, []string{node.at}); err != nil {
			t.Fatal(err)
		}
	}
	do(t, writer, "COMMIT PREPARED 'x'")
	node.poll(t)
	if node.keys != 1 {
		t.Fatalf("after the commit %d keys are delivered, want 1", node.keys)
	}
}

func TestTransactionOpenBeforeInstallIsCaptured(t *testing.T) {
	db := open(t)
	c, writer := session(t, db), session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "CREATE TABLE other (id int)", "INSERT INTO t VALUES (1, 'a')")
	src := table(t, c, "t", "t")
	// It has a snapshot and an id, but has not written to the table.
	do(t, writer, "BEGIN ISOLATION LEVEL REPEATABLE READ", "INSERT INTO other VALUES (1)", "SELECT * FROM t")
	install(t, c, src)
	node := follow(t, c, src)
	do(t, writer, "UPDATE t SET v = 'x'", "INSERT INTO t VALUES (2, 'b')")
	node.poll(t)
	do(t, writer, "COMMIT")
	node.poll(t)
	if node.keys != 2 {
		t.Fatalf("%d keys, want 2", node.keys)
	}
}

func TestInstallWaitsForOlderWriters(t *testing.T) {
	db := open(t)
	c, writer := session(t, db), session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'a')", "SET lock_timeout = '100ms'")
	src := table(t, c, "t", "t")
	do(t, writer, "BEGIN", "UPDATE t SET v = 'x'")
	statements := d.Install(group, []replication.SourceTable{src})
	do(t, c, statements[0])
	_, err := c.ExecContext(t.Context(), statements[1])
	if d.Fault(err) != replication.Transient {
		t.Fatalf("Install during a write = %v, want a lock time-out", err)
	}
	do(t, writer, "COMMIT")
	install(t, c, src)
}

func TestUnprivilegedWriterIsCaptured(t *testing.T) {
	db := open(t)
	c, writer := session(t, db), session(t, db)
	role := one[string](t, c, "SELECT 'writer_' || oid FROM pg_database WHERE datname = current_database()")
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "CREATE ROLE "+role, "GRANT ALL ON t TO "+role,
		"REVOKE ALL ON SCHEMA public FROM public", "GRANT USAGE ON SCHEMA public TO "+role)
	t.Cleanup(func() { _, _ = db.Exec("DROP OWNED BY " + role + "; DROP ROLE " + role) })
	src := table(t, c, "t", "t")
	install(t, c, src)
	node := follow(t, c, src)
	do(t, writer, "SET ROLE "+role, `SET search_path = ''`, "INSERT INTO public.t VALUES (1, 'a'), (2, 'b')", "UPDATE public.t SET id = 3 WHERE id = 1",
		"DELETE FROM public.t WHERE id = 2", "TRUNCATE public.t")
	if _, err := writer.ExecContext(t.Context(), "INSERT INTO "+"ashlar.log_t_0 VALUES (1, 1)"); d.Fault(err) != replication.Denied {
		t.Errorf("the writer may write to the log: %v", err)
	}
	node.poll(t)
}

func TestWhereTakesRowsOutAndBack(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'in'), (2, 'out'), (3, 'in')")
	src := table(t, c, "t", "t")
	src.Where = "t.v = 'in' AND id < 100 -- a comment"
	install(t, c, src)
	node := follow(t, c, src)
	if len(node.rows[0]) != 2 {
		t.Fatalf("copied %v", node.rows[0])
	}
	do(t, c, "UPDATE t SET v = CASE v WHEN 'in' THEN 'out' ELSE 'in' END WHERE id < 3")
	node.poll(t)
	do(t, c, "TRUNCATE t", "INSERT INTO t VALUES (4, 'in'), (5, 'out')")
	node.poll(t)
	if len(node.rows[0]) != 1 {
		t.Fatalf("replica has %v", node.rows[0])
	}
}

func TestAllTablesAreOfOneSnapshot(t *testing.T) {
	db := open(t)
	c, writer := session(t, db), session(t, db)
	do(t, c, "CREATE TABLE a (id int PRIMARY KEY, v int)", "CREATE TABLE b (id int PRIMARY KEY, v int)", "INSERT INTO a VALUES (1, 50)", "INSERT INTO b VALUES (1, 50)")
	a, b := table(t, c, "a", "a"), table(t, c, "b", "b")
	install(t, c, a, b)
	node := follow(t, c, a, b)
	done := make(chan error, 1)
	go func() {
		for i := range 200 {
			_, err := writer.ExecContext(t.Context(), fmt.Sprintf("BEGIN; UPDATE a SET v = v - %d; UPDATE b SET v = v + %[1]d; COMMIT", i))
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		node.poll(t)
		var va, vb int
		if _, err := fmt.Sscanf(node.rows[0][`"1"`]+" "+node.rows[1][`"1"`], `"1"|"%d" "1"|"%d"`, &va, &vb); err != nil || va+vb != 100 {
			t.Fatalf("the sum is not 100: %v %v %v", node.rows[0], node.rows[1], err)
		}
	}
}

// A snapshot sees the effect of a TRUNCATE that commits after it was taken, but
// not its marker.
func TestTruncateAfterTheSnapshotMakesThePollRepeat(t *testing.T) {
	db := open(t)
	c, writer := session(t, db), session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)", partitions)
	for _, name := range []string{"t", "p"} {
		src := table(t, c, name, name)
		install(t, c, src)
		node := follow(t, c, src)
		do(t, writer, "INSERT INTO "+name+" VALUES (3)")
		err := node.snapshot(t.Context(), func(to string) error {
			do(t, writer, map[string]string{"t": "TRUNCATE t", "p": "TRUNCATE p_low"}[name])
			_, err := d.Changed(t.Context(), c, group, node.tables, node.at, to)
			return err
		})
		if err == nil || d.Fault(err) != replication.Transient {
			t.Fatalf("Changed = %v", err)
		}
		node.poll(t)
		do(t, writer, "INSERT INTO "+name+" VALUES (4)")
		err = node.snapshot(t.Context(), func(to string) error {
			if _, err := d.Changed(t.Context(), c, group, node.tables, node.at, to); err != nil {
				return err
			}
			// From here on nobody can.
			do(t, writer, "SET lock_timeout = '50ms'")
			if _, err := writer.ExecContext(t.Context(), "TRUNCATE "+name); d.Fault(err) != replication.Transient {
				t.Errorf("TRUNCATE of %s while it is read: %v", name, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		node.poll(t)
	}
}

func TestPositionOfTheFutureIsForeign(t *testing.T) {
	c := session(t, open(t))
	_, err := d.Changed(t.Context(), c, group, nil, "900:900:", "100:100:")
	if !errors.Is(err, replication.ErrForeignPosition) {
		t.Fatalf("Changed = %v", err)
	}
	for _, bad := range []string{"", "x", "1:2", "2:1:", "1:5:9", "1:5:3,2", "0:1:", "1:2:+1", "-1:5:", "1:99999999999999999999:", "1:2: "} {
		if _, err := d.Changed(t.Context(), c, group, nil, bad, "100:100:"); err == nil {
			t.Errorf("position %q is accepted", bad)
		}
	}
}

func TestReinstallLeavesWholeTablesAlone(t *testing.T) {
	db := open(t)
	c, reader := session(t, db), session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'a')")
	src := table(t, c, "t", "t")
	install(t, c, src)
	before := fingerprints(t, c, src)
	node := follow(t, c, src)
	do(t, c, "UPDATE t SET v = 'x'")
	// A lock on the table would keep an Install from changing it.
	do(t, reader, "BEGIN", "UPDATE t SET v = 'y'")
	do(t, c, "SET lock_timeout = '100ms'")
	install(t, c, src)
	do(t, reader, "COMMIT")
	if after := fingerprints(t, c, src); !slices.Equal(before, after) {
		t.Error("the fingerprint changed")
	}
	node.poll(t)
	// What an older version, or a notifying one, made is replaced, and the log kept.
	do(t, c, "UPDATE t SET v = 'z'")
	do(t, c, replication.Capture(notifying).Install(group, node.tables)...)
	node.poll(t)
	if node.keys != 1 {
		t.Errorf("%d keys, want 1", node.keys)
	}
}

func TestUninstallLeavesNothing(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY)", partitions)
	tables := []replication.SourceTable{table(t, c, "t", "t"), table(t, c, "p", "p")}
	do(t, c, d.Uninstall(group, tables)...) // not there yet
	install(t, c, tables...)
	do(t, c, "DROP TABLE t")
	do(t, c, d.Uninstall(group, tables)...)
	do(t, c, d.Uninstall(group, tables)...)
	if n := one[int](t, c, `SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal) +
		(SELECT count(*) FROM pg_class WHERE relnamespace = 'ashlar'::regnamespace) + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'ashlar'::regnamespace)`); n != 0 {
		t.Errorf("%d objects remain", n)
	}
	do(t, c, "INSERT INTO p VALUES (5, 'x')")
}
