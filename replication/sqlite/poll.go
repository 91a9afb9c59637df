package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Identity is the token that Install made. A file that is copied or restored
// keeps it: that such a master has gone back in time is found by its position,
// and by the engine's own tokens.
func (d dialect) Identity(ctx context.Context, c *sql.Conn) (string, error) {
	var token string
	err := c.QueryRowContext(ctx, `SELECT "token" FROM `+systemTable).Scan(&token)
	if errors.Is(err, sql.ErrNoRows) || d.Fault(err) == replication.Missing {
		return "", fmt.Errorf("sqlite: nothing is installed in this database: %w", replication.ErrNeedResync)
	}
	if err != nil {
		return "", fmt.Errorf("sqlite: reading the database's token: %w", err)
	}
	return token, nil
}

// Sequence has nothing to do: the log is in the order of commits.
func (dialect) Sequence(context.Context, *sql.Conn, string, []replication.SourceTable) error {
	return nil
}

// Now reads the clock, by which a transaction's snapshot begins.
func (d dialect) Now(ctx context.Context, c *sql.Conn, group string) (string, error) {
	var clock int64
	err := c.QueryRowContext(ctx, `SELECT "clock" FROM `+systemTable).Scan(&clock)
	if errors.Is(err, sql.ErrNoRows) || d.Fault(err) == replication.Missing {
		return "", fmt.Errorf("sqlite: group %s is not installed: %w", group, replication.ErrNeedResync)
	}
	if err != nil {
		return "", fmt.Errorf("sqlite: reading the clock: %w", err)
	}
	return strconv.FormatInt(clock, 10), nil
}

func parsePosition(at string) (int64, error) {
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != at {
		return 0, fmt.Errorf("sqlite: %q is no position", at)
	}
	return n, nil
}

// Changed asks each log for one row. If the clock stands still it asks nothing.
func (dialect) Changed(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, from, to string) ([]replication.Change, error) {
	after, err := parsePosition(from)
	if err != nil {
		return nil, err
	}
	upTo, err := parsePosition(to)
	if err != nil {
		return nil, err
	}
	out := make([]replication.Change, len(tables))
	switch {
	case after > upTo:
		return nil, fmt.Errorf("sqlite: the clock is at %d, and the position is %d: %w", upTo, after, replication.ErrForeignPosition)
	case after == upTo:
		return out, nil
	}
	const most = 500 // of terms in a compound SELECT
	for begin := 0; begin < len(tables); begin += most {
		part := tables[begin:min(begin+most, len(tables))]
		var b strings.Builder
		for i, t := range part {
			if i > 0 {
				b.WriteString(" UNION ALL ")
			}
			b.WriteString("SELECT " + strconv.Itoa(begin+i) + " WHERE EXISTS (SELECT 1 FROM " + capture{t, group}.log() + span(from, to) + ")")
		}
		if err := each(ctx, c, b.String(), func(i int) { out[i] = replication.SomeKeys }); err != nil {
			return nil, fmt.Errorf("sqlite: looking into the logs: %w", err)
		}
	}
	return out, nil
}

// each calls fn for each row of a query for integers.
func each(ctx context.Context, c *sql.Conn, query string, fn func(n int)) error {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return err
		}
		fn(n)
	}
	return rows.Err()
}

// span is the condition for what was logged between two positions. A text that
// is no position gives a statement that fails.
func span(from, to string) string {
	at := func(text string) string {
		if _, err := parsePosition(text); err != nil {
			return "not_a_position()" // no such function; a quoted name would be taken for a text
		}
		return text
	}
	return ` WHERE "ashlar_id" > ` + at(from) + ` AND "ashlar_id" <= ` + at(to)
}

// Changes joins the log with the table. The application's condition belongs to
// the join: a row that does not satisfy it is gone. The table has no alias,
// since the condition may use its name.
func (dialect) Changes(group string, t replication.SourceTable, from, to string, _ replication.Change) string {
	c := capture{t, group}
	var b strings.Builder
	name, keys := quote(t.Name.Table), t.KeyColumns()
	b.WriteString("SELECT " + name + "." + quote(keys[0].Name) + " IS NOT NULL AS " + existsColumn)
	for i, col := range t.Columns {
		from, as := name+"."+quote(col.Name), plainColumn
		for n, k := range t.Key {
			if k == i {
				from, as = quote(c.logName())+"."+logKey(n), keyColumn
			}
		}
		b.WriteString(", " + readable(from, col.Kind) + " AS " + as)
	}
	b.WriteString(" FROM " + c.log() + " LEFT JOIN " + table(t.Name) + " ON ")
	for n, k := range keys {
		if n > 0 {
			b.WriteString(" AND ")
		}
		column, logged := name+"."+quote(k.Name), quote(c.logName())+"."+logKey(n)
		b.WriteString(column + " = " + logged)
		if k.Folds { // the one for the index, the other for the value
			b.WriteString(" AND " + column + " = " + logged + " COLLATE BINARY")
		}
	}
	if t.Where != "" {
		b.WriteString(" AND (" + t.Where + "\n)")
	}
	b.WriteString(span(from, to))
	return b.String()
}

// Covers compares clock readings.
func (dialect) Covers(a, b string) bool {
	x, errX := parsePosition(a)
	y, errY := parsePosition(b)
	return errX == nil && errY == nil && x >= y
}
