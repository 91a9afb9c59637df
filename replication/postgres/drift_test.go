package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication/postgres"
)

// What takes away, changes or circumvents a part of the capture changes the
// fingerprint, or makes it "" when changes are lost from then on.
func TestDriftIsNoticed(t *testing.T) {
	const plain = "CREATE TABLE t (id int PRIMARY KEY, v varchar(10), w int)"
	cases := []struct {
		name, setup, change string
		whole               bool // afterwards
	}{
		{"column of another type", plain, "ALTER TABLE t ALTER v TYPE text", true},
		{"longer column", plain, "ALTER TABLE t ALTER v TYPE varchar(20)", true},
		{"column renamed", plain, "ALTER TABLE t RENAME v TO x", false},
		{"column dropped", plain, "ALTER TABLE t DROP v", false},
		{"column dropped and added", plain, "ALTER TABLE t DROP v; ALTER TABLE t ADD v varchar(10)", true},
		{"column not null", plain, "ALTER TABLE t ALTER v SET NOT NULL", true},
		{"key dropped", plain, "ALTER TABLE t DROP CONSTRAINT t_pkey", false},
		{"key on other columns", plain, "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (id, w)", false},
		{"table dropped", plain, "DROP TABLE t", false},
		{"table made anew", plain, "DROP TABLE t; " + plain, false},
		{"table renamed", plain, "ALTER TABLE t RENAME TO u", false},
		{"trigger dropped", plain, "DROP TRIGGER ashlar_t_del ON t", false},
		{"truncate trigger dropped", plain, "DROP TRIGGER ashlar_t_all ON t", false},
		{"trigger disabled", plain, "ALTER TABLE t DISABLE TRIGGER ashlar_t_key", false},
		{"all triggers disabled", plain, "ALTER TABLE t DISABLE TRIGGER ALL", false},
		{"trigger not always", plain, "ALTER TABLE t ENABLE TRIGGER ashlar_t_ins", false},
		{"trigger disabled for a while", plain, "ALTER TABLE t DISABLE TRIGGER ashlar_t_ins; ALTER TABLE t ENABLE ALWAYS TRIGGER ashlar_t_ins", true},
		{"function replaced", plain, "CREATE OR REPLACE FUNCTION ashlar.log_t_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'", true},
		{"log dropped", plain, "DROP TABLE ashlar.log_t_1", false},
		{"log unlogged", plain, "ALTER TABLE ashlar.log_t_0 SET UNLOGGED", false},
		{"sequence dropped", plain, "DROP SEQUENCE ashlar.log_t_at", false},
		{"becomes a partition", plain, "CREATE TABLE p (LIKE t INCLUDING ALL) PARTITION BY RANGE (id); ALTER TABLE p ATTACH PARTITION t DEFAULT", false},
		{"gets an heir", plain, "CREATE TABLE heir () INHERITS (t)", false},
		{"inherits", plain, "CREATE TABLE base (id int); ALTER TABLE t INHERIT base", false},
		{"partition added", partitionedT, "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200)", false},
		{"partition attached", partitionedT, "CREATE TABLE t2 (LIKE t INCLUDING ALL); ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (100) TO (200)", false},
		{"partition detached", partitionedT, "ALTER TABLE t DETACH PARTITION t1", true},
		{"partition dropped", partitionedT, "DROP TABLE t1", true},
		{"trigger of a partition disabled", partitionedT, "ALTER TABLE t1 DISABLE TRIGGER ashlar_t_ins", false},
		{"truncate trigger of a partition dropped", partitionedT, "DROP TRIGGER ashlar_t_all ON t1", false},
	}
	db := open(t)
	for _, tc := range cases {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			c := session(t, db)
			do(t, c, tc.setup)
			t.Cleanup(func() {
				_, _ = db.Exec("DROP TABLE IF EXISTS p, t, u, base, t1, t2 CASCADE; DROP SCHEMA ashlar CASCADE")
			})
			src := table(t, c, "t", "t")
			install(t, c, src)
			before := fingerprints(t, c, src)[0]
			if again := fingerprints(t, c, src)[0]; again != before {
				t.Fatal("the fingerprint changes by itself")
			}
			do(t, c, tc.change)
			after := fingerprints(t, c, src)[0]
			if after == before {
				t.Error("not noticed")
			}
			if (after != "") != tc.whole {
				t.Errorf("whole: %v, want %v", after != "", tc.whole)
			}
		})
	}
}

const partitionedT = `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100); CREATE TABLE t0 PARTITION OF t DEFAULT`

// What has nothing to do with the capture leaves the fingerprint as it is.
func TestMaintenanceIsNoDrift(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'x' FROM generate_series(1, 1000) i")
	src := table(t, c, "t", "t")
	install(t, c, src)
	before := fingerprints(t, c, src)[0]
	for _, q := range []string{"VACUUM FULL t", "ANALYZE", "REINDEX TABLE t", "REINDEX INDEX CONCURRENTLY t_pkey", "CLUSTER t USING t_pkey", "TRUNCATE t",
		"CREATE INDEX ON t (v)", "ALTER TABLE t ADD other int DEFAULT 7", "CREATE TABLE child (id int REFERENCES t)", "GRANT SELECT ON t TO public",
		"SELECT setval('ashlar.log_t_at', 1)", "TRUNCATE ashlar.log_t_0"} {
		do(t, c, q)
		if got := fingerprints(t, c, src)[0]; got != before {
			t.Fatalf("%s changes the fingerprint to %q", q, got)
		}
	}
}

func TestInstallRepairsWhatIsNotWhole(t *testing.T) {
	c := session(t, open(t))
	do(t, c, partitionedT, "INSERT INTO t VALUES (1, 'a'), (500, 'b')")
	src := table(t, c, "t", "t")
	install(t, c, src)
	for _, broken := range []string{
		"DROP TRIGGER ashlar_t_ins ON t", "ALTER TABLE t1 DISABLE TRIGGER ashlar_t_upd", "DROP TABLE ashlar.log_t_0",
		"CREATE OR REPLACE FUNCTION ashlar.log_t_new() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
		"DROP SEQUENCE ashlar.log_t_at", "DROP FUNCTION ashlar.log_t_old() CASCADE", "DROP TRIGGER ashlar_t_all ON t0",
		"CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200)", "ALTER TABLE t DETACH PARTITION t2; INSERT INTO t2 VALUES (160, 'x'); ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (100) TO (200)",
	} {
		do(t, c, broken)
		install(t, c, src)
		node := follow(t, c, src)
		do(t, c, "UPDATE t SET v = v || '!'", "INSERT INTO t VALUES (2, 'new'), (150, 'x') ON CONFLICT DO NOTHING", "UPDATE t SET id = 3 WHERE id = 2")
		node.poll(t)
		do(t, c, "DELETE FROM t WHERE id = 3")
		node.poll(t)
		do(t, c, "TRUNCATE t0")
		node.poll(t)
		do(t, c, "INSERT INTO t VALUES (500, 'b')")
	}
	// Another type of the key needs another log.
	do(t, c, "CREATE TABLE grows (id int PRIMARY KEY, v text)")
	src = table(t, c, "grows", "grows")
	install(t, c, src)
	do(t, c, d.Uninstall(group, node1(src))[0], "ALTER TABLE grows ALTER id TYPE bigint")
	src = table(t, c, "grows", "grows")
	install(t, c, src)
	node := follow(t, c, src)
	do(t, c, fmt.Sprintf("INSERT INTO grows VALUES (%d, 'big')", int64(1)<<40))
	node.poll(t)
	if typ := one[string](t, c, "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'k1'", postgres.LogName(src, 0)); typ != "bigint" {
		t.Errorf("the log's key is %s", typ)
	}
}
