package replication_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/replication"
)

const mostGrowth = 30 << 20 // bytes

// testMemory compares the peaks of processes that replicate few and many rows.
func testMemory(t *testing.T, source, target vendor) {
	if _, err := peakMemory(); err != nil {
		testservers.Skip(t, "/proc/self/status with VmHWM", "run on Linux")
	}
	w := newWorld(t, source, target)
	const few, many = 20_000, 400_000
	w.exec(w.source, "CREATE TABLE heap (id INTEGER PRIMARY KEY, v VARCHAR(100) NOT NULL)")
	series := "generate_series(0, %d) g(n)"
	if source.name == mariadb.name {
		series = "(SELECT seq n FROM seq_0_to_%d) g"
	}
	series = fmt.Sprintf(series, many-1)
	_ = w.started(nil, "heap").Close()
	w.exec(w.source, "INSERT INTO heap SELECT n, CONCAT('the row of number ', n, ' has some text') FROM "+series+fmt.Sprintf(" WHERE n < %d", few))
	small := w.child("step", "n1", "heap").peak(t)
	w.equalCount("heap", few)
	w.exec(w.source, "UPDATE heap SET v = 'changed'")
	w.exec(w.source, "INSERT INTO heap SELECT n, CONCAT('the row of number ', n, ' has some text') FROM "+series+fmt.Sprintf(" WHERE n >= %d", few))
	large := w.child("step", "n1", "heap").peak(t)
	w.equalCount("heap", many)

	// Another node, whose replica is empty.
	w.targetURL = target.fresh(t)
	w.target = target.open(t, w.targetURL)
	copied := w.child("copy", "n2", "heap").peak(t)
	w.equalCount("heap", many)
	t.Logf("peaks: a step of %d rows %.1f MB, of %d rows %.1f MB; a copy of %d rows %.1f MB",
		few, mb(small), many, mb(large), many, mb(copied))
	if large-small > mostGrowth {
		t.Errorf("a step of %d rows takes %.1f MB more than one of %d", many, mb(large-small), few)
	}
	if copied-small > mostGrowth {
		t.Errorf("a copy of %d rows takes %.1f MB more than a step of %d", many, mb(copied-small), few)
	}
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

// equalCount checks that both sides have the same so many rows, by a sum.
func (w *world) equalCount(table string, want int) {
	w.t.Helper()
	query := "SELECT COUNT(*), SUM(id), SUM(LENGTH(v)) FROM " + table
	var here, there [3]int64
	w.must(w.source.DB.QueryRow(query).Scan(&there[0], &there[1], &there[2]))
	w.must(w.target.DB.QueryRow(query).Scan(&here[0], &here[1], &here[2]))
	if here != there || here[0] != int64(want) {
		w.t.Fatalf("table %s: %v on the replica, %v on the master, want %d rows", table, here, there, want)
	}
}

func TestMemoryDoesNotDependOnTheNumberOfRows(t *testing.T) {
	t.Parallel()
	t.Run("PostgresToPostgres", func(t *testing.T) { t.Parallel(); testMemory(t, pg, pg) })
	if soaking() {
		t.Run("PostgresToMariaDB", func(t *testing.T) { t.Parallel(); testMemory(t, pg, mariadb) })
		t.Run("MariaDBToPostgres", func(t *testing.T) { t.Parallel(); testMemory(t, mariadb, pg) })
		t.Run("MariaDBToMariaDB", func(t *testing.T) { t.Parallel(); testMemory(t, mariadb, mariadb) })
	}
}

// smallDisk mounts a file system of so many MB for the replica's database and
// returns that database, and how to make more room.
func smallDisk(t *testing.T, megabytes int) (raw string, grow func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		testservers.Skip(t, "root, to mount a small file system", "run the tests as root")
	}
	server := testservers.StartPostgres(t)
	dir, err := os.MkdirTemp("", "ashlar-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	mount := testservers.Tool(t, "mount")
	size := func(n int) string { return fmt.Sprintf("size=%dm", n) }
	if err := command(nil, mount, "-t", "tmpfs", "-o", size(megabytes), "tmpfs", dir); err != nil {
		testservers.Skip(t, "the right to mount a small file system", "run the tests in a container that may: "+err.Error())
	}
	t.Cleanup(func() {
		server.Kill()
		if err := command(nil, "umount", dir); err != nil {
			t.Error(err)
		}
	})
	db := end(t, pg.driver, server.URL, pg.dialect)
	w := &world{t: t, source: db}
	// The data's owner runs the server.
	run(t, nil, "chown", "--reference="+dataOf(w, db), dir)
	run(t, nil, "chmod", "700", dir)
	w.exec(db, "CREATE TABLESPACE small LOCATION '"+dir+"'")
	w.exec(db, "CREATE DATABASE small TABLESPACE small TEMPLATE template0")
	at := strings.LastIndexByte(server.URL, '/')
	return server.URL[:at] + "/small?sslmode=disable", func() { run(t, nil, mount, "-o", "remount,"+size(20*megabytes), dir) }
}

func TestFullDiskOfTheReplicaHarmsNothing(t *testing.T) {
	t.Parallel()
	raw, grow := smallDisk(t, 20)
	w := worldOf(t, mariadb, pg, mariadb.fresh(t), raw)
	for _, name := range []string{"heap", "other"} {
		w.exec(w.source, "CREATE TABLE "+name+" (id INTEGER PRIMARY KEY, v VARCHAR(500) NOT NULL)")
	}
	w.exec(w.source, "INSERT INTO heap VALUES "+values(0, 100, "(%d, 'small')"))
	r := w.started(nil, "heap", "other")
	w.tx("UPDATE heap SET v = 'changed'", "INSERT INTO other VALUES (1, 'one')",
		"INSERT INTO heap SELECT seq, REPEAT('x', 500) FROM seq_1000_to_30000")
	before, at := w.dump(w.target, "heap"), w.position("n1")
	for range 2 {
		_, err := r.Step(t.Context())
		if err == nil || !strings.Contains(err.Error(), "No space left on device") {
			t.Fatalf("%v, want an error that says that the disk is full", err)
		}
		if w.target.Dialect.Fault(err) != replication.Transient {
			t.Errorf("Run would end by %v", err)
		}
		if strings.Contains(err.Error(), "dbname") || errors.Is(err, replication.ErrTypeLoss) {
			t.Errorf("the error is about something else: %v", err)
		}
		if d := difference(before, w.dump(w.target, "heap")); d != "" || w.position("n1") != at || len(w.dump(w.target, "other")) != 0 {
			t.Fatalf("half of a batch was applied: %s", d)
		}
	}
	grow()
	w.step(r)
	w.equal("heap", "other")
}
