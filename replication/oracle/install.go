package oracle

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// schemaNow is the schema in which unqualified names are.
const schemaNow = "SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')"

const utcNow = "CAST(SYS_EXTRACT_UTC(SYSTIMESTAMP) AS DATE)"

// The rows of a position table: one for the group, whose BATCH is the last
// number given, and one for each table, with the identity of its segments and
// the batch in which that was last seen to change.
const groupRow = "*"

// lockSeconds bounds how long Install makes writers of a table queue.
const lockSeconds = 20

// Install makes, for each table, the log, the table of sequenced keys and then
// the trigger; it ends in a lock that waits for the transactions that wrote
// before the trigger was there. An install that finds a writer open for longer
// than 20 seconds fails, and can be run again.
//
// The numbers of batches begin at the time of the install, in 1/100 s, so that a
// group that is installed anew does not repeat them.
func (dialect) Install(group string, tables []replication.SourceTable) []string {
	position := quote(positionTable(group))
	statements := []string{
		unlessExists(fmt.Sprintf("CREATE TABLE %s (ID VARCHAR2(24) PRIMARY KEY, SIG NUMBER, BATCH NUMBER NOT NULL) INITRANS 4", position)),
		fmt.Sprintf("MERGE INTO %s p USING (SELECT '%s' ID FROM DUAL) s ON (p.ID = s.ID)\n"+
			"WHEN NOT MATCHED THEN INSERT (ID, BATCH) VALUES (s.ID, TRUNC((%s - TO_DATE('2020-01-01', 'YYYY-MM-DD')) * 8640000))",
			position, groupRow, utcNow),
	}
	for _, t := range tables {
		statements = append(statements,
			makeLog(t),
			trigger(t),
			fmt.Sprintf("LOCK TABLE %s IN SHARE MODE WAIT %d", quoteName(t.Name), lockSeconds),
			fmt.Sprintf("MERGE INTO %s p USING (SELECT '%s' ID, %s SIG FROM DUAL) s ON (p.ID = s.ID)\n"+
				"WHEN NOT MATCHED THEN INSERT (ID, SIG, BATCH) VALUES (s.ID, s.SIG, 0)",
				position, t.ID, segments(t.Name)))
	}
	return statements
}

// makeLog makes the tables of the log, or makes them anew if they were made for
// another key or by another version: that is what their comment says. Without
// the trigger dropped first, the application's statements would fail meanwhile.
// Empty tables get their segments now, since the first insert in a SERIALIZABLE
// transaction cannot make them.
func makeLog(t replication.SourceTable) string {
	key := resolveKey(t)
	columns := make([]string, len(key))
	for i, c := range key {
		columns[i] = fmt.Sprintf("K%d %s NOT NULL", i+1, c.text)
	}
	log, keys := quote(logTable(t.ID)), quote(keysTable(t.ID))
	definition := strings.Join(columns, ", ")
	creates := []string{
		fmt.Sprintf("CREATE TABLE %s (%s) SEGMENT CREATION IMMEDIATE INITRANS 4 ENABLE ROW MOVEMENT", log, definition),
		fmt.Sprintf("CREATE TABLE %s (%s, BATCH NUMBER NOT NULL, PRIMARY KEY (%s)) SEGMENT CREATION IMMEDIATE INITRANS 4",
			keys, definition, strings.Join(keyNames(len(key), ""), ", ")),
		fmt.Sprintf("CREATE INDEX %s ON %s (BATCH)", quote(batchIndex(t.ID)), keys),
	}
	mark := logMark(t)
	creates = append(creates, comment(log, mark), comment(keys, mark))
	drops := []drop{
		{"DROP TRIGGER " + quote(triggerName(t.ID)), noTrigger},
		{"DROP TABLE " + log + " PURGE", noTable},
		{"DROP TABLE " + keys + " PURGE", noTable},
	}
	var b strings.Builder
	b.WriteString("DECLARE\n  N NUMBER;\nBEGIN\n")
	fmt.Fprintf(&b, "  SELECT COUNT(*) INTO N FROM ALL_TAB_COMMENTS\n  WHERE OWNER = %s AND TABLE_NAME IN ('%s', '%s') AND COMMENTS = '%s';\n",
		schemaNow, logTable(t.ID), keysTable(t.ID), mark)
	b.WriteString("  IF N < 2 THEN\n")
	for _, d := range drops {
		b.WriteString(indent(indent(d.block())) + "\n")
	}
	for _, c := range creates {
		b.WriteString("    " + execute(c) + "\n")
	}
	b.WriteString("  END IF;\nEND;")
	return b.String()
}

// logMark names the structure of the log's tables.
func logMark(t replication.SourceTable) string {
	var types []string
	for _, c := range resolveKey(t) {
		types = append(types, c.text)
	}
	return mark("log 1", types)
}

func mark(what string, parts []string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return fmt.Sprintf("ashlar %s %x", what, sum[:8])
}

func comment(table, mark string) string {
	return "COMMENT ON TABLE " + table + " IS '" + mark + "'"
}

// Uninstall leaves nothing of the group.
func (dialect) Uninstall(group string, tables []replication.SourceTable) []string {
	var statements []string
	for _, t := range tables { // first all triggers, so that none lacks its log
		statements = append(statements, drop{"DROP TRIGGER " + quote(triggerName(t.ID)), noTrigger}.block())
	}
	for _, t := range tables {
		statements = append(statements,
			drop{"DROP TABLE " + quote(logTable(t.ID)) + " PURGE", noTable}.block(),
			drop{"DROP TABLE " + quote(keysTable(t.ID)) + " PURGE", noTable}.block())
	}
	return append(statements, drop{"DROP TABLE " + quote(positionTable(group)) + " PURGE", noTable}.block())
}

// Errors that DDL may end in.
const (
	nameTaken = 955
	noTable   = 942
	noTrigger = 4080
)

// drop is DDL that may find nothing there.
type drop struct {
	ddl    string
	absent int
}

func (d drop) block() string { return tolerate(d.ddl, d.absent) }

func unlessExists(create string) string { return tolerate(create, nameTaken) }

func tolerate(ddl string, code int) string {
	return fmt.Sprintf("BEGIN\n  %s\nEXCEPTION\n  WHEN OTHERS THEN\n    IF SQLCODE <> -%d THEN\n      RAISE;\n    END IF;\nEND;", execute(ddl), code)
}

func execute(ddl string) string {
	return "EXECUTE IMMEDIATE '" + strings.ReplaceAll(ddl, "'", "''") + "';"
}

// segments returns the query, in parentheses, for a number that changes when
// the rows of a table are replaced as a whole: it is made of the DATA_OBJECT_ID of
// the table, its partitions, and the index that holds it if it is organised as
// one. ALL_OBJECTS hides nothing that its user may read.
func segments(name replication.Name) string {
	owner, table := schemaNow, text(name.Table)
	if name.Schema != "" {
		owner = text(name.Schema)
	}
	return "(SELECT COALESCE(SUM(ORA_HASH(o.OBJECT_NAME || '.' || o.SUBOBJECT_NAME || '.' || o.DATA_OBJECT_ID)), 0) FROM ALL_OBJECTS o\n" +
		"  WHERE o.OWNER = " + owner + " AND (o.OBJECT_NAME = " + table + " AND o.OBJECT_TYPE LIKE 'TABLE%'\n" +
		"    OR o.OBJECT_TYPE LIKE 'INDEX%' AND o.OBJECT_NAME IN (SELECT i.INDEX_NAME FROM ALL_INDEXES i\n" +
		"      WHERE i.TABLE_OWNER = " + owner + " AND i.TABLE_NAME = " + table + " AND i.INDEX_TYPE = 'IOT - TOP')))"
}
