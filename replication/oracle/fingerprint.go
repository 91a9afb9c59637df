package oracle

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Fingerprint takes the trigger's LAST_DDL_TIME along: disabling and enabling a
// trigger leaves no other trace.
func (dialect) Fingerprint(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable) ([]string, error) {
	prints := make([]string, len(tables))
	for i, t := range tables {
		print, err := fingerprint(ctx, c, group, t)
		if err != nil {
			return nil, fmt.Errorf("oracle: taking the fingerprint of %s: %w", t.Name, err)
		}
		prints[i] = print
	}
	return prints, nil
}

func fingerprint(ctx context.Context, c *sql.Conn, group string, t replication.SourceTable) (string, error) {
	rows, err := c.QueryContext(ctx, fingerprintQuery(group, t))
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var facts []string
	kinds := make(map[string]int)
	sent := make(map[string]bool, len(t.Columns))
	for _, c := range t.Columns {
		sent[c.Name] = true
	}
	for rows.Next() {
		var kind, name, what string
		if err := rows.Scan(&kind, &name, &what); err != nil {
			return "", err
		}
		if kind == "C" && !sent[name] {
			continue
		}
		kinds[kind]++
		facts = append(facts, strings.Join([]string{kind, name, what}, "\x00"))
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	if kinds["L"] != 2 || kinds["P"] != 1 || kinds["T"] != 1 || kinds["C"] != len(t.Columns) {
		return "", nil
	}
	slices.Sort(facts)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(facts, "\x01")))), nil
}

// fingerprintQuery selects the tables of the log (L), the table's row in that of
// the positions (P), the trigger if it is enabled and on this table and these
// events (T), the table's columns (C), and its keys (K).
func fingerprintQuery(group string, t replication.SourceTable) string {
	owner := schemaNow
	if t.Name.Schema != "" {
		owner = text(t.Name.Schema)
	}
	table := text(t.Name.Table)
	return strings.Join([]string{
		fmt.Sprintf("SELECT 'L' K, c.TABLE_NAME N, TO_CHAR(o.OBJECT_ID, 'TM9') W FROM ALL_TAB_COMMENTS c, ALL_OBJECTS o\n"+
			"WHERE c.OWNER = %s AND c.TABLE_NAME IN ('%s', '%s') AND c.COMMENTS = '%s' AND o.OWNER = c.OWNER AND o.OBJECT_NAME = c.TABLE_NAME AND o.OBJECT_TYPE = 'TABLE'",
			schemaNow, logTable(t.ID), keysTable(t.ID), logMark(t)),
		fmt.Sprintf("SELECT 'P', o.OBJECT_NAME, TO_CHAR(o.OBJECT_ID, 'TM9') FROM ALL_OBJECTS o\n"+
			"WHERE o.OWNER = %s AND o.OBJECT_NAME = '%s' AND o.OBJECT_TYPE = 'TABLE'", schemaNow, positionTable(group)),
		fmt.Sprintf("SELECT 'T', t.TRIGGER_NAME, TO_CHAR(o.OBJECT_ID, 'TM9') || ' ' || TO_CHAR(o.LAST_DDL_TIME, 'YYYYMMDDHH24MISS') FROM ALL_TRIGGERS t, ALL_OBJECTS o\n"+
			"WHERE t.OWNER = %s AND t.TRIGGER_NAME = '%s' AND t.TABLE_OWNER = %s AND t.TABLE_NAME = %s AND t.STATUS = 'ENABLED'\n"+
			"  AND t.TRIGGER_TYPE = 'AFTER EACH ROW' AND t.TRIGGERING_EVENT = 'INSERT OR UPDATE OR DELETE'\n"+
			"  AND o.OWNER = t.OWNER AND o.OBJECT_NAME = t.TRIGGER_NAME AND o.OBJECT_TYPE = 'TRIGGER'",
			schemaNow, triggerName(t.ID), owner, table),
		fmt.Sprintf("SELECT 'C', c.COLUMN_NAME, c.DATA_TYPE || ' ' || c.DATA_LENGTH || ' ' || c.CHAR_LENGTH || ' ' || c.CHAR_USED || ' ' || c.DATA_PRECISION || ' ' || c.DATA_SCALE || ' ' || c.NULLABLE || ' ' || c.VIRTUAL_COLUMN\n"+
			"FROM ALL_TAB_COLS c WHERE c.OWNER = %s AND c.TABLE_NAME = %s AND c.HIDDEN_COLUMN = 'NO'", owner, table),
		fmt.Sprintf("SELECT 'K', k.COLUMN_NAME, k.CONSTRAINT_NAME || ' ' || k.POSITION || ' ' || c.STATUS FROM ALL_CONSTRAINTS c, ALL_CONS_COLUMNS k\n"+
			"WHERE c.OWNER = %s AND c.TABLE_NAME = %s AND c.CONSTRAINT_TYPE = 'P' AND k.OWNER = c.OWNER AND k.CONSTRAINT_NAME = c.CONSTRAINT_NAME", owner, table),
		fmt.Sprintf("SELECT 'K', k.COLUMN_NAME, i.INDEX_NAME || ' ' || k.COLUMN_POSITION FROM ALL_INDEXES i, ALL_IND_COLUMNS k\n"+
			"WHERE i.TABLE_OWNER = %s AND i.TABLE_NAME = %s AND i.UNIQUENESS = 'UNIQUE' AND k.INDEX_OWNER = i.OWNER AND k.INDEX_NAME = i.INDEX_NAME", owner, table),
	}, "\nUNION ALL\n")
}
