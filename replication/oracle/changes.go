package oracle

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Now is the last batch that the snapshot sees.
func (dialect) Now(ctx context.Context, c *sql.Conn, group string) (string, error) {
	var at string
	err := c.QueryRowContext(ctx, "SELECT TO_CHAR(BATCH, 'TM9') FROM "+quote(positionTable(group))+" WHERE ID = '"+groupRow+"'").Scan(&at)
	if err != nil {
		return "", fmt.Errorf("oracle: reading the position of group %s: %w", group, err)
	}
	if _, ok := parseBatch(at); !ok {
		return "", fmt.Errorf("oracle: reading the position of group %s: %q is no number of a batch", group, at)
	}
	return at, nil
}

// parseBatch reads a position; the number has one spelling.
func parseBatch(at string) (int64, bool) {
	n, err := strconv.ParseInt(at, 10, 64)
	return n, err == nil && n >= 0 && strconv.FormatInt(n, 10) == at
}

// batchText returns the position as SQL. What is none makes the server say so.
func batchText(at string) string {
	if n, ok := parseBatch(at); ok {
		return strconv.FormatInt(n, 10)
	}
	return "TO_NUMBER(" + text("not a position: "+at) + ")"
}

// Changed asks in one query. What Sequence has not seen yet counts too.
func (dialect) Changed(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, from, to string) ([]replication.Change, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	after, okFrom := parseBatch(from)
	last, okTo := parseBatch(to)
	switch {
	case !okFrom || !okTo:
		return nil, fmt.Errorf("oracle: what changed in group %s: %q to %q are no positions", group, from, to)
	case after > last:
		return nil, fmt.Errorf("%w: it was at batch %d, and this one is at %d", replication.ErrForeignPosition, after, last)
	}
	rows, err := c.QueryContext(ctx, changedQuery(group, tables, from))
	if err != nil {
		return nil, fmt.Errorf("oracle: what changed in group %s: %w", group, err)
	}
	defer rows.Close()
	changes := make([]replication.Change, len(tables))
	seen := 0
	for rows.Next() {
		var table, change int
		if err := rows.Scan(&table, &change); err != nil {
			return nil, fmt.Errorf("oracle: what changed in group %s: %w", group, err)
		}
		if table < 0 || table >= len(tables) || change < 0 || change >= len(answers) {
			return nil, fmt.Errorf("oracle: what changed in group %s: unexpected answer %d, %d", group, table, change)
		}
		changes[table] = answers[change]
		seen++
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("oracle: what changed in group %s: %w", group, err)
	}
	if seen != len(tables) {
		return nil, &replication.DriftError{Table: "group " + group, Reason: "its table of positions lacks tables"}
	}
	return changes, nil
}

// answers are what the numbers mean that changedQuery selects.
var answers = [...]replication.Change{replication.Nothing, replication.SomeKeys, replication.AllRows}

func changedQuery(group string, tables []replication.SourceTable, from string) string {
	selects := make([]string, len(tables))
	for i, t := range tables {
		selects[i] = fmt.Sprintf("SELECT '%d' T, CASE\n"+
			"  WHEN p.BATCH > %s OR p.SIG IS NULL OR p.SIG <> %s THEN '2'\n"+
			"  WHEN EXISTS (SELECT 1 FROM %s WHERE BATCH > %s) OR EXISTS (SELECT 1 FROM %s) THEN '1'\n"+
			"  ELSE '0' END X\nFROM %s p WHERE p.ID = '%s'",
			i, batchText(from), segments(t.Name),
			quote(keysTable(t.ID)), batchText(from), quote(logTable(t.ID)),
			quote(positionTable(group)), t.ID)
	}
	return strings.Join(selects, "\nUNION ALL\n")
}

// Changes joins the keys of later batches, and those not sequenced yet, with the
// table. The key comes from the log, so that it is there when the row is gone.
func (dialect) Changes(group string, t replication.SourceTable, from, to string, _ replication.Change) string {
	columns := resolve(t.Columns, t.Key)
	names := strings.Join(keyNames(len(t.Key), ""), ", ")

	inner := []string{"1 E"}
	refs := make([]string, len(columns))
	for i, c := range columns {
		inner = append(inner, fmt.Sprintf("t.%s C%d", quote(c.Name), i+1))
		refs[i] = fmt.Sprintf("r.C%d", i+1)
	}
	var on []string
	for k, i := range t.Key {
		refs[i] = fmt.Sprintf("l.K%d", k+1)
		on = append(on, fmt.Sprintf("r.C%d = l.K%d", i+1, k+1))
	}
	outer := []string{"CASE WHEN r.E IS NULL THEN '0' ELSE '1' END"}
	for i, c := range columns {
		outer = append(outer, c.selectText(refs[i]))
	}
	where := ""
	if t.Where != "" {
		where = " WHERE (" + t.Where + "\n)"
	}
	return fmt.Sprintf("SELECT %s\nFROM (\n  SELECT %s FROM %s WHERE BATCH > %s\n  UNION SELECT %s FROM %s\n) l\n"+
		"LEFT JOIN (\n  SELECT %s FROM %s t%s\n) r ON (%s)",
		strings.Join(outer, ", "), names, quote(keysTable(t.ID)), batchText(from), names, quote(logTable(t.ID)),
		strings.Join(inner, ", "), quoteName(t.Name), where, strings.Join(on, " AND "))
}

// Covers: a snapshot that sees batch a was taken after one that does not. Two
// with the same last batch cannot be told apart.
func (dialect) Covers(a, b string) bool {
	x, okA := parseBatch(a)
	y, okB := parseBatch(b)
	return okA && okB && x > y
}
