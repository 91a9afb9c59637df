package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Sequence has nothing to do: a snapshot difference needs no order.
func (dialect) Sequence(context.Context, *sql.Conn, string, []replication.SourceTable) error {
	return nil
}

const nowQuery = "SELECT pg_is_in_recovery(), txid_current_snapshot()::text"

// Now refuses a standby: a snapshot there keeps all open transactions where
// txid_current_snapshot does not look, and would pass over them.
func (dialect) Now(ctx context.Context, c *sql.Conn, group string) (at string, err error) {
	err = raw(c, func(pc *pgx.Conn) error {
		results, err := pc.PgConn().Exec(ctx, nowQuery).ReadAll()
		if err == nil {
			at, err = position(results[0])
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("postgres: read the position: %w", err)
	}
	return at, nil
}

// position reads the answer of nowQuery.
func position(r *pgconn.Result) (string, error) {
	if string(r.Rows[0][0]) == "t" {
		return "", errors.New("the server is a standby, whose snapshots do not list open transactions")
	}
	return string(r.Rows[0][1]), nil
}

// Changed looks into the logs only if a transaction has ended since.
func (dialect) Changed(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, from, to string) ([]replication.Change, error) {
	after, err := inThePast(from, to)
	if err != nil {
		return nil, err
	}
	changes := make([]replication.Change, len(tables))
	err = raw(c, func(pc *pgx.Conn) error {
		results, err := pc.PgConn().Exec(ctx, changedQuery(tables, from, after)).ReadAll()
		if err == nil && len(tables) > 0 {
			err = count(results[0], changes)
		}
		return err
	})
	if err == nil {
		err = hold(ctx, c, tables, changes)
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: look for changes: %w", err)
	}
	return changes, nil
}

// Look sends everything in one message, and a second one if a table has changed.
func (d dialect) Look(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, from string) (replication.Tx, string, []replication.Change, error) {
	statements := beginSnapshot + "; " + nowQuery
	if from != "" {
		after, err := parseSnapshot(from)
		if err != nil {
			return nil, "", nil, err
		}
		statements += "; " + changedQuery(tables, from, after)
	}
	t := &tx{ctx: ctx, c: c}
	var at string
	var changes []replication.Change
	err := raw(c, func(pc *pgx.Conn) error {
		results, err := pc.PgConn().Exec(ctx, statements).ReadAll()
		if err == nil {
			at, err = position(results[1])
		}
		if err == nil && from != "" {
			if _, err = inThePast(from, at); err == nil {
				changes = make([]replication.Change, len(tables))
			}
			if err == nil && len(tables) > 0 {
				err = count(results[2], changes)
			}
		}
		return err
	})
	if err == nil {
		err = hold(ctx, c, tables, changes)
	}
	if err != nil {
		if ctx.Err() == nil {
			_ = t.Rollback()
		}
		return nil, "", nil, fmt.Errorf("postgres: look for changes: %w", err)
	}
	return t, at, changes, nil
}

func inThePast(from, to string) (after snapshot, err error) {
	if after, err = parseSnapshot(from); err != nil {
		return after, err
	}
	until, err := parseSnapshot(to)
	if err == nil && !until.covers(after) {
		err = fmt.Errorf("postgres: position %.80s is not of the past of %.80s: %w", from, to, replication.ErrForeignPosition)
	}
	return after, err
}

// The rows of a log between two positions are those that from does not see. That
// to sees them needs no condition: to is the snapshot of the transaction that
// reads, in which exactly the rows show whose transactions to sees.

// changedQuery counts them for each table, and the keys among them: a marker's
// are NULL. If no transaction has ended since, no log is opened.
func changedQuery(tables []replication.SourceTable, from string, after snapshot) string {
	var q strings.Builder
	for i, s := range tables {
		if i > 0 {
			q.WriteString(" UNION ALL ")
		}
		t := captured{s}
		fmt.Fprintf(&q, "SELECT %d, count(*), count(k1) FROM (SELECT k1 FROM %s WHERE %[3]s UNION ALL SELECT k1 FROM %[4]s WHERE %[3]s) l WHERE txid_current_snapshot()::text <> %[5]s",
			i, t.log(0), unseen(after), t.log(1), literal(from))
	}
	return q.String()
}

// count reads the answer of changedQuery.
func count(r *pgconn.Result, changes []replication.Change) error {
	for _, row := range r.Rows {
		var n [3]int64
		for i := range n {
			var err error
			if n[i], err = strconv.ParseInt(string(row[i]), 10, 64); err != nil {
				return err
			}
		}
		if all, keys := n[1], n[2]; all > keys {
			changes[n[0]] = replication.AllRows
		} else {
			changes[n[0]] = replication.Change(all)
		}
	}
	return nil
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
