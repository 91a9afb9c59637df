package sqlite_test

import (
	"fmt"
	"testing"
)

// captured is a table, rows that are there before, and statements that change
// it, after each of which a replica must be equal.
type captured struct {
	name, create string
	before       []string
	changes      []string
}

var capturedTables = []captured{
	{
		name:   "integer key",
		create: `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)`,
		before: []string{`INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`},
		changes: []string{
			`INSERT INTO t VALUES (4, 'd')`,
			`INSERT INTO t (v) VALUES ('auto')`,
			`UPDATE t SET v = 'x' WHERE id IN (1, 2)`,
			`DELETE FROM t WHERE id = 3`,
			`UPDATE t SET id = id + 10 WHERE id = 1`,
			`UPDATE t SET id = CASE id WHEN 2 THEN -4 WHEN 4 THEN -2 END WHERE id IN (2, 4)`,
			`UPDATE t SET id = -id WHERE id < 0`,
			`INSERT OR REPLACE INTO t VALUES (2, 'replaced')`,
			`REPLACE INTO t VALUES (2, 'again')`,
			`INSERT OR IGNORE INTO t VALUES (2, 'ignored'), (77, 'new')`,
			`INSERT INTO t VALUES (2, 'u') ON CONFLICT (id) DO UPDATE SET v = excluded.v || v`,
			`INSERT INTO t VALUES (2, 'u') ON CONFLICT DO NOTHING`,
			`UPDATE OR REPLACE t SET id = 77 WHERE id = 2`,
			`UPDATE OR IGNORE t SET id = 77 WHERE id = 4`,
			`UPDATE t SET rowid = 99 WHERE id = 77`,
			`DELETE FROM t`,
			`INSERT INTO t VALUES (1, 'a')`,
		},
	},
	{
		name:   "unique indexes",
		create: `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT, c INT, UNIQUE (b, c))`,
		before: []string{`INSERT INTO t VALUES (1, 'one', 1, 1), (2, 'two', 2, 2), (3, NULL, NULL, 3), (4, 'four', NULL, 3), (5, 'five', 5, 5)`},
		changes: []string{
			`INSERT OR REPLACE INTO t VALUES (10, 'one', 9, 9)`,
			`INSERT OR REPLACE INTO t VALUES (11, 'x', 2, 2)`,
			`INSERT OR REPLACE INTO t VALUES (12, NULL, NULL, 3)`,
			`INSERT OR REPLACE INTO t (a, b, c) VALUES ('x', 9, 9)`, // two rows go
			`UPDATE OR REPLACE t SET a = 'four' WHERE id = 5`,
			`UPDATE OR REPLACE t SET b = 5, c = 5 WHERE id IN (3, 12)`,
			`INSERT INTO t VALUES (20, 'four', 7, 7) ON CONFLICT (a) DO UPDATE SET id = 21`,
			`INSERT OR REPLACE INTO t SELECT id + 100, a, b, c FROM t`,
			`REPLACE INTO t VALUES (200, 'four', 5, 5), (201, 'four', 5, 5)`,
		},
	},
	{
		name:   "constraint says replace",
		create: `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE ON CONFLICT REPLACE, b TEXT NOT NULL ON CONFLICT REPLACE DEFAULT 'none' UNIQUE ON CONFLICT REPLACE)`,
		before: []string{`INSERT INTO t VALUES (1, 'one', 'x'), (2, 'two', 'none'), (3, 'three', 'z')`},
		changes: []string{
			`INSERT INTO t VALUES (10, 'one', 'y')`,
			`INSERT INTO t VALUES (11, 'eleven', NULL)`, // becomes none, and takes it from row 2
			`UPDATE t SET a = 'eleven' WHERE id = 3`,
			`UPDATE t SET b = 'y' WHERE id = 3`,
		},
	},
	{
		name:   "partial and expression indexes",
		create: `CREATE TABLE t (id INTEGER PRIMARY KEY, mail TEXT, live INT, "a b" TEXT)`,
		before: []string{
			`CREATE UNIQUE INDEX one ON t (lower(mail) COLLATE NOCASE DESC) WHERE live -- a comment`,
			`CREATE UNIQUE INDEX two ON t (substr("a b", 1, 2), id % 2)`,
			`INSERT INTO t VALUES (1, 'A@x', 1, 'abc'), (2, 'a@x', 0, 'bcd'), (3, 'b@x', 1, 'cde'), (4, NULL, 1, NULL)`,
		},
		changes: []string{
			`INSERT OR REPLACE INTO t VALUES (10, 'a@X', 1, 'xyz')`,
			`INSERT OR REPLACE INTO t VALUES (11, 'a@X', 0, 'xy')`,
			`UPDATE OR REPLACE t SET live = 1 WHERE id = 2`,
			`INSERT OR REPLACE INTO t VALUES (12, 'q@x', 1, 'bc!')`,
			`UPDATE OR REPLACE t SET "a b" = 'cd' WHERE id = 11`,
		},
	},
	{
		name:   "key that folds",
		create: `CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v INT)`,
		before: []string{`INSERT INTO t VALUES ('a', 1), ('B', 2), ('c', 3)`},
		changes: []string{
			`INSERT OR REPLACE INTO t VALUES ('A', 10)`,
			`UPDATE t SET k = 'b' WHERE k = 'B'`,
			`UPDATE OR REPLACE t SET k = 'C' WHERE k = 'b'`,
			`INSERT INTO t VALUES ('a', 5) ON CONFLICT (k) DO UPDATE SET v = 6, k = 'a'`,
			`DELETE FROM t WHERE k = 'a'`,
		},
	},
	{
		name:   "index with another collation than its column",
		create: `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT COLLATE NOCASE)`,
		before: []string{
			`CREATE UNIQUE INDEX one ON t (a COLLATE NOCASE)`,
			`CREATE UNIQUE INDEX two ON t (b COLLATE BINARY)`,
			`INSERT INTO t VALUES (1, 'a', 'a'), (2, 'b', 'A'), (3, 'c', 'c')`,
		},
		changes: []string{
			`INSERT OR REPLACE INTO t VALUES (10, 'A', 'x')`,
			`INSERT OR REPLACE INTO t VALUES (11, 'y', 'A')`,
			`UPDATE OR REPLACE t SET b = 'X' WHERE id = 3`,
			`UPDATE OR REPLACE t SET b = 'x' WHERE id = 3`,
			`UPDATE OR REPLACE t SET a = 'Y' WHERE id = 3`,
		},
	},
	{
		name:   "hidden rowid",
		create: `CREATE TABLE t (k TEXT PRIMARY KEY, rowid INT, v INT)`,
		before: []string{`INSERT INTO t (_rowid_, k, v) VALUES (1, 'a', 1), (2, 'b', 2), (-1, 'minus', 0)`},
		changes: []string{
			`INSERT OR REPLACE INTO t (_rowid_, k, v) VALUES (1, 'x', 3)`,
			`UPDATE OR REPLACE t SET _rowid_ = 2 WHERE k = 'x'`,
			`INSERT INTO t (k, v) VALUES ('new', 1)`,
			`DELETE FROM t`,
		},
	},
	{
		name:   "without rowid, composite key",
		create: `CREATE TABLE t (a INT, b TEXT, v INT UNIQUE, PRIMARY KEY (b DESC, a)) WITHOUT ROWID`,
		before: []string{`INSERT INTO t VALUES (1, 'x', 1), (2, 'x', 2), (1, 'y', 3), (3, 'z', NULL)`},
		changes: []string{
			`UPDATE t SET a = a + 10 WHERE b = 'x'`,
			`INSERT OR REPLACE INTO t VALUES (7, 'q', 3)`,
			`UPDATE OR REPLACE t SET a = 7, b = 'q' WHERE b = 'z'`,
			`INSERT OR IGNORE INTO t VALUES (7, 'q', 99), (8, 'q', 1), (9, 'q', 9)`,
			`DELETE FROM t`,
		},
	},
	{
		name:   "unique index as key",
		create: `CREATE TABLE t (a INT NOT NULL, b TEXT NOT NULL, v INT, UNIQUE (a, b))`,
		before: []string{`INSERT INTO t VALUES (1, 'x', 1), (2, 'y', 2)`},
		changes: []string{
			`UPDATE t SET a = 3 - a`,
			`INSERT OR REPLACE INTO t VALUES (1, 'x', 10)`,
			`INSERT OR REPLACE INTO t (rowid, a, b, v) VALUES (1, 5, 'five', 5)`,
			`DELETE FROM t WHERE a = 5`,
		},
	},
	{
		name:   "generated columns",
		create: `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, up TEXT AS (upper(a)) STORED UNIQUE, len INT AS (length(a)))`,
		before: []string{`INSERT INTO t (id, a) VALUES (1, 'a'), (2, 'b'), (3, 'cc')`},
		changes: []string{
			`INSERT OR REPLACE INTO t (id, a) VALUES (10, 'A')`,
			`UPDATE OR REPLACE t SET a = 'B' WHERE id = 3`,
			`UPDATE t SET a = 'long' WHERE id = 10`,
		},
	},
	{
		name:   `names with "quotes", blanks and capitals`,
		create: `CREATE TABLE "My ""odd"" [Table]" ("select" INTEGER, "A b;c?" TEXT, "it's*/" TEXT UNIQUE, PRIMARY KEY ("select", "A b;c?"))`,
		before: []string{`INSERT INTO "My ""odd"" [Table]" VALUES (1, 'a', 'u1'), (2, 'b', 'u2')`},
		changes: []string{
			`INSERT INTO "My ""odd"" [Table]" VALUES (3, 'c', 'u3')`,
			`INSERT OR REPLACE INTO "My ""odd"" [Table]" VALUES (4, 'd', 'u1')`,
			`UPDATE "My ""odd"" [Table]" SET "A b;c?" = 'z' WHERE "select" = 2`,
			`DELETE FROM "My ""odd"" [Table]"`,
		},
	},
}

func (tt captured) table() string {
	if tt.name[0] == 'n' {
		return `my "ODD" [table]`
	}
	return "T"
}

// TestEveryChangeIsCaptured runs with and without recursive_triggers, which is
// the writer's setting and decides whether SQLite itself tells of rows replaced.
func TestEveryChangeIsCaptured(t *testing.T) {
	for _, recursive := range []string{"off", "on"} {
		for _, tt := range capturedTables {
			t.Run(fmt.Sprintf("%s, recursive_triggers=%s", tt.name, recursive), func(t *testing.T) {
				db := open(t, "_pragma=recursive_triggers("+recursive+")")
				exec(t, db, tt.create)
				exec(t, db, tt.before...)
				c := conn(t, db)
				st := source(t, c, "t", tt.table())
				install(t, c, st)
				each, late := copyOf(t, c, st), copyOf(t, c, st)
				for _, q := range tt.changes {
					exec(t, db, q)
					if err := each.poll(t.Context(), c); err != nil {
						t.Fatalf("after %s: %v", q, err)
					}
				}
				late.mustPoll(t, c)
			})
		}
	}
}

func TestSavepointsAndRollbacksAreCapturedAsTheyEnd(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY, v INT)`, `INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)`)
	c, w := conn(t, db), conn(t, db)
	st := source(t, c, "t", "t")
	install(t, c, st)
	m := copyOf(t, c, st)
	exec(t, w, `BEGIN`, `UPDATE t SET v = 10 WHERE id = 1`, `SAVEPOINT a`, `DELETE FROM t`, `ROLLBACK TO a`, `UPDATE t SET v = 20 WHERE id = 2`)
	m.mustPoll(t, c)
	before := m.at
	exec(t, w, `COMMIT`)
	m.mustPoll(t, c)
	if m.at == before {
		t.Fatal("the clock stands still")
	}
	before = m.at
	exec(t, w, `BEGIN`, `DELETE FROM t`, `ROLLBACK`)
	m.mustPoll(t, c)
	if m.at != before {
		t.Fatalf("a transaction that was rolled back moved the clock from %s to %s", before, m.at)
	}
	exec(t, w, `BEGIN`, `UPDATE t SET v = 30 WHERE id = 3`, `COMMIT`) // readings of the clock again
	m.mustPoll(t, c)
}

func TestCascadesAreCaptured(t *testing.T) {
	db := open(t, "_pragma=foreign_keys(on)")
	exec(t, db, `CREATE TABLE parent (id INTEGER PRIMARY KEY, v INT)`,
		`CREATE TABLE child (id INTEGER PRIMARY KEY, p INT REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE)`,
		`CREATE TABLE note (id INTEGER PRIMARY KEY, p INT DEFAULT 3 REFERENCES parent ON DELETE SET NULL ON UPDATE SET DEFAULT)`,
		`CREATE TABLE tree (id INTEGER PRIMARY KEY, up INT REFERENCES tree ON DELETE CASCADE)`,
		`INSERT INTO parent VALUES (1, 1), (2, 2), (3, 3), (4, 4)`, `INSERT INTO child VALUES (10, 1), (11, 1), (20, 2), (30, 3)`, `INSERT INTO note VALUES (10, 1), (20, 2), (40, 4)`,
		`INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, NULL)`)
	c := conn(t, db)
	tables := []string{"parent", "child", "note", "tree"}
	m := new(mirror)
	for _, name := range tables {
		m.tables = append(m.tables, source(t, c, name, name))
	}
	install(t, c, m.tables...)
	m = copyOf(t, c, m.tables...)
	for _, q := range []string{
		`DELETE FROM parent WHERE id = 1`, `UPDATE parent SET id = 22 WHERE id = 2`, `INSERT OR REPLACE INTO parent VALUES (22, 0)`, `DELETE FROM tree WHERE id = 1`,
		`REPLACE INTO parent VALUES (4, 44)`,
	} {
		exec(t, db, q)
		if err := m.poll(t.Context(), c); err != nil {
			t.Fatalf("after %s: %v", q, err)
		}
	}
	var n int
	if err := db.QueryRow(`SELECT (SELECT count(*) FROM child) * 10 + (SELECT count(*) FROM tree)`).Scan(&n); err != nil || n != 11 {
		t.Fatalf("the cascades left %d, %v: not what this test is for", n, err)
	}
}

func TestChangesByTheApplicationsTriggersAreCaptured(t *testing.T) {
	for _, recursive := range []string{"off", "on"} {
		db := open(t, "_pragma=recursive_triggers("+recursive+")")
		exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY, u INT UNIQUE, n INT)`,
			`INSERT INTO t VALUES (1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 4, 0), (5, 5, 0)`)
		c := conn(t, db)
		st := source(t, c, "t", "t")
		install(t, c, st)
		m := copyOf(t, c, st)
		exec(t, db, `CREATE TRIGGER x AFTER DELETE ON t BEGIN DELETE FROM t WHERE id = OLD.id + 1 AND id < 4; END`,
			`CREATE TRIGGER y BEFORE INSERT ON t WHEN NEW.n > 0 BEGIN UPDATE t SET u = NEW.u WHERE id = 5; END`,
			`CREATE TRIGGER z AFTER UPDATE OF n ON t WHEN NEW.n > 5 BEGIN UPDATE OR REPLACE t SET u = 4 WHERE id = NEW.id; END`)
		for _, q := range []string{`DELETE FROM t WHERE id = 1`, `INSERT OR REPLACE INTO t VALUES (9, 77, 1)`, `UPDATE t SET n = 6 WHERE id = 9`, `INSERT INTO t VALUES (10, 10, 0)`} {
			exec(t, db, q)
			if err := m.poll(t.Context(), c); err != nil {
				t.Fatalf("recursive_triggers=%s, after %s: %v", recursive, q, err)
			}
		}
	}
}

func TestTheLogHoldsEachKeyOnce(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE t (a INT, b TEXT, v INT, PRIMARY KEY (a, b))`, `INSERT INTO t VALUES (1, 'x', 0), (2, 'y', 0)`)
	c := conn(t, db)
	st := source(t, c, "t", "t")
	install(t, c, st)
	m := copyOf(t, c, st)
	for range 50 {
		exec(t, db, `UPDATE t SET v = v + 1`, `UPDATE t SET v = v + 1 WHERE a = 1`, `INSERT OR REPLACE INTO t VALUES (2, 'y', 9)`)
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM ashlar_log_t`).Scan(&n); err != nil || n != 2 {
		t.Fatalf("the log has %d rows, %v, for 2 keys", n, err)
	}
	m.mustPoll(t, c)
}

// TestDroppingAParentIsCaptured: with foreign keys on, DROP TABLE deletes the
// rows first, without triggers of that table but with its children's.
func TestDroppingAParentIsCaptured(t *testing.T) {
	db := open(t, "_pragma=foreign_keys(on)")
	exec(t, db, `CREATE TABLE p (id INTEGER PRIMARY KEY)`, `CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p ON DELETE CASCADE)`,
		`INSERT INTO p VALUES (1), (2)`, `INSERT INTO c VALUES (1, 1), (2, 2), (3, NULL)`)
	c := conn(t, db)
	st := source(t, c, "c", "c")
	install(t, c, st)
	m := copyOf(t, c, st)
	exec(t, db, `DROP TABLE p`)
	m.mustPoll(t, c)
	if len(m.rows[0]) != 1 {
		t.Fatalf("%d children are left: not what this test is for", len(m.rows[0]))
	}
}
