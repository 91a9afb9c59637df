package replication_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// 7, the 32 bits of PostgreSQL's transaction ids: they wrap.
func TestBookBug7_TransactionIdsWrap(t *testing.T) {
	t.Parallel()
	server := pg.start(t, "-c", "autovacuum=off")
	w := worldOf(t, pg, mariadb, server.URL, mariadb.fresh(t))
	dir := dataOf(w, w.source)
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_resetwal")
	if len(found) == 0 {
		found = []string{testservers.Tool(t, "pg_resetwal")}
	}
	setpriv := testservers.Tool(t, "setpriv")
	// forward lets so many ids have gone by, most of them not used by anybody.
	forward := func(next int64) {
		t.Helper()
		server.Stop()
		segment := filepath.Join(dir, "pg_xact", fmt.Sprintf("%04X", next>>20))
		w.must(os.WriteFile(segment, make([]byte, 256<<10), 0o600))
		run(t, nil, "chown", "--reference="+dir, segment)
		args := []string{found[len(found)-1], "-f", "-x", fmt.Sprint(next), "-D", dir}
		if os.Geteuid() == 0 { // it refuses to be run by root
			owner, err := exec.Command("stat", "-c", "%u", dir).Output()
			w.must(err)
			args = append([]string{setpriv, "--reuid=" + strings.TrimSpace(string(owner)), "--clear-groups"}, args...)
		}
		run(t, nil, args[0], args[1:]...)
		server.Restart()
		w.exec(w.source, "VACUUM FREEZE")
	}
	w.exec(w.source, "CREATE TABLE wraps (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
	w.exec(w.source, "INSERT INTO wraps VALUES "+values(0, 10, "(%d, 0)"))
	r := w.started(nil, "wraps")
	_ = r.Close()
	var now int64
	for _, next := range []int64{2_000_000_000, 4_000_000_000, 1<<32 - 100} {
		forward(next)
		w.exec(w.source, "UPDATE wraps SET v = v + 1")
		if n := w.step(r); n != 10 {
			t.Errorf("at %d: applied %d, want 10", next, n)
		}
		w.equal("wraps")
		_ = r.Close()
	}
	long := w.begin(w.source)
	w.in(long, "UPDATE wraps SET v = -1 WHERE id = 3")
	for i := range 200 {
		w.exec(w.source, "UPDATE wraps SET v = v + 1 WHERE id = 5")
		if i%20 == 19 {
			if n := w.step(r); n != 1 {
				t.Errorf("round %d: applied %d, want 1", i, n)
			}
			w.equal("wraps")
		}
	}
	w.must(w.source.DB.QueryRow("SELECT txid_current()").Scan(&now))
	if now < 1<<32 {
		t.Fatalf("the ids are at %d: they did not wrap", now)
	}
	w.must(long.Commit())
	if n := w.step(r); n != 1 {
		t.Errorf("applied %d, want the row of before the wrap", n)
	}
	w.equal("wraps")
	if rows, err := trimmed(w, r); err != nil || rows != 0 {
		t.Errorf("%d rows of the log remain, %v", rows, err)
	}
}
