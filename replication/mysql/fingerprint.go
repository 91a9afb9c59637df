package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Fingerprint hashes what the server shows of the table and its triggers, with the
// time at which each trigger was made. SHOW CREATE is many small questions, but
// costs the server a tenth of what information_schema does.
func (dialect) Fingerprint(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable) ([]string, error) {
	out := make([]string, len(tables))
	if len(tables) == 0 {
		return out, nil
	}
	there, err := installed(ctx, c, group, tables)
	if err != nil {
		return nil, fmt.Errorf("mysql: fingerprint of group %s: %w", group, err)
	}
	for i, t := range tables {
		if !there[t.ID] {
			continue
		}
		if out[i], err = fingerprint(ctx, c, t); err != nil {
			return nil, fmt.Errorf("mysql: fingerprint of %s: %w", t.Name, err)
		}
	}
	return out, nil
}

// installed tells of which tables the logs are whole.
func installed(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable) (map[string]bool, error) {
	parts := []string{"SELECT 'noted' AS what, id FROM " + tableTable + " WHERE grp=" + textLiteral(group)}
	for _, t := range tables {
		for _, own := range []replication.Name{logName(t), keyName(t)} {
			parts = append(parts, "SELECT "+textLiteral(own.Table)+", COALESCE(ENGINE, '') FROM information_schema.TABLES"+
				" WHERE TABLE_SCHEMA="+schemaOf(own)+" AND TABLE_NAME="+textLiteral(own.Table))
		}
	}
	rows, err := texts(ctx, c, strings.Join(parts, " UNION ALL "), 2)
	if isNumber(err, 1146) {
		return nil, nil // nothing was ever installed
	}
	if err != nil {
		return nil, err
	}
	is := map[[2]string]bool{}
	for _, r := range rows {
		is[[2]string{r[0], r[1]}] = true
	}
	out := make(map[string]bool, len(tables))
	for _, t := range tables {
		out[t.ID] = is[[2]string{"noted", t.ID}] && is[[2]string{logName(t).Table, "InnoDB"}] && is[[2]string{keyName(t).Table, "InnoDB"}]
	}
	return out, nil
}

func fingerprint(ctx context.Context, c *sql.Conn, t replication.SourceTable) (string, error) {
	sum := sha256.New()
	shown, err := show(ctx, c, "SHOW CREATE TABLE "+qualified(t.Name))
	if isNumber(err, 1146) || isNumber(err, 1049) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, line := range tableLines(t, shown["Create Table"]) {
		fmt.Fprintln(sum, line)
	}
	for _, event := range events {
		name := triggerName(t, event)
		shown, err := show(ctx, c, "SHOW CREATE TRIGGER "+qualified(name))
		if isNumber(err, 1360) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		// A table that is renamed takes its triggers along.
		head, ours := strings.CutSuffix(shown["SQL Original Statement"], " FOR EACH ROW "+body(t, event))
		if !ours || !strings.HasSuffix(head, " AFTER "+event+" ON "+qualified(t.Name)) && !strings.HasSuffix(head, " AFTER "+event+" ON "+quote(t.Name.Table)) {
			return "", nil
		}
		fmt.Fprintln(sum, event, shown["Created"])
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// tableLines picks, from what SHOW CREATE TABLE prints one to a line, the columns
// that are sent, whether the key is one, and the charset that columns have which
// name none. Other columns, indexes and options may change.
func tableLines(t replication.SourceTable, create string) []string {
	sent := make(map[string]bool, len(t.Columns))
	for _, c := range t.Columns {
		sent[quote(c.Name)] = true
	}
	var key []string
	for _, c := range t.KeyColumns() {
		key = append(key, quote(c.Name))
	}
	slices.Sort(key)
	var out []string
	for line := range strings.SplitSeq(create, "\n") {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "  "), ",")
		switch {
		case strings.HasPrefix(line, "`"):
			if name, _ := cutQuoted(line); sent[name] {
				out = append(out, line)
			}
		case strings.HasPrefix(line, "PRIMARY KEY ("), strings.HasPrefix(line, "UNIQUE KEY "):
			if slices.Equal(key, indexColumns(line)) && !slices.Contains(out, "key") {
				out = append(out, "key")
			}
		case strings.HasPrefix(line, ")"):
			if n := strings.Index(line, " DEFAULT CHARSET="); n >= 0 {
				for option := range strings.FieldsSeq(line[n:]) {
					if strings.HasPrefix(option, "CHARSET=") || strings.HasPrefix(option, "COLLATE=") {
						out = append(out, option)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// cutQuoted cuts a name in backquotes off the front.
func cutQuoted(s string) (name, rest string) {
	for i := 1; i < len(s); i++ {
		if s[i] != '`' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '`' {
			i++
			continue
		}
		return s[:i+1], s[i+1:]
	}
	return s, ""
}

// indexColumns returns the quoted columns of an index, sorted; a prefix stays with
// its column, so that it is another one.
func indexColumns(line string) []string {
	if rest, ok := strings.CutPrefix(line, "UNIQUE KEY "); ok {
		_, line = cutQuoted(rest)
	}
	_, line, _ = strings.Cut(line, "(")
	var out []string
	for strings.HasPrefix(line, "`") {
		name, rest := cutQuoted(line)
		if strings.HasPrefix(rest, "(") {
			length, after, _ := strings.Cut(rest, ")")
			name, rest = name+length+")", after
		}
		out = append(out, name)
		line = strings.TrimPrefix(rest, ",")
	}
	slices.Sort(out)
	return out
}

// show returns the only row of a SHOW statement by columns.
func show(ctx context.Context, c *sql.Conn, query string) (map[string]string, error) {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, dest := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	out := make(map[string]string, len(names))
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		for i, name := range names {
			out[name] = values[i].String
		}
	}
	return out, rows.Err()
}
