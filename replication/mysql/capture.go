package mysql

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// A captured table has, in its own schema,
//
//	ashlar_log_ID_SHAPE   the keys that its triggers write, in no order
//	ashlar_key_ID_SHAPE   each changed key once, with the last batch that it is in
//	ashlar_ID_i, _u, _d   the triggers
//
// SHAPE is a hash of the key's columns: a log is never filled by triggers that
// know another key. The names of columns are apart from those that a
// [replication.SourceTable]'s condition can mean.

func logName(t replication.SourceTable) replication.Name {
	return replication.Name{Schema: t.Name.Schema, Table: "ashlar_log_" + t.ID + "_" + shape(t)}
}

func keyName(t replication.SourceTable) replication.Name {
	return replication.Name{Schema: t.Name.Schema, Table: "ashlar_key_" + t.ID + "_" + shape(t)}
}

func shape(t replication.SourceTable) string {
	sum := sha256.Sum256([]byte("1\x00" + join(t.KeyColumns(), "\x00", func(c replication.Column) string { return c.Name + " " + keptType(c) })))
	return hex.EncodeToString(sum[:4])
}

func triggerName(t replication.SourceTable, event string) replication.Name {
	return replication.Name{Schema: t.Name.Schema, Table: "ashlar_" + t.ID + "_" + strings.ToLower(event[:1])}
}

var events = []string{"INSERT", "UPDATE", "DELETE"}

// keptType is the type of a key's column in the log. Texts are kept as the bytes
// that they have in the column's own charset: so no two of them are equal, and no
// charset has to have a collation for that.
func keptType(c replication.Column) string {
	t := typeOf(c)
	if isText(c) {
		size := c.Size
		if c.Kind == replication.UUID {
			size = 36
		}
		return fmt.Sprintf("VARBINARY(%d)", min(size*maxBytes(t.charset), maxKeyBytes))
	}
	if t.base == "timestamp" { // without a default it would change by itself
		return t.ddl + " DEFAULT '2000-01-01 00:00:00'"
	}
	return t.ddl
}

// toKept is the value of a row's column as the log keeps it.
func toKept(c replication.Column, ref string) string {
	if isText(c) {
		return "CAST(" + ref + " AS BINARY)"
	}
	return ref
}

// fromKept is the way back.
func fromKept(c replication.Column, ref string) string {
	if t := typeOf(c); isText(c) {
		return "CONVERT(" + ref + " USING " + t.charset + ")"
	}
	return ref
}

func kept(i int) string { return "ashlar_k" + strconv.Itoa(i+1) }

// Install makes the bookkeeping, the logs and then the triggers. CREATE TRIGGER
// waits for every transaction that has used the table, so after it no transaction
// is open that could change the table without the trigger.
//
// MariaDB replaces a trigger in one step. MySQL drops it first; what is written in
// between is not logged, and Fingerprint tells, since the trigger is a new one.
func (dialect) Install(group string, tables []replication.SourceTable) []string {
	g := textLiteral(group)
	out := []string{
		createSystem, fillSystem,
		"CREATE TABLE IF NOT EXISTS " + groupTable + " (name VARBINARY(255) NOT NULL PRIMARY KEY," +
			" batch BIGINT NOT NULL, oldest BIGINT NOT NULL) ENGINE=InnoDB",
		"CREATE TABLE IF NOT EXISTS " + tableTable + " (grp VARBINARY(255) NOT NULL, id VARBINARY(24) NOT NULL," +
			" log VARBINARY(1024) NOT NULL, ident VARBINARY(255) NOT NULL, whole BIGINT NOT NULL, PRIMARY KEY (grp, id)) ENGINE=InnoDB",
		// From the clock, so that a group that is installed again has no position
		// that it had before.
		"INSERT IGNORE INTO " + groupTable + " SELECT " + g + ", n, n FROM (SELECT FLOOR(UNIX_TIMESTAMP(NOW(6))*1000000) AS n) AS ashlar_now",
	}
	for _, t := range tables {
		columns := joinAt(t.KeyColumns(), ", ", func(i int, c replication.Column) string { return kept(i) + " " + keptType(c) + " NOT NULL" })
		keys := joinAt(t.KeyColumns(), ", ", func(i int, _ replication.Column) string { return kept(i) })
		out = append(out,
			"CREATE TABLE IF NOT EXISTS "+qualified(logName(t))+" (ashlar_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, "+
				columns+") ENGINE=InnoDB ROW_FORMAT=DYNAMIC",
			"CREATE TABLE IF NOT EXISTS "+qualified(keyName(t))+" ("+columns+", ashlar_batch BIGINT NOT NULL, PRIMARY KEY ("+
				keys+"), KEY ashlar_batch (ashlar_batch)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC",
		)
		for _, event := range events {
			name := triggerName(t, event)
			never := replication.Name{Schema: t.Name.Schema, Table: "ashlar_never"}
			out = append(out,
				"DROP TRIGGER IF EXISTS /*!80000 "+qualified(name)+" */ /*M!100600 "+qualified(never)+" */",
				"CREATE /*M!100600 OR REPLACE */ TRIGGER "+qualified(name)+" AFTER "+event+" ON "+qualified(t.Name)+" FOR EACH ROW "+body(t, event))
		}
		out = append(out, "INSERT INTO "+tableTable+" (grp, id, log, ident, whole) SELECT "+g+", "+textLiteral(t.ID)+", "+
			textLiteral(qualified(logName(t)))+", COALESCE((SELECT ident FROM ("+idents([]replication.SourceTable{t})+") AS ashlar_i), ''), 0"+
			" ON DUPLICATE KEY UPDATE log=VALUES(log)")
		out = append(out, dropTables(t, logName(t).Table, keyName(t).Table)...)
	}
	return out
}

// body is what the trigger does: it writes the row's key, and at an UPDATE also
// the key that the row had, if that differs in any byte.
func body(t replication.SourceTable, event string) string {
	key := t.KeyColumns()
	write := func(row string) string {
		return "INSERT INTO " + qualified(logName(t)) + " (" + joinAt(key, ", ", func(i int, _ replication.Column) string { return kept(i) }) +
			") VALUES (" + list(key, func(c replication.Column) string { return toKept(c, row+"."+quote(c.Name)) }) + ")"
	}
	switch event {
	case "INSERT":
		return write("NEW")
	case "DELETE":
		return write("OLD")
	}
	same := join(key, " AND ", func(c replication.Column) string {
		return toKept(c, "NEW."+quote(c.Name)) + " <=> " + toKept(c, "OLD."+quote(c.Name))
	})
	return "BEGIN " + write("NEW") + "; IF NOT (" + same + ") THEN " + write("OLD") + "; END IF; END"
}

// Uninstall drops triggers and logs, and forgets the group. Bookkeeping tables
// stay, which other groups may use.
func (d dialect) Uninstall(group string, tables []replication.SourceTable) []string {
	var out []string
	for _, t := range tables {
		for _, event := range events {
			out = append(out, "DROP TRIGGER IF EXISTS "+qualified(triggerName(t, event)))
		}
		out = append(out, dropTables(t)...)
	}
	for _, table := range []string{tableTable + " WHERE grp=", groupTable + " WHERE name="} {
		name, _, _ := strings.Cut(table, " ")
		there := "EXISTS(SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA=DATABASE() AND TABLE_NAME=" + textLiteral(strings.Trim(name, "`")) + ")"
		out = append(out, dynamic("IF("+there+", "+textLiteral("DELETE FROM "+table+textLiteral(group))+", NULL)")...)
	}
	return out
}

// dropTables drops the table's logs of any shape but those named.
func dropTables(t replication.SourceTable, but ...string) []string {
	var q strings.Builder
	q.WriteString("(SELECT CONCAT('DROP TABLE IF EXISTS ', GROUP_CONCAT(CONCAT('`', REPLACE(TABLE_SCHEMA, '`', '``'), '`.`', TABLE_NAME, '`')))" +
		" FROM information_schema.TABLES WHERE TABLE_SCHEMA=" + schemaOf(t.Name) +
		" AND TABLE_NAME REGEXP '^ashlar_(log|key)_" + t.ID + "_[0-9a-f]{8}$'")
	for _, name := range but {
		q.WriteString(" AND TABLE_NAME<>" + textLiteral(name))
	}
	return dynamic(q.String() + ")")
}

// dynamic returns the statements that run the statement that an expression makes,
// or nothing if it is NULL.
func dynamic(expression string) []string {
	return []string{
		"SET @ashlar_q = COALESCE(" + expression + ", 'DO 0')",
		"PREPARE ashlar_q FROM @ashlar_q",
		"EXECUTE ashlar_q",
		"DEALLOCATE PREPARE ashlar_q",
	}
}

// idents is the query, as id and ident, for which tables these are to InnoDB:
// TRUNCATE, a rebuild and the exchange of a partition, which no trigger sees, make
// it another one. It needs the privilege PROCESS. Names there are in a charset of
// their own, and those of partitions have a suffix.
func idents(tables []replication.SourceTable) string {
	wanted := make([]string, len(tables))
	for i, t := range tables {
		wanted[i] = "SELECT " + textLiteral(t.ID) + " AS id, CONCAT(" + inFileCharset(schemaOf(t.Name)) + ", '/', " +
			inFileCharset(textLiteral(t.Name.Table)) + ") AS name"
	}
	return "SELECT ashlar_w.id AS id, CONCAT(COUNT(*), '.', SUM(ashlar_t.TABLE_ID), '.', MAX(ashlar_t.TABLE_ID)) AS ident FROM (" +
		strings.Join(wanted, " UNION ALL ") + ") AS ashlar_w JOIN information_schema./*M!100600 INNODB_SYS_TABLES */ /*!80000 INNODB_TABLES */ AS ashlar_t" +
		" ON ashlar_w.name = CAST(SUBSTRING_INDEX(REPLACE(ashlar_t.NAME, '#p#', '#P#'), '#P#', 1) AS BINARY) GROUP BY ashlar_w.id"
}

func inFileCharset(text string) string { return "CAST(CONVERT(" + text + " USING filename) AS BINARY)" }
