package mysql_test

import (
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

func TestFingerprintSeesDrift(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do    []string
		drift bool
		whole bool // triggers and log are
	}{
		"nothing":                  {[]string{"INSERT INTO t VALUES (9,'x',1,1)"}, false, true},
		"index added":              {[]string{"ALTER TABLE t ADD INDEX (v), ADD UNIQUE (u)"}, false, true},
		"column added":             {[]string{"ALTER TABLE t ADD COLUMN more INT"}, false, true},
		"unsent column dropped":    {[]string{"ALTER TABLE t DROP COLUMN unsent"}, false, true},
		"optimized":                {[]string{"OPTIMIZE TABLE t"}, false, true},
		"another trigger":          {[]string{"CREATE TRIGGER theirs AFTER INSERT ON t FOR EACH ROW SET @x=1"}, false, true},
		"type changed":             {[]string{"ALTER TABLE t MODIFY v VARCHAR(30)"}, true, true},
		"collation changed":        {[]string{"ALTER TABLE t MODIFY v VARCHAR(20) COLLATE utf8mb4_bin"}, true, true},
		"column dropped":           {[]string{"ALTER TABLE t DROP COLUMN v"}, true, true},
		"column renamed":           {[]string{"ALTER TABLE t RENAME COLUMN v TO w"}, true, true},
		"key dropped":              {[]string{"ALTER TABLE t DROP PRIMARY KEY"}, true, true},
		"key widened":              {[]string{"ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, u)"}, true, true},
		"trigger dropped":          {[]string{"DROP TRIGGER ashlar_t_t_u"}, true, false},
		"trigger replaced":         {[]string{"CREATE OR REPLACE TRIGGER ashlar_t_t_i AFTER INSERT ON t FOR EACH ROW SET @x=1"}, true, false},
		"log dropped":              {[]string{"SET @q=(SELECT CONCAT('DROP TABLE ',TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA=DATABASE() AND TABLE_NAME LIKE 'ashlar\\_log%')", "PREPARE q FROM @q", "EXECUTE q"}, true, false},
		"table swapped as gh-ost":  {[]string{"CREATE TABLE ghost LIKE t", "INSERT INTO ghost SELECT * FROM t", "RENAME TABLE t TO old, ghost TO t"}, true, false},
		"table dropped and made":   {[]string{"CREATE TABLE n LIKE t", "DROP TABLE t", "RENAME TABLE n TO t"}, true, false},
		"table gone":               {[]string{"DROP TABLE t"}, true, false},
		"renamed there and back":   {[]string{"RENAME TABLE t TO x", "RENAME TABLE x TO t"}, false, true},
		"trigger dropped and made": {nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := database(t)
			c := conn(t, db)
			run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), u INT NOT NULL, unsent INT)")
			s := source(t, c, "t")
			s.ID = "t_t"
			s.Columns = s.Columns[:3]
			other := replication.SourceTable{ID: "never", Name: replication.Name{Schema: s.Name.Schema, Table: "never"}, Columns: s.Columns, Key: s.Key}
			prints := func() []string {
				t.Helper()
				p, err := d.Fingerprint(t.Context(), c, group, []replication.SourceTable{other, s})
				if err != nil {
					t.Fatal(err)
				}
				if p[0] != "" {
					t.Error("a table that was never installed has a fingerprint")
				}
				return p
			}
			if p := prints(); p[1] != "" {
				t.Error("fingerprint before Install")
			}
			install(t, c, s)
			before := prints()[1]
			if before == "" {
				t.Fatal("no fingerprint after Install")
			}
			app := plainConn(t, db)
			run(t, app, test.do...)
			if name == "trigger dropped and made" {
				time.Sleep(20 * time.Millisecond) // they carry hundredths of a second
				run(t, app, "DROP TRIGGER ashlar_t_t_d")
				for _, q := range d.Install(group, []replication.SourceTable{s}) {
					run(t, c, q)
				}
			}
			after := prints()[1]
			if (after != before) != test.drift || (after != "") != test.whole {
				t.Errorf("drift %v, whole %v; want %v, %v", after != before, after != "", test.drift, test.whole)
			}
		})
	}
}

// What changes rows below the triggers makes the table be read whole.
func TestWhatNoTriggerSeesIsReadWhole(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (100), PARTITION p2 VALUES LESS THAN (1000))",
		"INSERT INTO t VALUES (1),(20),(300)", "CREATE TABLE other (id INT PRIMARY KEY)", "INSERT INTO other VALUES (50)",
		"CREATE TABLE `q Ä/#.p` (id INT PRIMARY KEY)", "INSERT INTO `q Ä/#.p` VALUES (1)")
	tables := []replication.SourceTable{source(t, c, "t"), source(t, c, "q Ä/#.p")}
	install(t, c, tables...)
	r := newReplica(tables...)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r.pollUntil(t, c)
	if r.whole[0]+r.whole[1] != 0 {
		t.Errorf("read whole after Install: %v", r.whole)
	}
	app := plainConn(t, db)
	for n, q := range []string{"ALTER TABLE t TRUNCATE PARTITION p0", "ALTER TABLE t DROP PARTITION p0",
		"ALTER TABLE t EXCHANGE PARTITION p1 WITH TABLE other", "TRUNCATE `q Ä/#.p`"} {
		run(t, app, q)
		before := r.whole[0] + r.whole[1]
		r.pollUntil(t, c)
		if r.whole[0]+r.whole[1] == before {
			t.Errorf("%d: %s was not noticed", n, q)
		}
		r.pollUntil(t, c)
		before = r.whole[0] + r.whole[1]
		r.pollUntil(t, c)
		if r.whole[0]+r.whole[1] != before {
			t.Errorf("after %s the table is read whole again and again", q)
		}
	}
}

func TestTruncateBetweenSnapshotAndReadIsTriedAgain(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
	s := source(t, c, "t")
	install(t, c, s)
	tx, err := d.Begin(t.Context(), c, replication.ReadSnapshot)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	run(t, db, "TRUNCATE t", "INSERT INTO t VALUES (2)")
	_, err = stream(t.Context(), c, d.Select(s, nil, 0), s.Columns)
	if d.Fault(err) != replication.Transient {
		t.Errorf("a table truncated after the snapshot: %v", err)
	}
}

func TestCaptureNeedsProcess(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
	s := source(t, c, "t")
	install(t, c, s)
	user := "p" + s.Name.Schema[len(s.Name.Schema)-10:]
	run(t, db, "CREATE USER "+user+"@'127.0.0.1' IDENTIFIED BY 'pw'", "GRANT ALL ON "+s.Name.Schema+".* TO "+user+"@'127.0.0.1'")
	t.Cleanup(func() { _, _ = db.Exec("DROP USER " + user + "@'127.0.0.1'") })
	cfg := serverConfig(t, db)
	cfg.User, cfg.Passwd = user, "pw"
	err := d.Sequence(t.Context(), conn(t, open(t, cfg)), group, []replication.SourceTable{s})
	if d.Fault(err) != replication.Denied {
		t.Errorf("Sequence without PROCESS = %v", err)
	}
}
