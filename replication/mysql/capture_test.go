package mysql_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
	driver "github.com/go-sql-driver/mysql"
)

// Each story is what an application does between two polls, after which the
// replica is the snapshot.
func TestEveryWayToChangeARowIsCaptured(t *testing.T) {
	t.Parallel()
	db := database(t)
	c, app := conn(t, db), plainConn(t, db)
	run(t, app,
		"CREATE TABLE plain (id INT PRIMARY KEY, v VARCHAR(20), u INT UNIQUE)",
		"CREATE TABLE pair (a INT, b VARCHAR(10) COLLATE utf8mb4_general_ci, c DATETIME(3), v INT, PRIMARY KEY (b, a, c))",
		"CREATE TABLE `Odd ``Näme` (`The Key` VARCHAR(20) CHARACTER SET latin1, `sel``ect` INT, PRIMARY KEY (`The Key`))",
		"CREATE TABLE no_primary (a VARBINARY(8) NOT NULL, b INT NOT NULL, id INT, UNIQUE (a), KEY (b))",
		"CREATE TABLE clock (at TIMESTAMP PRIMARY KEY, v INT)")
	names := []string{"plain", "pair", "Odd `Näme", "no_primary", "clock"}
	var tables []replication.SourceTable
	for _, name := range names {
		tables = append(tables, source(t, c, name))
	}
	install(t, c, tables...)
	r := newReplica(tables...)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	driver.RegisterReaderHandler("application", func() io.Reader { return strings.NewReader("100\tloaded\t100\n101\tloaded\t101\n") })
	defer driver.DeregisterReaderHandler("application")
	stories := []struct {
		name string
		do   []string
		want map[int]int64 // keys sent, by table
	}{
		{"insert", []string{"INSERT INTO plain VALUES (1,'a',1),(2,'b',2),(3,'c',3)"}, map[int]int64{0: 3}},
		{"update", []string{"UPDATE plain SET v='z' WHERE id=2"}, map[int]int64{0: 1}},
		{"update of NULL", []string{"UPDATE plain SET v=NULL WHERE id=3"}, map[int]int64{0: 1}},
		{"delete", []string{"DELETE FROM plain WHERE id=1"}, map[int]int64{0: 1}},
		{"primary key update", []string{"UPDATE plain SET id=20 WHERE id=2"}, map[int]int64{0: 2}},
		{"primary key chain", []string{"UPDATE plain SET id=21 WHERE id=20", "UPDATE plain SET id=22 WHERE id=21"}, map[int]int64{0: 3}},
		{"primary key swap", []string{"START TRANSACTION", "UPDATE plain SET id=-1 WHERE id=3", "UPDATE plain SET id=3 WHERE id=22", "UPDATE plain SET id=22 WHERE id=-1", "COMMIT"}, map[int]int64{0: 3}},
		{"REPLACE by the key", []string{"REPLACE INTO plain VALUES (3,'r',33)"}, map[int]int64{0: 1}},
		{"REPLACE that deletes a rival", []string{"REPLACE INTO plain VALUES (4,'r',33)"}, map[int]int64{0: 2}},
		{"ON DUPLICATE KEY UPDATE", []string{"INSERT INTO plain VALUES (4,'x',5) ON DUPLICATE KEY UPDATE v='odku', id=id+10"}, map[int]int64{0: 2}},
		{"INSERT IGNORE", []string{"INSERT IGNORE INTO plain VALUES (14,'no',1),(15,'yes',55)"}, nil},
		{"LOAD DATA", []string{"LOAD DATA LOCAL INFILE 'Reader::application' INTO TABLE plain"}, map[int]int64{0: 2}},
		{"multi-table update", []string{"UPDATE plain p JOIN plain q ON p.id=q.id SET p.v='multi' WHERE q.id>=100"}, map[int]int64{0: 2}},
		{"savepoint rolled back", []string{"START TRANSACTION", "UPDATE plain SET v='kept' WHERE id=100", "SAVEPOINT s", "UPDATE plain SET v='not' WHERE id=101", "ROLLBACK TO SAVEPOINT s", "COMMIT"}, map[int]int64{0: 1}},
		{"rolled back", []string{"START TRANSACTION", "DELETE FROM plain", "ROLLBACK"}, map[int]int64{0: 0}},
		{"insert and delete", []string{"INSERT INTO plain VALUES (7,'x',7)", "DELETE FROM plain WHERE id=7"}, map[int]int64{0: 1}},
		{"composite key", []string{"INSERT INTO pair VALUES (1,'x','2020-01-01 00:00:00.125',1),(1,'y','2020-01-01',2),(2,'x','2021-01-01',3)", "UPDATE pair SET a=3 WHERE v=3", "DELETE FROM pair WHERE v=2"}, map[int]int64{1: 4}},
		{"part of a key in another case", []string{"UPDATE pair SET b='X' WHERE v=1"}, map[int]int64{1: 2}},
		{"part of a key with a blank", []string{"UPDATE pair SET b='X ' WHERE v=1"}, map[int]int64{1: 2}},
		{"quoted names, accents of latin1", []string{"INSERT INTO `Odd ``Näme` VALUES ('é ü',1),('b',2)", "UPDATE `Odd ``Näme` SET `The Key`='É Ü' WHERE `sel``ect`=1"}, map[int]int64{2: 3}},
		{"unique index as key", []string{"INSERT INTO no_primary VALUES (X'00FF',1,1),('',2,2)", "UPDATE no_primary SET a=X'0027' WHERE b=1", "DELETE FROM no_primary WHERE b=2"}, map[int]int64{3: 3}},
		{"timestamp as key", []string{"SET time_zone='+05:00'", "INSERT INTO clock VALUES ('2001-02-03 04:05:06',1),(NOW(),2)", "SET time_zone='-03:00'", "UPDATE clock SET v=v+1", "SET time_zone=SYSTEM"}, map[int]int64{4: 2}},
		{"truncate", []string{"TRUNCATE plain"}, nil},
		{"truncate, then insert", []string{"INSERT INTO plain VALUES (1,'a',1)", "TRUNCATE plain", "INSERT INTO plain VALUES (2,'a',1)"}, nil},
		{"truncate of another table's rows", []string{"DELETE FROM `Odd ``Näme`", "TRUNCATE `Odd ``Näme`"}, nil},
	}
	for _, story := range stories {
		before := slices.Clone(r.sent)
		run(t, app, story.do...)
		r.pollUntil(t, c)
		for i, n := range story.want {
			if got := r.sent[i] - before[i]; got != n {
				t.Errorf("%s: %d keys were sent, want %d", story.name, got, n)
			}
		}
		// Once more from the same place: everything again does no harm.
		at := r.at
		r.pollUntil(t, c)
		if len(story.want) > 0 && r.at != at {
			t.Errorf("%s: position went from %s to %s without changes", story.name, at, r.at)
		}
	}
	if r.whole[0] == 0 || r.whole[2] == 0 {
		t.Errorf("truncated tables were read whole %v times", r.whole)
	}
	if r.whole[1] != 0 || r.whole[3] != 0 {
		t.Errorf("tables that were not truncated were read whole %v times", r.whole)
	}
}

func TestTransactionsOpenBeforeInstallAreCaptured(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1,1)")
	s := source(t, c, "t")
	writer := plainConn(t, db)
	run(t, writer, "START TRANSACTION", "UPDATE t SET v=2 WHERE id=1")
	installed := make(chan error, 1)
	go func() {
		for _, q := range d.Install(group, []replication.SourceTable{s}) {
			for {
				_, err := c.ExecContext(t.Context(), q)
				if err != nil && d.Fault(err) == replication.Transient {
					continue
				}
				if err != nil {
					installed <- err
					return
				}
				break
			}
		}
		installed <- nil
	}()
	select {
	case err := <-installed:
		t.Fatalf("installed while a transaction that had no trigger was open: %v", err)
	case <-after(300):
	}
	run(t, writer, "UPDATE t SET v=3 WHERE id=1", "COMMIT")
	if err := <-installed; err != nil {
		t.Fatal(err)
	}
	r := newReplica(s)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	run(t, writer, "UPDATE t SET v=4 WHERE id=1")
	r.pollUntil(t, c)
	if len(r.rows[0]) != 1 {
		t.Fatalf("rows: %v", r.rows)
	}
}

func TestWhereTakesRowsInAndOut(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, batch INT, k1 VARCHAR(10))", "INSERT INTO t VALUES (1,1,'in'),(2,2,'out')")
	s := source(t, c, "t")
	s.Where = "batch % 2 = 1 AND t.k1 <> 'a''?' OR id = 99"
	install(t, c, s)
	r := newReplica(s)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"UPDATE t SET batch=3-batch", "INSERT INTO t VALUES (99,0,'x'),(98,0,'x')", "UPDATE t SET id=97 WHERE id=99"} {
		run(t, db, q)
		r.pollUntil(t, c)
	}
	if len(r.rows[0]) != 1 {
		t.Fatalf("rows: %v", r.rows[0])
	}
}

func TestCascadesAreReported(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE parent (id INT PRIMARY KEY)",
		"CREATE TABLE child (id INT PRIMARY KEY, a INT, b INT, c INT, CONSTRAINT harmless FOREIGN KEY (a) REFERENCES parent (id),"+
			" CONSTRAINT gone FOREIGN KEY (b) REFERENCES parent (id) ON DELETE CASCADE,"+
			" CONSTRAINT emptied FOREIGN KEY (c) REFERENCES parent (id) ON UPDATE SET NULL)")
	l := describe(t, c, "child")
	if !slices.Equal(l.Cascades, []string{"emptied", "gone"}) {
		t.Errorf("cascades are %v", l.Cascades)
	}
	if len(l.References) != 1 || l.References[0].Table != "parent" {
		t.Errorf("references are %v", l.References)
	}
	if l := describe(t, c, "parent"); l.Cascades != nil || l.References != nil {
		t.Errorf("the parent has %v %v", l.Cascades, l.References)
	}
}

func TestUninstallLeavesNothingAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
	s := source(t, c, "t")
	for range 2 { // first of what was never there
		for _, q := range d.Uninstall(group, []replication.SourceTable{s}) {
			run(t, c, q)
		}
		var tables, triggers int
		if err := db.QueryRow("SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA=DATABASE() AND TABLE_NAME REGEXP 'ashlar_(log|key)_'), (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA=DATABASE())").Scan(&tables, &triggers); err != nil {
			t.Fatal(err)
		}
		if tables != 0 || triggers != 0 {
			t.Errorf("%d tables and %d triggers are left", tables, triggers)
		}
		install(t, c, s)
		install(t, c, s)
	}
	r := newReplica(s)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	old := r.at
	for _, q := range d.Uninstall(group, []replication.SourceTable{s}) {
		run(t, c, q)
	}
	if _, err := d.Now(t.Context(), c, group); !errors.Is(err, replication.ErrNeedResync) {
		t.Errorf("Now of a group that is not installed = %v", err)
	}
	install(t, c, s)
	if now, err := d.Now(t.Context(), c, group); err != nil {
		t.Error(err)
	} else if _, err := d.Changed(t.Context(), c, group, []replication.SourceTable{s}, old, now); !errors.Is(err, replication.ErrNeedResync) {
		t.Errorf("a position from before Uninstall: %v", err)
	}
}

func TestPositionOfTheFutureIsForeign(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
	s := source(t, c, "t")
	install(t, c, s)
	now, err := d.Now(t.Context(), c, group)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Changed(t.Context(), c, group, []replication.SourceTable{s}, now+"0", now); !errors.Is(err, replication.ErrForeignPosition) {
		t.Errorf("Changed = %v", err)
	}
	if _, err := d.Changed(t.Context(), c, group, []replication.SourceTable{s}, "1x", now); err == nil {
		t.Error("a position that is none was taken")
	}
}

func TestWritersNeedNoRights(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
	s := source(t, c, "t")
	install(t, c, s)
	r := newReplica(s)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	user := "u" + s.Name.Schema[len(s.Name.Schema)-10:]
	run(t, db, "CREATE USER "+user+"@'127.0.0.1' IDENTIFIED BY 'pw'", "GRANT SELECT, INSERT, UPDATE, DELETE ON t TO "+user+"@'127.0.0.1'")
	t.Cleanup(func() { _, _ = db.Exec("DROP USER " + user + "@'127.0.0.1'") })
	cfg := serverConfig(t, db)
	cfg.User, cfg.Passwd = user, "pw"
	run(t, open(t, cfg), "INSERT INTO t VALUES (1)", "UPDATE t SET id=2")
	r.pollUntil(t, c)
	if len(r.rows[0]) != 1 {
		t.Errorf("rows: %v", r.rows[0])
	}
}
