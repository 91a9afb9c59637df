package replication_test

import (
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/replication"
)

// dataOf is the directory of a private server's data.
func dataOf(w *world, end replication.End) (dir string) {
	w.t.Helper()
	query := "SHOW data_directory"
	if end.Dialect.Name() == "mysql" {
		query = "SELECT @@datadir"
	}
	w.must(end.DB.QueryRow(query).Scan(&dir))
	return filepath.Clean(dir)
}

// run runs a program.
func run(t *testing.T, env []string, program string, args ...string) {
	t.Helper()
	if err := command(env, program, args...); err != nil {
		t.Fatal(err)
	}
}

// command runs a program, and tells what it said if it fails.
func command(env []string, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Env = append(cmd.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, out)
	}
	return nil
}

// replace puts one directory in the place of another, with that one's owner.
func replace(t *testing.T, dir, by string) {
	t.Helper()
	run(t, nil, "chown", "-R", "--reference="+dir, by)
	run(t, nil, "chmod", "--reference="+dir, by)
	run(t, nil, "rm", "-r", dir)
	run(t, nil, "cp", "-a", by, dir)
}

// refused checks that the replica does not follow, and that its rows stay, also
// after the master has gone on.
func (w *world) refused(r *replication.Replicator, want error) {
	w.t.Helper()
	before := w.dump(w.target, "acts")
	for i := range 3 {
		if n, err := w.restep(r); !errors.Is(err, want) {
			w.t.Fatalf("applied %d, %v, want %v", n, err, want)
		}
		if d := difference(before, w.dump(w.target, "acts")); d != "" {
			w.t.Fatalf("after a refusal: %s", d)
		}
		for n := range 40 {
			w.exec(w.source, "INSERT INTO acts VALUES (?, 'of another history')", 10_000+100*i+n)
		}
	}
	if err := r.Run(w.t.Context()); !errors.Is(err, want) {
		w.t.Fatalf("Run = %v, want %v", err, want)
	}
}

// healed copies anew, which is the way out.
func (w *world) healed(r *replication.Replicator) {
	w.t.Helper()
	w.must(r.Copy(w.t.Context()))
	w.exec(w.source, "INSERT INTO acts VALUES (90000, 'follows again')")
	w.step(r)
	w.equal("acts")
}

// restep is Step, once more for each connection that the pool keeps to a server
// that was started anew.
func (w *world) restep(r *replication.Replicator) (n int64, err error) {
	for range 10 {
		if n, err = r.Step(w.t.Context()); err == nil || w.source.Dialect.Fault(err) != replication.Transient {
			break
		}
	}
	return n, err
}

func (w *world) makeActs() *replication.Replicator {
	w.t.Helper()
	w.exec(w.source, "CREATE TABLE acts (id INTEGER PRIMARY KEY, what VARCHAR(40))")
	w.exec(w.source, "INSERT INTO acts VALUES "+values(0, 50, "(%d, 'first')"))
	return w.started(nil, "acts")
}

// testDataPutBack puts back an earlier state of the master's directory, after
// the replica had told the master that it was further.
func testDataPutBack(t *testing.T, source, target vendor) {
	master := source.start(t)
	w := worldOf(t, source, target, master.URL, target.fresh(t))
	r := w.makeActs()
	_ = r.Close()
	dir, kept := dataOf(w, w.source), filepath.Join(t.TempDir(), "data")
	master.Stop()
	run(t, nil, "cp", "-a", dir, kept)
	master.Restart()
	w.exec(w.source, "INSERT INTO acts VALUES (500, 'after the backup')")
	_, err := w.restep(r)
	w.must(err)
	_ = r.Close() // tells the master
	master.Stop()
	replace(t, dir, kept)
	master.Restart()
	w.refused(r, replication.ErrForeignPosition)
	w.healed(r)
}

// testLateBackup puts back a state to which the replica had told the master
// nothing since: only its position is ahead.
func testLateBackup(t *testing.T, source, target vendor) {
	master := source.start(t)
	w := worldOf(t, source, target, master.URL, target.fresh(t))
	r := w.makeActs()
	dir, kept := dataOf(w, w.source), filepath.Join(t.TempDir(), "data")
	w.step(r) // the session's first: it tells the master
	_ = r.Close()
	master.Stop()
	run(t, nil, "cp", "-a", dir, kept)
	master.Restart()
	// A session that never gets to tell: it is as if it had been killed.
	p := w.child("run", "n1", "acts")
	w.within(waitLong, "a replicator runs", func() bool {
		w.exec(w.source, "UPDATE acts SET what = 'of the lost time' WHERE id < 10")
		return len(p.lines) > 0
	})
	for range 60 {
		w.exec(w.source, "UPDATE acts SET what = what WHERE id < 10")
		w.exec(w.source, "INSERT INTO acts SELECT MAX(id) + 1, 'of the lost time' FROM acts")
	}
	w.within(waitLong, "the replica has it", func() bool {
		return difference(w.dump(w.source, "acts"), w.dump(w.target, "acts")) == ""
	})
	p.kill()
	master.Kill()
	replace(t, dir, kept)
	master.Restart()
	before := w.dump(w.target, "acts")
	if n, err := w.restep(r); !errors.Is(err, replication.ErrForeignPosition) {
		t.Fatalf("applied %d, %v, want %v", n, err, replication.ErrForeignPosition)
	}
	if d := difference(before, w.dump(w.target, "acts")); d != "" {
		t.Fatalf("after a refusal: %s", d)
	}
	w.healed(r)
}

// testPromotedStandby lets a standby that lacks the last commits take over, and
// then one that lacks nothing: both are other histories.
func testPromotedStandby(t *testing.T) {
	primary, standby := testservers.StartPostgres(t), testservers.StartPostgres(t)
	w := worldOf(t, pg, pg, primary.URL, testservers.Postgres(t))
	r := w.makeActs()
	other := worldOf(t, pg, pg, standby.URL, w.targetURL)
	dir, kept := dataOf(other, other.source), filepath.Join(t.TempDir(), "base")
	standby.Stop()
	u, err := url.Parse(primary.URL)
	w.must(err)
	password, _ := u.User.Password()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_basebackup")
	if len(found) == 0 {
		found = []string{testservers.Tool(t, "pg_basebackup")}
	}
	run(t, []string{"PGPASSWORD=" + password}, found[len(found)-1], "-h", u.Hostname(), "-p", u.Port(), "-U", u.User.Username(),
		"-D", kept, "-X", "stream", "-c", "fast", "-R")
	replace(t, dir, kept)
	standby.Restart()

	// The roles and passwords are the primary's.
	su, err := url.Parse(primary.URL)
	w.must(err)
	su.Host = standby.Addr
	s := worldOf(t, pg, pg, su.String(), w.targetURL)
	follow := func() {
		t.Helper()
		want := w.dump(w.source, "acts")
		w.within(waitLong, "the standby follows", func() bool {
			got, err := dump(s.source, "acts")
			return err == nil && difference(want, got) == ""
		})
	}
	follow()
	w.exec(w.source, "INSERT INTO acts VALUES (500, 'streamed')")
	w.step(r)
	follow()
	_ = r.Close()
	// While it is a standby it is refused, too.
	there := s.node(nil, "acts")
	if n, err := there.Step(t.Context()); err == nil {
		t.Fatalf("a standby: applied %d, want an error", n)
	}
	s.exec(s.source, "SELECT pg_promote()")
	s.exec(w.source, "INSERT INTO acts VALUES (501, 'not streamed')")
	w.step(r)
	_ = r.Close()
	before := s.dump(s.target, "acts")
	s.refused(there, replication.ErrForeignPosition)
	if d := difference(before, s.dump(s.target, "acts")); d != "" {
		t.Fatal(d)
	}
	s.healed(there)
}

func TestRestoredOrPromotedMasterIsRefused(t *testing.T) {
	t.Parallel()
	t.Run("PostgresDataPutBack", func(t *testing.T) { t.Parallel(); testDataPutBack(t, pg, mariadb) })
	t.Run("PostgresLateBackup", func(t *testing.T) { t.Parallel(); testLateBackup(t, pg, mariadb) })
	t.Run("PostgresPromotedStandby", func(t *testing.T) { t.Parallel(); testPromotedStandby(t) })
	t.Run("MariaDBDataPutBack", func(t *testing.T) { t.Parallel(); testDataPutBack(t, mariadb, pg) })
	t.Run("MariaDBLateBackup", func(t *testing.T) { t.Parallel(); testLateBackup(t, mariadb, pg) })
}
