package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// A position is the number of the last batch in a snapshot, with a + behind it if
// the snapshot also had log rows that were in no batch yet. These are sent then,
// too, which makes the replica equal to the snapshot, and once more when they are
// in a batch, which does no harm.
type position struct {
	batch int64
	open  bool
}

func (p position) String() string {
	if p.open {
		return strconv.FormatInt(p.batch, 10) + "+"
	}
	return strconv.FormatInt(p.batch, 10)
}

func parsePosition(at string) (position, error) {
	number, open := strings.CutSuffix(at, "+")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != number {
		return position{}, fmt.Errorf("mysql: %q is no position", at)
	}
	return position{n, open}, nil
}

// Now reads the counter, and looks into the logs of the group.
func (dialect) Now(ctx context.Context, c *sql.Conn, group string) (string, error) {
	var p position
	var logs sql.NullString
	g := textLiteral(group)
	err := c.QueryRowContext(ctx, "SELECT batch, (SELECT GROUP_CONCAT(log SEPARATOR 0x00) FROM "+tableTable+" WHERE grp="+g+") FROM "+
		groupTable+" WHERE name="+g).Scan(&p.batch, &logs)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", fmt.Errorf("mysql: position of group %s: %w: it is not installed", group, replication.ErrNeedResync)
	case err != nil:
		return "", fmt.Errorf("mysql: position of group %s: %w", group, err)
	}
	if logs.String != "" {
		any := "EXISTS(SELECT 1 FROM " + strings.ReplaceAll(logs.String, "\x00", ") OR EXISTS(SELECT 1 FROM ") + ")"
		if err := c.QueryRowContext(ctx, "SELECT "+any).Scan(&p.open); err != nil {
			return "", fmt.Errorf("mysql: position of group %s: %w", group, err)
		}
	}
	return p.String(), nil
}

// Covers is by the number. At the same number a snapshot may be earlier than
// another, and lack what the other had that was in no batch.
func (dialect) Covers(a, b string) bool {
	x, err := parsePosition(a)
	y, err2 := parsePosition(b)
	return err == nil && err2 == nil && (x.batch > y.batch || x.batch == y.batch && !y.open)
}

// Changed asks for all tables at once.
func (dialect) Changed(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, from, to string) ([]replication.Change, error) {
	f, err := parsePosition(from)
	if err != nil {
		return nil, err
	}
	t, err := parsePosition(to)
	if err != nil {
		return nil, err
	}
	if f.batch > t.batch {
		return nil, fmt.Errorf("mysql: group %s: %w: position %s is later than the last, %s", group, replication.ErrForeignPosition, from, to)
	}
	out := make([]replication.Change, len(tables))
	if len(tables) == 0 {
		return out, nil
	}
	parts := []string{"SELECT 'oldest' AS what, '' AS id, CAST(oldest AS CHAR) AS value FROM " + groupTable + " WHERE name=" + textLiteral(group)}
	for _, t := range tables {
		parts = append(parts, "SELECT 'some', "+textLiteral(t.ID)+", CAST(EXISTS(SELECT 1 FROM "+qualified(keyName(t))+
			" WHERE ashlar_batch > "+strconv.FormatInt(f.batch, 10)+") OR EXISTS(SELECT 1 FROM "+qualified(logName(t))+") AS CHAR)")
	}
	g := textLiteral(group)
	parts = append(parts,
		"SELECT 'noted', id, ident FROM "+tableTable+" WHERE grp="+g,
		"SELECT 'whole', id, CAST(whole > "+strconv.FormatInt(f.batch, 10)+" AS CHAR) FROM "+tableTable+" WHERE grp="+g,
		"SELECT 'is', id, ident FROM ("+idents(tables)+") AS ashlar_i")
	rows, err := texts(ctx, c, strings.Join(parts, " UNION ALL "), 3)
	if err != nil {
		return nil, fmt.Errorf("mysql: changes of group %s: %w", group, processHint(err))
	}
	is := map[[2]string]string{}
	for _, r := range rows {
		is[[2]string{r[0], r[1]}] = r[2]
	}
	if oldest, err := strconv.ParseInt(is[[2]string{"oldest", ""}], 10, 64); err != nil || f.batch < oldest {
		return nil, fmt.Errorf("mysql: group %s: %w: the log begins after position %s", group, replication.ErrNeedResync, from)
	}
	for i, t := range tables {
		of := func(what string) string { return is[[2]string{what, t.ID}] }
		switch {
		// InnoDB's catalogue is not part of the snapshot. If it is ahead, a read
		// of the table fails and is tried again.
		case of("whole") != "0" || of("noted") != of("is"):
			out[i] = replication.AllRows
		case of("some") != "0":
			out[i] = replication.SomeKeys
		}
	}
	return out, nil
}

// Changes reads the keys in batches after from, and those that are in no batch
// yet, and looks each up in the table: first by the column's own collation, so
// that its index serves, then by the bytes. Neither part makes a temporary table
// of what may be many rows.
func (dialect) Changes(group string, t replication.SourceTable, from, to string, _ replication.Change) string {
	f, err := parsePosition(from)
	if err != nil {
		f.batch = -1 // Changed has refused it
	}
	after := " > " + strconv.FormatInt(f.batch, 10)
	key := t.KeyColumns()
	table := qualified(t.Name)
	at := make(map[int]int, len(t.Key))
	for i, n := range t.Key {
		at[n] = i
	}
	out := "SELECT (" + table + "." + quote(key[0].Name) + " IS NOT NULL), " + joinAt(t.Columns, ", ", func(n int, c replication.Column) string {
		if i, ok := at[n]; ok {
			return read(c, fromKept(c, "ashlar_k."+kept(i)))
		}
		return read(c, table+"."+quote(c.Name))
	})
	found := " LEFT JOIN " + table + " ON " + joinAt(key, " AND ", func(i int, c replication.Column) string {
		ref, k := table+"."+quote(c.Name), "ashlar_k."+kept(i)
		if !isText(c) {
			return ref + "=" + k
		}
		return ref + "=" + fromKept(c, k) + " COLLATE " + typeOf(c).collation + " AND " + toKept(c, ref) + "=" + k
	})
	if t.Where != "" {
		found += " AND (" + t.Where + ")"
	}
	keys := joinAt(key, ", ", func(i int, _ replication.Column) string { return kept(i) })
	return out + " FROM " + qualified(keyName(t)) + " AS ashlar_k" + found + " WHERE ashlar_k.ashlar_batch" + after +
		" UNION ALL " + out + " FROM (SELECT DISTINCT " + keys + " FROM " + qualified(logName(t)) + ") AS ashlar_k LEFT JOIN " +
		qualified(keyName(t)) + " AS ashlar_b ON " + joinAt(key, " AND ", func(i int, _ replication.Column) string {
		return "ashlar_b." + kept(i) + "=ashlar_k." + kept(i)
	}) + " AND ashlar_b.ashlar_batch" + after + found + " WHERE ashlar_b." + kept(0) + " IS NULL"
}
