package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5"
)

// Sequence has nothing to do: a snapshot difference needs no order.
func (dialect) Sequence(context.Context, *sql.Conn, string, []replication.SourceTable) error {
	return nil
}

// Now refuses a standby: a snapshot there keeps all open transactions where
// txid_current_snapshot does not look, and would pass over them.
func (dialect) Now(ctx context.Context, c *sql.Conn, group string) (string, error) {
	var standby bool
	var at string
	err := raw(c, func(pc *pgx.Conn) error {
		return pc.QueryRow(ctx, "SELECT pg_is_in_recovery(), txid_current_snapshot()::text", pgx.QueryExecModeSimpleProtocol).Scan(&standby, &at)
	})
	if err != nil {
		return "", fmt.Errorf("postgres: read the position: %w", err)
	}
	if standby {
		return "", errors.New("postgres: read the position: the server is a standby, whose snapshots do not list open transactions")
	}
	return at, nil
}

// The rows of a log between two positions are those that from does not see. That
// to sees them needs no condition: to is the snapshot of the transaction that
// reads, in which exactly the rows show whose transactions to sees.

func (dialect) Changed(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, from, to string) ([]replication.Change, error) {
	after, err := parseSnapshot(from)
	if err != nil {
		return nil, err
	}
	until, err := parseSnapshot(to)
	if err != nil {
		return nil, err
	}
	if !until.covers(after) {
		return nil, fmt.Errorf("postgres: position %.80s is not of the past of %.80s: %w", from, to, replication.ErrForeignPosition)
	}
	changes := make([]replication.Change, len(tables))
	if len(tables) == 0 || after.covers(until) {
		return changes, nil // no transaction ended in between
	}
	// A count of NULL keys is a count of markers.
	var q strings.Builder
	for i, s := range tables {
		if i > 0 {
			q.WriteString(" UNION ALL ")
		}
		t := captured{s}
		fmt.Fprintf(&q, "SELECT %d, count(*), count(k1) FROM (SELECT k1 FROM %s WHERE %[3]s UNION ALL SELECT k1 FROM %[4]s WHERE %[3]s) l",
			i, t.log(0), unseen(after), t.log(1))
	}
	err = raw(c, func(pc *pgx.Conn) error {
		rows, err := pc.Query(ctx, q.String(), pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var i int
			var all, keys int64
			if err := rows.Scan(&i, &all, &keys); err != nil {
				return err
			}
			switch {
			case all > keys:
				changes[i] = replication.AllRows
			default:
				changes[i] = replication.Change(all)
			}
		}
		return rows.Err()
	})
	if err == nil {
		err = hold(ctx, c, tables, changes)
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: look for changes: %w", err)
	}
	return changes, nil
}

// errRewritten is a fault that goes away with the next snapshot.
var errRewritten = errors.New("a table was truncated or rewritten after the snapshot was taken")

// hold keeps the changed tables as they are in the transaction's snapshot until
// it ends. A TRUNCATE that commits after a snapshot was taken shows in it all the
// same: the table's rows are gone, although the marker in the log is not there
// yet. A lock keeps others from that, and whether it has already happened shows
// in the catalogue: as the snapshot has it, the table is in another file.
func hold(ctx context.Context, c *sql.Conn, tables []replication.SourceTable, changes []replication.Change) error {
	var names, oids []string
	for i, t := range tables {
		if changes[i] != replication.Nothing {
			names = append(names, quoteName(t.Name))
			oids = append(oids, literal(quoteName(t.Name))+"::regclass")
		}
	}
	if len(names) == 0 {
		return nil
	}
	return raw(c, func(pc *pgx.Conn) error {
		// Not so long that an application would be caught in a deadlock with it.
		var b pgx.Batch
		b.Queue("SET LOCAL lock_timeout = '500ms'")
		b.Queue("LOCK TABLE " + strings.Join(names, ", ") + " IN ACCESS SHARE MODE")
		rewritten := false
		b.Queue("SELECT EXISTS (SELECT FROM unnest(ARRAY[" + strings.Join(oids, ", ") + "]) t(oid), LATERAL (SELECT t.oid UNION SELECT relid FROM pg_partition_tree(t.oid)) p(oid) " +
			"JOIN pg_class c ON c.oid = p.oid WHERE c.relfilenode <> pg_relation_filenode(c.oid))").QueryRow(func(row pgx.Row) error {
			return row.Scan(&rewritten)
		})
		err := pc.SendBatch(ctx, &b).Close()
		if err == nil && rewritten {
			err = errRewritten
		}
		return err
	})
}

// manyKeys is from where on it is worth looking at whether keys are to be joined
// with their table or looked up in it.
const manyKeys = 1000

// Changes reads the keys first and counts them, because the planner cannot know
// how many there are at the end of a log: its estimate may be wrong by any
// factor, and with it the plan. The text has both plans, and the count decides
// when it runs. Few keys are looked up one by one: OFFSET 0 keeps the look-up in
// a loop of its own. Many are joined: a FULL JOIN can only be done by hashing or
// merging, and the condition after it, which the planner does not see through,
// leaves the keys' side. Four look-ups cost about as much as reading a page of
// the table in order, so that decides what is many. Where Changed has counted
// them already, the text has one plan, which takes half the time to make.
//
// A from that is no position gives a query that fails.
func (dialect) Changes(group string, s replication.SourceTable, from, to string, change replication.Change) string {
	t := captured{s}
	after, err := parseSnapshot(from)
	if err != nil {
		return "SELECT " + literal(err.Error()) + "::integer"
	}
	where := ""
	if s.Where != "" {
		where = " AND (" + s.Where + "\n)"
	}
	// The alias is the table's name, which a condition may use.
	own := ident(s.Name.Table)
	selection := "SELECT " + columnList(own+".", s.Columns) + " FROM " + quoteName(s.Name) + " AS " + own + " WHERE true" + where

	keyAt := make(map[int]int)
	for i, at := range s.Key {
		keyAt[at] = i + 1
	}
	var columns strings.Builder
	// A row's key is never NULL, and a marker's is. IS NULL would be something else
	// if it is of a composite type.
	columns.WriteString("CASE WHEN t." + ident(s.Columns[s.Key[0]].Name) + " IS DISTINCT FROM NULL THEN 1 ELSE 0 END")
	for i, c := range s.Columns {
		if n := keyAt[i]; n > 0 {
			fmt.Fprintf(&columns, ", COALESCE(t.%s, k.k%d)", ident(c.Name), n)
		} else {
			columns.WriteString(", t." + ident(c.Name))
		}
	}
	keys := fmt.Sprintf(`SELECT %[1]s %[2]s FROM (
		SELECT %[2]s FROM %[3]s WHERE %[4]s UNION ALL SELECT %[2]s FROM %[5]s WHERE %[4]s) l WHERE k1 IS DISTINCT FROM NULL`,
		t.distinct(), t.keys(""), t.log(0), unseen(after), t.log(1))
	oneByOne := fmt.Sprintf(`SELECT %s FROM k LEFT JOIN LATERAL (SELECT * FROM (%s) t WHERE %s OFFSET 0) t ON true`,
		columns.String(), selection, t.joins(userName))
	if change <= manyKeys {
		return "WITH k AS MATERIALIZED (" + keys + ")\n" + oneByOne
	}
	return fmt.Sprintf(`WITH k AS MATERIALIZED (
	SELECT true AS logged, l.* FROM (%[1]s) l),
n AS MATERIALIZED (
	SELECT (SELECT count(*) FROM k) > greatest(%[2]d, pg_relation_size(%[3]s::regclass) / 2048,
		(SELECT sum(pg_relation_size(relid)) / 2048 FROM pg_partition_tree(%[3]s::regclass))) AS many)
%[4]s
	WHERE NOT (SELECT many FROM n)
UNION ALL
SELECT %[5]s FROM k FULL JOIN (%[6]s) t ON %[7]s
	WHERE (SELECT many FROM n) AND COALESCE(k.logged, false)`,
		keys, manyKeys, literal(quoteName(s.Name)), oneByOne, columns.String(), selection, t.joins(userName))
}
