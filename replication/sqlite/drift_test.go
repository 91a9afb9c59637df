package sqlite_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

func fingerprint(t *testing.T, c *sql.Conn, st replication.SourceTable) string {
	t.Helper()
	p, err := dialect.Fingerprint(t.Context(), c, group, []replication.SourceTable{st})
	if err != nil {
		t.Fatal(err)
	}
	return p[0]
}

func TestFingerprintTellsOfDrift(t *testing.T) {
	const create = `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b VARCHAR(5), unsent TEXT)`
	tests := []struct {
		name    string
		changes []string
		want    string // same, other, or broken
	}{
		{"nothing", nil, "same"},
		{"rows", []string{`INSERT INTO t VALUES (5, 'x', 'y', 'z')`}, "same"},
		{"vacuum", []string{`CREATE TABLE filler (a)`, `DROP TABLE filler`, `VACUUM`}, "same"},
		{"column added", []string{`ALTER TABLE t ADD COLUMN c INT DEFAULT 5`}, "same"},
		{"column dropped that is not sent", []string{`ALTER TABLE t DROP COLUMN unsent`}, "same"},
		{"ordinary index", []string{`CREATE INDEX i ON t (b)`}, "same"},
		{"other trigger", []string{`CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END`}, "same"},
		{"column dropped", []string{`ALTER TABLE t DROP COLUMN b`}, "other"},
		{"column renamed", []string{`ALTER TABLE t RENAME COLUMN b TO c`}, "other"},
		{"key renamed", []string{`ALTER TABLE t RENAME COLUMN id TO key`}, "broken"},
		{"table renamed", []string{`ALTER TABLE t RENAME TO u`}, "broken"},
		{"table renamed, and another in its place", []string{`ALTER TABLE t RENAME TO u`, create}, "broken"},
		{"table dropped", []string{`DROP TABLE t`}, "broken"},
		{"table made anew", []string{`DROP TABLE t`, create}, "broken"},
		{"unique index added", []string{`CREATE UNIQUE INDEX i ON t (b)`}, "broken"},
		{"log dropped", []string{`DROP TABLE ashlar_log_t`}, "broken"},
		{"log made anew", []string{`ALTER TABLE ashlar_log_t RENAME TO x`}, "broken"},
	}
	for _, what := range []string{"noted", "insert", "update", "move", "delete", "replace", "supplant", "seal"} {
		tests = append(tests, struct {
			name    string
			changes []string
			want    string
		}{"trigger " + what + " dropped", []string{"DROP TRIGGER ashlar_" + what + "_t"}, "broken"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t)
			exec(t, db, create)
			c := conn(t, db)
			st := source(t, c, "t", "t")
			st.Columns = st.Columns[:3]
			install(t, c, st)
			before := fingerprint(t, c, st)
			exec(t, db, tt.changes...)
			after := fingerprint(t, c, st)
			got := "other"
			switch after {
			case "":
				got = "broken"
			case before:
				got = "same"
			}
			if tt.want != got && !(tt.want == "other" && got == "broken") {
				t.Errorf("the fingerprint is %s, want %s", got, tt.want)
			}
		})
	}
}

func TestTriggersMadeAnewByHandAreNoticed(t *testing.T) {
	for _, what := range []string{"insert", "update", "move", "delete"} {
		db := open(t)
		exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)`)
		c := conn(t, db)
		st := source(t, c, "t", "t")
		install(t, c, st)
		name := "ashlar_" + what + "_t"
		text := contents(t, c, "SELECT sql FROM sqlite_schema WHERE name = '"+name+"'")
		exec(t, db, "DROP TRIGGER "+name, "INSERT INTO t (a) VALUES ('unseen')", text)
		if fingerprint(t, c, st) != "" {
			t.Errorf("trigger %s was made anew and not noticed", what)
		}
	}
}

func TestInstallAgainRepairsAndTells(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)`)
	c := conn(t, db)
	st := source(t, c, "t", "t")
	install(t, c, st)
	first, at := fingerprint(t, c, st), copyOf(t, c, st)
	exec(t, db, `INSERT INTO t VALUES (1, 'a')`, `DROP TRIGGER ashlar_insert_t`, `INSERT INTO t VALUES (2, 'unseen')`)
	install(t, c, st)
	if again := fingerprint(t, c, st); again == first {
		t.Error("the generation is the same, though a change was lost")
	}
	exec(t, db, `CREATE UNIQUE INDEX i ON t (a)`)
	st = source(t, c, "t", "t") // another way to replace rows, other triggers
	install(t, c, st)
	m := copyOf(t, c, st)
	if !dialect.Covers(m.at, at.at) {
		t.Errorf("the clock went back from %s to %s", at.at, m.at)
	}
	exec(t, db, `INSERT OR REPLACE INTO t VALUES (3, 'a')`)
	m.mustPoll(t, c)
}

func TestUninstallRemovesAll(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE)`, `CREATE TABLE u (id INTEGER PRIMARY KEY)`)
	c := conn(t, db)
	st, other := source(t, c, "t", "t"), source(t, c, "u", "u")
	exec(t, c, dialect.Uninstall(group, []replication.SourceTable{st})...)
	install(t, c, st, other)
	before := contents(t, c, `SELECT token FROM ashlar_system`)
	exec(t, db, `INSERT INTO t VALUES (1, 'a')`)
	exec(t, c, dialect.Uninstall(group, []replication.SourceTable{st})...)
	exec(t, c, dialect.Uninstall(group, []replication.SourceTable{st})...)
	if left := contents(t, c, `SELECT name FROM sqlite_schema WHERE name GLOB 'ashlar_*_t'`); left != "" {
		t.Errorf("left: %s", left)
	}
	exec(t, db, `INSERT INTO t VALUES (2, 'b')`, `INSERT INTO u VALUES (1)`)
	if fingerprint(t, c, st) != "" || fingerprint(t, c, other) == "" {
		t.Error("the fingerprints are not those of one that is removed and one that is there")
	}
	install(t, c, st)
	if contents(t, c, `SELECT token FROM ashlar_system`) != before {
		t.Error("the database has another token")
	}
	if got := contents(t, c, `SELECT clock >= 1 FROM ashlar_system`); got != "1" {
		t.Error("the clock began anew")
	}
}

func TestNothingInstalledIsSaid(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	c := conn(t, db)
	st := source(t, c, "t", "t")
	if _, err := dialect.Identity(t.Context(), c); !errors.Is(err, replication.ErrNeedResync) {
		t.Errorf("Identity: %v", err)
	}
	if _, err := dialect.Now(t.Context(), c, group); !errors.Is(err, replication.ErrNeedResync) {
		t.Errorf("Now: %v", err)
	}
	if fingerprint(t, c, st) != "" {
		t.Error("a fingerprint of nothing")
	}
	install(t, c, st)
	id, err := dialect.Identity(t.Context(), c)
	if err != nil || len(id) != 32 || strings.Contains(id, " ") {
		t.Errorf("Identity = %q, %v", id, err)
	}
	other := open(t)
	c2 := conn(t, other)
	exec(t, other, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	install(t, c2, source(t, c2, "t", "t"))
	if id2, _ := dialect.Identity(t.Context(), c2); id2 == id {
		t.Error("two databases are one system")
	}
}

func TestAPositionFromTheFutureIsForeign(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	c := conn(t, db)
	st := source(t, c, "t", "t")
	install(t, c, st)
	_, err := dialect.Changed(t.Context(), c, group, []replication.SourceTable{st}, "5", "4")
	if !errors.Is(err, replication.ErrForeignPosition) {
		t.Errorf("Changed: %v", err)
	}
	for _, bad := range []string{"", "x", "-1", "01", "1 OR 1", "1e3", "99999999999999999999"} {
		if _, err := dialect.Changed(t.Context(), c, group, []replication.SourceTable{st}, bad, "9"); err == nil || errors.Is(err, replication.ErrForeignPosition) {
			t.Errorf("position %q: %v", bad, err)
		}
		if _, err := c.ExecContext(t.Context(), dialect.Changes(group, st, bad, "9", replication.SomeKeys)); err == nil {
			t.Errorf("Changes took %q for a position", bad)
		}
		if dialect.Covers("9", bad) || dialect.Covers(bad, "0") {
			t.Errorf("Covers took %q for a position", bad)
		}
	}
	if !dialect.Covers("10", "9") || dialect.Covers("9", "10") || !dialect.Covers("9", "9") {
		t.Error("Covers does not compare numbers")
	}
}
