package replication_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// testOpenBeforeInstall has transactions that began before Install and end after
// the copy did.
func testOpenBeforeInstall(t *testing.T, source, target vendor) {
	w := newWorld(t, source, target)
	for _, name := range []string{"late", "aside"} {
		w.exec(w.source, "CREATE TABLE "+name+" (id INTEGER PRIMARY KEY, v VARCHAR(40))")
		w.exec(w.source, "INSERT INTO "+name+" VALUES "+values(0, 20, "(%d, 'old')"))
	}
	// It has written to another table before, and reads and writes this one later.
	long := w.begin(w.source)
	w.in(long, "UPDATE aside SET v = 'before' WHERE id = 1")
	// It has written to this one before: Install waits for it, so that its rows
	// are those of the copy.
	short := w.begin(w.source)
	w.in(short, "UPDATE late SET v = 'before' WHERE id = 2")
	w.in(short, "INSERT INTO late VALUES (100, 'before')")

	r := w.node(func(c *replication.Config) { c.ChunkRows = 5 }, "late")
	installed := make(chan error, 1)
	go func() { installed <- r.Install(t.Context()) }()
	w.within(waitLong, "Install waits for a writer", func() bool {
		select {
		case err := <-installed:
			t.Fatalf("Install did not wait for a transaction that has written: %v", err)
		default:
		}
		query := "SELECT count(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock%' AND db = DATABASE()"
		if source.name == pg.name {
			query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
		}
		var n int
		w.must(w.source.DB.QueryRow(query).Scan(&n))
		return n > 0
	})
	w.in(short, "DELETE FROM late WHERE id = 3")
	w.must(short.Commit())
	w.must(<-installed)

	w.in(long, "UPDATE late SET v = 'between' WHERE id = 4")
	w.in(long, "INSERT INTO late VALUES (101, 'between')")
	w.must(r.Copy(t.Context()))
	w.equal("late")
	w.in(long, "UPDATE late SET v = 'after' WHERE id = 5")
	w.in(long, "DELETE FROM late WHERE id = 6")
	w.step(r)
	w.exec(w.source, "UPDATE late SET v = 'meanwhile' WHERE id = 7")
	w.step(r)
	w.equal("late") // nothing of what is not committed
	w.must(long.Commit())
	if n := w.step(r); n != 4 {
		t.Errorf("applied %d, want the 4 keys of the long transaction", n)
	}
	w.equal("late")
}

func TestTransactionOpenBeforeInstallArrives(t *testing.T) {
	t.Parallel()
	t.Run("Postgres", func(t *testing.T) { t.Parallel(); testOpenBeforeInstall(t, pg, mariadb) })
	t.Run("MariaDB", func(t *testing.T) { t.Parallel(); testOpenBeforeInstall(t, mariadb, pg) })
}

// TestPreparedTransactionArrivesWhenItIsCommitted leaves two transactions
// prepared, across three polls and a restart of the server.
func TestPreparedTransactionArrivesWhenItIsCommitted(t *testing.T) {
	t.Parallel()
	server := pg.start(t, "-c", "max_prepared_transactions=5")
	w := worldOf(t, pg, mariadb, server.URL, mariadb.fresh(t))
	w.exec(w.source, "CREATE TABLE twice (id INTEGER PRIMARY KEY, v VARCHAR(40))")
	w.exec(w.source, "INSERT INTO twice VALUES "+values(0, 20, "(%d, 'old')"))
	r := w.started(nil, "twice")
	prepare := func(name, statement string) {
		t.Helper()
		c, err := w.source.DB.Conn(t.Context())
		w.must(err)
		defer c.Close()
		for _, q := range []string{"BEGIN", statement, "PREPARE TRANSACTION '" + name + "'"} {
			if _, err := c.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	prepare("stays", "UPDATE twice SET v = 'prepared' WHERE id < 3")
	prepare("goes", "UPDATE twice SET v = 'never' WHERE id IN (3, 4)")
	for i := range 3 {
		w.exec(w.source, "UPDATE twice SET v = ? WHERE id = 10", values(i, i+1, "poll %d"))
		if n := w.step(r); n != 1 {
			t.Errorf("poll %d applied %d, want 1", i, n)
		}
		w.equal("twice")
		if _, err := r.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			_ = r.Close()
			server.Restart()
		}
	}
	w.exec(w.source, "COMMIT PREPARED 'stays'")
	w.exec(w.source, "ROLLBACK PREPARED 'goes'")
	if n := w.step(r); n != 3 {
		t.Errorf("after COMMIT PREPARED applied %d, want 3", n)
	}
	w.equal("twice")
	if rows, err := trimmed(w, r); err != nil || rows != 0 {
		t.Errorf("%d rows of the log remain, %v", rows, err)
	}
}

// trimmed tells the master the position and trims.
func trimmed(w *world, r *replication.Replicator) (int64, error) {
	w.t.Helper()
	w.must(r.Close())
	return r.Trim(w.t.Context())
}

func testSavepoint(t *testing.T, source, target vendor) {
	w := newWorld(t, source, target)
	w.exec(w.source, "CREATE TABLE part (id INTEGER PRIMARY KEY, v VARCHAR(40))")
	w.exec(w.source, "INSERT INTO part VALUES "+values(0, 10, "(%d, 'old')"))
	r := w.started(nil, "part")
	w.tx("UPDATE part SET v = 'kept' WHERE id = 1",
		"SAVEPOINT a", "UPDATE part SET v = 'undone' WHERE id IN (2, 3)", "INSERT INTO part VALUES (20, 'undone')",
		"SAVEPOINT b", "DELETE FROM part WHERE id = 4", "ROLLBACK TO SAVEPOINT a",
		"UPDATE part SET v = 'kept' WHERE id = 3", "SAVEPOINT c", "INSERT INTO part VALUES (21, 'kept')", "RELEASE SAVEPOINT c")
	if n := w.step(r); n != 3 {
		t.Errorf("applied %d, want 3", n)
	}
	w.equal("part")
	if n := w.step(r); n != 0 {
		t.Errorf("once more: %d", n)
	}
}

func TestSavepointThatIsRolledBackNeverWas(t *testing.T) {
	t.Parallel()
	t.Run("Postgres", func(t *testing.T) { t.Parallel(); testSavepoint(t, pg, mariadb) })
	t.Run("MariaDB", func(t *testing.T) { t.Parallel(); testSavepoint(t, mariadb, pg) })
}
