package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5"
)

// How a log is emptied while applications write to it.
//
// Writers put keys into one of two logs, the current one, without a lock on the
// choice; so a key may land in a log that has just ceased to be current. Nothing
// rests on that it does not:
//
//   - Readers look into both logs.
//   - TRUNCATE first takes the log for itself, NOWAIT. Then no transaction that
//     wrote to it is open, since writers keep their locks until they end, and
//     prepared ones too. With a snapshot taken after the lock it looks for rows
//     that a position still needs, and only goes on if there are none.
//   - A writer that read the choice before and writes afterwards waits for that
//     moment, and its key is in the log as any other.
//   - A reader whose snapshot is older finds the log empty. All it had were rows
//     that every needed position sees. The reader's own is at or after one of
//     these, and sees them as well.
//
// A position is needed as its node last told. The node may be further by now:
// it sees more, so what it needs is there.
//
// A log that a dead node keeps is compacted. It is tempting to keep the newest
// row of each key; but ids are given at a transaction's first write and not at
// its commit. With a before c by number, both of one key, there may be a
// snapshot that sees c and not a, and a node that stands at it, unknown to the
// master since it has told an earlier position. If a went, it would keep the old
// row for ever. So all rows of a key give way to one new row, written by the
// transaction that deletes them. No snapshot that lacks one of the old rows sees
// the new one, whoever took it and whenever: nobody can miss the key. Nodes that
// had it already read that row once more, which is harmless.

// smallLog is up to where a log is emptied by DELETE, which needs no lock.
const smallLog = 512 << 10

// enough rows are deleted for a VACUUM to be due at once.
const manyDeleted = 10000

// mostMarkers is how many markers for all rows are kept apart. Making one anew
// has every node read the whole table.
const mostMarkers = 100

func (dialect) Trim(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, needed []string) (int64, error) {
	snapshots := make([]snapshot, len(needed))
	for i, text := range needed {
		s, err := parseSnapshot(text)
		if err != nil {
			return 0, err
		}
		snapshots[i] = s
	}
	var rows int64
	for _, t := range tables {
		w := trimmer{ctx: ctx, c: c, t: captured{t}, needed: unseen(snapshots...)}
		n, err := w.trim()
		if err != nil {
			return 0, fmt.Errorf("postgres: trim the log of table %s: %w", t.Name, err)
		}
		rows += n
	}
	return rows, nil
}

// trimmer trims the logs of one table.
type trimmer struct {
	ctx    context.Context
	c      *sql.Conn
	t      captured
	needed string // condition on a log's rows
}

// logState is what trim decides by. size, rows and needed are by log.
type logState struct {
	current            int
	size, rows, needed [2]int64
	kept               int64 // distinct keys of the needed rows, each marker counted
	markers            int64 // of the needed rows
}

func (w *trimmer) state() (s logState, err error) {
	query := fmt.Sprintf(`WITH a AS (SELECT count(*) AS rows, count(*) FILTER (WHERE %[1]s) AS needed FROM %[2]s),
		b AS (SELECT count(*) AS rows, count(*) FILTER (WHERE %[1]s) AS needed FROM %[3]s),
		l AS (SELECT %[4]s FROM %[2]s WHERE %[1]s UNION ALL SELECT %[4]s FROM %[3]s WHERE %[1]s),
		m AS (SELECT count(*) AS n FROM l WHERE k1 IS NOT DISTINCT FROM NULL)
		SELECT (SELECT last_value %% 2 FROM %[5]s), pg_relation_size('%[2]s'), pg_relation_size('%[3]s'),
			a.rows, b.rows, a.needed, b.needed,
			(SELECT count(*) FROM (SELECT %[6]s FROM l WHERE k1 IS DISTINCT FROM NULL GROUP BY %[6]s) g) + m.n, m.n
		FROM a, b, m`,
		w.needed, w.t.log(0), w.t.log(1), w.t.keys(""), w.t.choice(), strings.Join(w.t.grouping(), ", "))
	err = raw(w.c, func(pc *pgx.Conn) error {
		return pc.QueryRow(w.ctx, query, pgx.QueryExecModeSimpleProtocol).Scan(&s.current, &s.size[0], &s.size[1],
			&s.rows[0], &s.rows[1], &s.needed[0], &s.needed[1], &s.kept, &s.markers)
	})
	return s, err
}

func (w *trimmer) trim() (int64, error) {
	s, err := w.state()
	if err != nil {
		return 0, err
	}
	if s.rows == [2]int64{} && s.size[0]+s.size[1] <= smallLog {
		return 0, nil
	}
	again := false
	other := 1 - s.current
	if s.size[other] > smallLog && s.needed[other] == 0 {
		if err := w.truncate(other); err != nil {
			return 0, err
		}
		again = true
	}
	// Only then is the other log free to become the current one.
	if s.size[s.current] > smallLog && (s.size[other] <= smallLog || again) {
		if err := w.switchTo(other); err != nil {
			return 0, err
		}
		if s.needed[s.current] == 0 {
			if err := w.truncate(s.current); err != nil {
				return 0, err
			}
		}
		again = true
	}
	if again {
		if s, err = w.state(); err != nil {
			return 0, err
		}
	}
	deleted := int64(0)
	for n := range 2 {
		// What is in a large log will go by TRUNCATE, unless a node keeps it; then
		// each row is gone over a bounded number of times.
		free := s.rows[n] - s.needed[n]
		if free > 0 && (s.size[n] <= smallLog || s.needed[n] > 0 && free >= s.needed[n]) {
			if err := exec(w.ctx, w.c, "DELETE FROM "+w.t.log(n)+" WHERE NOT "+w.needed); err != nil {
				return 0, err
			}
			deleted += free
		}
	}
	// As many superseded rows as others: the log stays below two rows for each
	// key, and no row is written anew more often than rows are logged.
	if superseded := s.needed[0] + s.needed[1] - s.kept; superseded > 0 && superseded >= s.kept-s.markers {
		if err := exec(w.ctx, w.c, w.compaction(s.current)); err != nil {
			return 0, err
		}
		deleted += superseded
	}
	if s.markers > mostMarkers {
		if err := exec(w.ctx, w.c, w.markers(s.current)); err != nil {
			return 0, err
		}
		deleted += s.markers
	}
	if deleted > 0 {
		if deleted >= manyDeleted {
			// It takes no lock that writers or readers would wait for.
			if err := exec(w.ctx, w.c, "VACUUM (SKIP_LOCKED) "+w.t.log(0)+", "+w.t.log(1)); err != nil {
				return 0, err
			}
		}
		if s, err = w.state(); err != nil {
			return 0, err
		}
	}
	return s.rows[0] + s.rows[1], nil
}

// truncate empties a log if nobody has it and nothing in it is needed.
func (w *trimmer) truncate(n int) error {
	return exec(w.ctx, w.c, fmt.Sprintf(`DO $ashlar$ BEGIN
	LOCK TABLE %[1]s IN ACCESS EXCLUSIVE MODE NOWAIT;
	IF NOT EXISTS (SELECT FROM %[1]s WHERE %[2]s) THEN
		TRUNCATE %[1]s;
	END IF;
EXCEPTION WHEN lock_not_available THEN
	NULL; -- next time
END $ashlar$`, w.t.log(n), w.needed))
}

func (w *trimmer) switchTo(n int) error {
	var at int64
	return raw(w.c, func(pc *pgx.Conn) error {
		return pc.QueryRow(w.ctx, fmt.Sprintf("SELECT setval('%s', %d)", w.t.choice(), n), pgx.QueryExecModeSimpleProtocol).Scan(&at)
	})
}

// compaction replaces the rows of each key that has more than one by a new one.
func (w *trimmer) compaction(current int) string {
	t := w.t
	l := make([]string, len(t.Key))
	for i, c := range t.KeyColumns() {
		l[i] = fmt.Sprintf("k%d", i+1)
		if c.Folds { // any of the values, whose bytes are the same
			l[i] = fmt.Sprintf("(array_agg(k%[1]d))[1] AS k%[1]d", i+1)
		}
	}
	return fmt.Sprintf(`WITH k AS MATERIALIZED (
	SELECT %[1]s FROM (SELECT %[2]s FROM %[3]s WHERE %[4]s UNION ALL SELECT %[2]s FROM %[5]s WHERE %[4]s) l
	WHERE k1 IS DISTINCT FROM NULL GROUP BY %[6]s HAVING count(*) > 1),
gone0 AS (DELETE FROM %[3]s t USING k WHERE %[7]s AND %[4]s RETURNING %[8]s),
gone1 AS (DELETE FROM %[5]s t USING k WHERE %[7]s AND %[4]s RETURNING %[8]s)
INSERT INTO %[9]s (%[2]s) SELECT %[10]s %[2]s FROM (SELECT * FROM gone0 UNION ALL SELECT * FROM gone1) l`,
		strings.Join(l, ", "), t.keys(""), t.log(0), w.needed, t.log(1),
		strings.Join(t.grouping(), ", "), t.joins(logName), t.keys("t."), t.log(current), t.distinct())
}

// markers replaces all markers by a new one.
func (w *trimmer) markers(current int) string {
	return fmt.Sprintf(`WITH gone0 AS (DELETE FROM %[1]s WHERE k1 IS NOT DISTINCT FROM NULL RETURNING 1), gone1 AS (DELETE FROM %[2]s WHERE k1 IS NOT DISTINCT FROM NULL RETURNING 1)
INSERT INTO %[3]s (k1) SELECT NULL WHERE EXISTS (SELECT FROM gone0) OR EXISTS (SELECT FROM gone1)`,
		w.t.log(0), w.t.log(1), w.t.log(current))
}
