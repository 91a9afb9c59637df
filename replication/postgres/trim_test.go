package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/postgres"
)

func node1(s replication.SourceTable) []replication.SourceTable {
	return []replication.SourceTable{s}
}

func trim(t testing.TB, c *sql.Conn, s replication.SourceTable, needed ...string) int64 {
	t.Helper()
	n, err := d.Trim(t.Context(), c, group, node1(s), needed)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTrimRemovesWhatNobodyNeeds(t *testing.T) {
	db := open(t)
	c := session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v int)")
	src := table(t, c, "t", "t")
	install(t, c, src)
	node := follow(t, c, src)
	for _, n := range []int{10, 30000} { // by DELETE and by TRUNCATE
		do(t, c, fmt.Sprintf("INSERT INTO t SELECT i, 0 FROM generate_series(1, %d) i ON CONFLICT (id) DO UPDATE SET v = 1", n))
		if left := trim(t, c, src, node.at); left < int64(n) {
			t.Fatalf("%d rows remain of those %d that the node needs", left, n)
		}
		node.poll(t)
		if left := trim(t, c, src, node.at); left != 0 {
			t.Fatalf("%d rows remain of %d that nobody needs", left, n)
		}
		node.poll(t)
	}
	if size := one[int](t, c, "SELECT pg_relation_size($1) + pg_relation_size($2)", postgres.LogName(src, 0), postgres.LogName(src, 1)); size > 1<<20 {
		t.Errorf("the empty logs have %d bytes", size)
	}
	do(t, c, "UPDATE t SET v = 9 WHERE id < 4")
	if left := trim(t, c, src); left != 0 {
		t.Errorf("%d rows remain when there is no node", left)
	}
}

// A node that is away costs the master about a row for each key, whatever
// happens in the meantime, and catches up. 100,000 changes of 100 keys are
// behind it when there is one row left for each.
func TestDeadNodeCostsARowForEachKey(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT i, 0 FROM generate_series(1, 200) i")
	src := table(t, c, "t", "t")
	install(t, c, src)
	dead, live := follow(t, c, src), follow(t, c, src)
	for round := range 10 {
		do(t, c, "DO $$ BEGIN FOR i IN 1..100 LOOP UPDATE t SET v = v + 1 WHERE id <= 100; COMMIT; END LOOP; END $$")
		live.poll(t)
		if live.keys > 100 {
			t.Fatalf("the live node gets %d keys", live.keys)
		}
		left := trim(t, c, src, dead.at, live.at)
		if left > 110 {
			t.Fatalf("round %d: %d rows remain for 100 keys", round, left)
		}
		live.poll(t)
	}
	do(t, c, "DELETE FROM t WHERE id <= 10", "UPDATE t SET id = id + 1000 WHERE id <= 20")
	dead.poll(t)
	if dead.keys != 110 {
		t.Errorf("the dead node gets %d keys, want 110", dead.keys)
	}
	live.poll(t)
	if left := trim(t, c, src, dead.at, live.at); left != 0 {
		t.Errorf("%d rows remain", left)
	}
}

// The case that makes keeping the newest row of a key wrong: the transaction
// with the lower number commits last, and a node stands between the two at a
// position that the master has not been told.
func TestCompactionDoesNotTakeCommitOrderForNumberOrder(t *testing.T) {
	db := open(t)
	c, first, second := session(t, db), session(t, db), session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "CREATE TABLE other (id int)", "INSERT INTO t VALUES (1, 'a')")
	src := table(t, c, "t", "t")
	install(t, c, src)
	node := follow(t, c, src)
	told := node.at
	do(t, first, "BEGIN", "INSERT INTO other VALUES (1)") // has its number
	do(t, second, "UPDATE t SET v = 'by the higher number'")
	node.poll(t)
	do(t, first, "UPDATE t SET v = 'by the lower number'", "COMMIT")
	if left := trim(t, c, src, told); left != 1 {
		t.Fatalf("%d rows remain, want 1", left)
	}
	node.poll(t)
	if got := node.rows[0][`"1"`]; got != `"1"|"by the lower number"` {
		t.Fatalf("the node has %s", got)
	}
}

func TestTrimNeverWaitsForTransactions(t *testing.T) {
	db := open(t)
	c, writer, reader := session(t, db), session(t, db), session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT i, 0 FROM generate_series(1, 20000) i")
	src := table(t, c, "t", "t")
	install(t, c, src)
	node := follow(t, c, src)
	do(t, c, "UPDATE t SET v = 1")
	do(t, writer, "BEGIN", "UPDATE t SET v = 2 WHERE id = 1")
	do(t, reader, "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM "+postgres.LogName(src, 0), "SELECT count(*) FROM "+postgres.LogName(src, 1))
	node.poll(t)
	for range 3 {
		began := time.Now()
		trim(t, c, src, node.at)
		if took := time.Since(began); took > 10*time.Second {
			t.Fatalf("Trim took %v", took)
		}
		// And nobody waits for it: the log that is written to is free.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := session(t, db).ExecContext(ctx, "UPDATE t SET v = 3 WHERE id = 2"); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	do(t, writer, "COMMIT")
	do(t, reader, "COMMIT")
	node.poll(t)
	if node.keys < 2 {
		t.Errorf("%d keys, want 1 and 2", node.keys)
	}
	if left := trim(t, c, src, node.at); left != 0 {
		t.Errorf("%d rows remain", left)
	}
}

func TestTruncateMarkersAreBounded(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'a')")
	src := table(t, c, "t", "t")
	install(t, c, src)
	node := follow(t, c, src)
	do(t, c, "DO $$ BEGIN FOR i IN 1..500 LOOP TRUNCATE t; INSERT INTO t VALUES (i, 'x'); COMMIT; END LOOP; END $$")
	if left := trim(t, c, src, node.at); left > 601 {
		t.Errorf("%d rows remain", left)
	}
	node.poll(t)
}

func TestTrimRefusesWhatIsNoPosition(t *testing.T) {
	c := session(t, open(t))
	if _, err := d.Trim(t.Context(), c, group, nil, []string{"1:2:3"}); err == nil {
		t.Fatal("accepted")
	}
}

// Folding keys are compacted by their bytes.
func TestCompactionTellsApartWhatTheKeyFolds(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE COLLATION folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
		"CREATE TABLE t (k text COLLATE folds, n int, v int, PRIMARY KEY (k, n))", "INSERT INTO t VALUES ('a', 1, 1), ('b', 2, 2)")
	src := table(t, c, "t", "t")
	install(t, c, src)
	node := follow(t, c, src)
	for range 5 {
		do(t, c, "UPDATE t SET k = 'A'  WHERE n = 1", "UPDATE t SET k = 'a' WHERE n = 1", "UPDATE t SET v = v + 1")
	}
	do(t, c, "UPDATE t SET k = 'A' WHERE n = 1")
	if left := trim(t, c, src, node.at); left != 3 {
		t.Errorf("%d rows remain, want 3: a, A, b", left)
	}
	node.poll(t)
}
