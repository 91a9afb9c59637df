package replication_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// The claims of chapter 8 of the book, each proved with real databases. The
// printed code's faults are in bugs_test.go.

// bookMaster makes the three tables of the book on the master.
func (w *world) bookMaster() {
	w.t.Helper()
	w.exec(w.source, "CREATE TABLE adminusers (userid INTEGER PRIMARY KEY, username VARCHAR(32) NOT NULL UNIQUE, password VARCHAR(80) NOT NULL)")
	w.exec(w.source, "CREATE TABLE siteusers (userid INTEGER PRIMARY KEY, username VARCHAR(32) NOT NULL UNIQUE, theme VARCHAR(40), password VARCHAR(80) NOT NULL)")
	w.exec(w.source, "CREATE TABLE newsarticles (articleid INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES siteusers (userid), title VARCHAR(200) NOT NULL, body TEXT)")
	w.exec(w.source, "INSERT INTO adminusers VALUES "+values(0, 50, "(%d, 'admin%d', 'x')"))
	w.exec(w.source, "INSERT INTO siteusers VALUES "+values(0, 500, "(%d, 'user%d', NULL, 'x')"))
	w.exec(w.source, "INSERT INTO newsarticles VALUES "+values(0, 100, "(%d, %d, 'Article %d', 'text')"))
}

func (w *world) flipper() *replication.Flipper {
	w.t.Helper()
	f, err := replication.NewFlipper(replication.FlipConfig{Source: w.source, Target: w.target, Tables: []replication.Table{{Source: "adminusers"}}})
	w.must(err)
	return f
}

// Changes are what rows became, so what was dear to compute on the master costs
// nothing on the replica, whose vendor is another one.
func TestBook_8_3_ChangesAreShippedNotStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pg, mariadb)
	w.exec(w.source, "CREATE TABLE scores (id INTEGER PRIMARY KEY, score DOUBLE PRECISION, at VARCHAR(40))")
	w.exec(w.source, "INSERT INTO scores VALUES "+values(0, 1000, "(%d, 0, '')"))
	r := w.started(nil, "scores")
	// A statement that the other vendor does not have, with values of the moment,
	// dear to find, that touches three rows.
	w.exec(w.source, `WITH dear AS (SELECT a.id FROM scores a, scores b WHERE a.id % 400 = 7 GROUP BY a.id HAVING count(DISTINCT b.id) = 1000)
		UPDATE scores SET score = random(), at = clock_timestamp()::text FROM dear WHERE dear.id = scores.id`)
	if n := w.step(r); n != 3 {
		t.Errorf("applied %d, want the 3 rows that changed", n)
	}
	if d := w.verify(r); len(d) != 0 {
		t.Error(d)
	}
	var here, there sql.NullString
	w.must(w.source.DB.QueryRow("SELECT at FROM scores WHERE id = 407").Scan(&there))
	w.must(w.target.DB.QueryRow("SELECT at FROM scores WHERE id = 407").Scan(&here))
	if here != there || here.String == "" {
		t.Errorf("a value of the moment is %q, want %q", here.String, there.String)
	}
}

// One master, several replicas of several vendors: SiteUsers and NewsArticles
// follow by their changes, AdminUsers is a snapshot.
func TestBook_8_4_ThreeTablesAndManyReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pg, mariadb)
	w.bookMaster()
	replicas := []replication.End{w.target, openSQLite(t), openPostgres(t), openMariaDB(t)}
	var nodes []*replication.Replicator
	var flippers []*replication.Flipper
	for i, replica := range replicas {
		at := *w
		at.target = replica
		nodes = append(nodes, at.started(func(c *replication.Config) { c.Node = fmt.Sprint("www-", i) }, "siteusers", "newsarticles"))
		flippers = append(flippers, at.flipper())
	}
	changes := []string{
		"UPDATE siteusers SET theme = 'dark' WHERE userid % 10 = 0",
		"INSERT INTO siteusers VALUES (9000, 'new', NULL, 'x')",
		"INSERT INTO newsarticles VALUES (9000, 9000, 'by a new user', 'text')",
		"UPDATE newsarticles SET body = 'edited' WHERE articleid < 5",
		"DELETE FROM newsarticles WHERE articleid = 50",
		"DELETE FROM adminusers WHERE userid = 3",
		"UPDATE adminusers SET password = 'new' WHERE userid = 4",
	}
	for _, statements := range [][]string{nil, changes} {
		w.tx(statements...)
		for i, replica := range replicas {
			w.step(nodes[i])
			if _, err := flippers[i].Flip(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.equalAt(replica, "adminusers", "siteusers", "newsarticles")
		}
	}
}

// However often a row changed, its newest state is read once.
func TestBook_8_5_OnlyTheNewestStateMatters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mariadb, pg)
	w.exec(w.source, "CREATE TABLE hits (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
	w.exec(w.source, "INSERT INTO hits VALUES "+values(0, 5, "(%d, 0)"))
	r := w.started(nil, "hits")
	for range 100 {
		w.exec(w.source, "UPDATE hits SET n = n + 1 WHERE id < 3")
	}
	w.exec(w.source, "INSERT INTO hits VALUES (10, 0)")
	w.exec(w.source, "DELETE FROM hits WHERE id = 10")
	if n := w.step(r); n != 4 {
		t.Errorf("applied %d keys, want 4 after 302 changes", n)
	}
	w.equal("hits")
}

// A transaction that began first and wrote first, but commits last, is not lost,
// as it would be for whoever remembers the newest time or number that he saw.
func testBookCommitOrder(t *testing.T, source, target vendor) {
	w := newWorld(t, source, target)
	w.exec(w.source, "CREATE TABLE news (id INTEGER PRIMARY KEY, v VARCHAR(40), at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)")
	r := w.started(nil, "news")
	early := w.begin(w.source)
	w.in(early, "INSERT INTO news (id, v) VALUES (1, 'first to write')")
	time.Sleep(10 * time.Millisecond)
	w.exec(w.source, "INSERT INTO news (id, v) VALUES (2, 'first to commit')")
	if n := w.step(r); n != 1 {
		t.Errorf("applied %d, want 1", n)
	}
	high := "SELECT MAX(id) FROM news" // the high-water mark of the replica
	var mark int
	w.must(w.target.DB.QueryRow(high).Scan(&mark))
	w.must(early.Commit())
	var found int
	w.must(w.source.DB.QueryRow(fmt.Sprintf("SELECT count(*) FROM news WHERE id > %d OR at > (SELECT at FROM news WHERE id = %d)", mark, mark)).Scan(&found))
	if found != 0 {
		t.Errorf("a high-water mark would find the row: the test proves nothing")
	}
	if n := w.step(r); n != 1 {
		t.Errorf("applied %d, want the row that was committed late", n)
	}
	for _, d := range w.verify(r) {
		t.Error(d)
	}
}

func TestBook_8_6_CommitOrderBeatsAHighWaterMark(t *testing.T) {
	t.Parallel()
	t.Run("Postgres", func(t *testing.T) { t.Parallel(); testBookCommitOrder(t, pg, mariadb) })
	t.Run("MariaDB", func(t *testing.T) { t.Parallel(); testBookCommitOrder(t, mariadb, pg) })
}

// Each cycle deletes, updates and inserts by key, and records how far it came in
// the transaction that does so: a cycle that fails leaves both as they were.
func TestBook_8_7_TheCycleIsRecordedWithItsData(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pg, mariadb)
	w.exec(w.source, "CREATE TABLE cycle (id INTEGER PRIMARY KEY, v VARCHAR(40))")
	w.exec(w.source, "INSERT INTO cycle VALUES "+values(0, 10, "(%d, 'old')"))
	r := w.started(nil, "cycle")
	at := w.position("n1")
	w.tx("DELETE FROM cycle WHERE id = 1", "UPDATE cycle SET v = 'new' WHERE id = 2", "INSERT INTO cycle VALUES (20, 'new')")
	w.exec(w.target, "ALTER TABLE cycle ADD CONSTRAINT refuse CHECK (id < 20)")
	before := w.dump(w.target, "cycle")
	if _, err := r.Step(t.Context()); err == nil {
		t.Fatal("a row that the replica refuses: no error")
	}
	if d := difference(before, w.dump(w.target, "cycle")); d != "" || w.position("n1") != at {
		t.Errorf("a cycle that failed has left something: %s", d)
	}
	w.exec(w.target, "ALTER TABLE cycle DROP CONSTRAINT refuse")
	if n := w.step(r); n != 3 {
		t.Errorf("applied %d, want 3", n)
	}
	if w.position("n1") == at {
		t.Error("the position has not moved")
	}
	w.equal("cycle")
	if n := w.step(r); n != 0 {
		t.Errorf("again: %d", n)
	}
}

// The log is cleaned of what all nodes have, and only of that.
func testBookCleaning(t *testing.T, source, target vendor) {
	w := newWorld(t, source, target)
	w.exec(w.source, "CREATE TABLE wet (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
	w.exec(w.source, "INSERT INTO wet VALUES "+values(0, 30, "(%d, 0)"))
	far := *w
	far.target = target.open(t, target.fresh(t))
	quick := w.started(nil, "wet")
	slow := far.started(func(c *replication.Config) { c.Node = "slow" }, "wet")
	w.exec(w.source, "UPDATE wet SET v = 1")
	w.step(quick)
	if rows, err := trimmed(w, quick); err != nil || rows != 30 {
		t.Errorf("%d rows remain, %v, want the 30 that a node has not seen", rows, err)
	}
	if n := w.step(slow); n != 30 {
		t.Errorf("the slow node applied %d, want 30", n)
	}
	if rows, err := trimmed(w, slow); err != nil || rows != 0 {
		t.Errorf("%d rows remain, %v, want none", rows, err)
	}
	w.exec(w.source, "UPDATE wet SET v = 2 WHERE id = 7")
	for _, r := range []*replication.Replicator{quick, slow} {
		if n := w.step(r); n != 1 {
			t.Errorf("applied %d, want 1", n)
		}
	}
	w.equal("wet")
	w.equalAt(far.target, "wet")
}

func TestBook_8_8_LogsAreCleanedOfWhatAllNodesHave(t *testing.T) {
	t.Parallel()
	t.Run("Postgres", func(t *testing.T) { t.Parallel(); testBookCleaning(t, pg, mariadb) })
	t.Run("MariaDB", func(t *testing.T) { t.Parallel(); testBookCleaning(t, mariadb, pg) })
}

// A reader never waits for a load and never sees a half, and what has not
// changed is not loaded.
func TestBook_8_9_SmallTablesFlip(t *testing.T) {
	t.Parallel()
	for _, p := range []struct{ source, target vendor }{{pg, pg}, {mariadb, mariadb}, {pg, mariadb}} {
		t.Run(p.source.name+"To"+p.target.name, func(t *testing.T) { t.Parallel(); testBookFlip(t, p.source, p.target) })
	}
}

func testBookFlip(t *testing.T, source, target vendor) {
	w := newWorld(t, source, target)
	w.bookMaster()
	f := w.flipper()
	flip := func() replication.FlipResult {
		t.Helper()
		res, err := f.Flip(t.Context())
		w.must(err)
		return res
	}
	flip()
	const query = "SELECT count(*), count(DISTINCT password) FROM adminusers"
	stop := w.watch(query, func(n, kinds int) bool { return n == 50 && kinds == 1 })
	for i := range 5 {
		w.exec(w.source, fmt.Sprintf("UPDATE adminusers SET password = 'generation %d'", i))
		if res := flip(); res.Rows != 50 || len(res.Flipped) != 1 {
			t.Errorf("%+v", res)
		}
		w.equal("adminusers")
		if res := flip(); len(res.Flipped) != 0 || res.Rows != 0 {
			t.Errorf("nothing had changed: %+v", res)
		}
	}
	t.Logf("the slowest read took %v", stop())
}

// watch repeats a query of two numbers on the replica, and wants them right each
// time. It returns how long the slowest took.
func (w *world) watch(query string, right func(a, b int) bool) (stop func() time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	slowest := make(chan time.Duration, 1)
	go func() {
		worst := time.Duration(0)
		for ctx.Err() == nil {
			began := time.Now()
			var a, b int
			if err := w.target.DB.QueryRow(query).Scan(&a, &b); err != nil || !right(a, b) {
				w.t.Errorf("a reader saw %d and %d, %v", a, b, err)
				break
			}
			worst = max(worst, time.Since(began))
		}
		slowest <- worst
	}()
	stop = sync.OnceValue(func() time.Duration { cancel(); return <-slowest })
	w.t.Cleanup(func() { stop() })
	return stop
}
