package postgres

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Install returns one block for each table. A block leaves a table alone that is
// whole, so that its fingerprint stays and nobody waits; else it makes all of
// its triggers anew, under a lock that waits for the writers before it and
// holds off those after it, which then see the triggers, however old their
// snapshots are. A log stays as long as the key's types are the same.
func (d dialect) Install(group string, tables []replication.SourceTable) []string {
	statements := []string{createSchema(schema)}
	for _, t := range tables {
		statements = append(statements, d.install(group, captured{t}))
	}
	return statements
}

// What the catalogue says of a table. $T is its oid, $KEYS an array of the names
// of the key's columns.
const (
	// Triggers over statements do not fire for rows that are written through the
	// parent of a partition or of an inheriting table, nor for the partitions of
	// the parent, nor for what a subscription writes. Triggers over rows do.
	byRowQuery = `(SELECT c.relkind = 'p' OR c.relispartition OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
		OR EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = c.oid) FROM pg_class c WHERE c.oid = $T)`
	// Rows of inheriting tables show in the parent, but are written behind its
	// triggers' back.
	hasHeirsQuery = `EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent
		WHERE i.inhparent = $T AND c.relkind <> 'p')`
	// The table and, if it has any, its partitions of all levels.
	treeQuery = `(SELECT $T::oid AS relid UNION SELECT relid::oid FROM pg_partition_tree($T::oid::regclass))`
	// The types of the key: a log fits as long as they are the same.
	signatureQuery = `(SELECT string_agg(concat_ws(' ', a.atttypid, a.atttypmod, a.attcollation), ', ' ORDER BY k.n)
		FROM unnest($KEYS::text[]) WITH ORDINALITY k(name, n)
		JOIN pg_attribute a ON a.attrelid = $T AND a.attname = k.name AND NOT a.attisdropped)`
)

// catalogue puts these queries into a text, in place of their names.
func catalogue(text string) string {
	return strings.NewReplacer("$BYROW", byRowQuery, "$HEIRS", hasHeirsQuery, "$TREE", treeQuery, "$SIGNATURE", signatureQuery).Replace(text)
}

// dollarQuote quotes a text that contains any names.
func dollarQuote(tag, text string) string {
	for strings.Contains(text, "$"+tag+"$") {
		tag += "_"
	}
	return "$" + tag + "$" + text + "$" + tag + "$"
}

// createSchema makes a schema that is not there. IF NOT EXISTS alone would need
// the privilege to make it also if it is there.
func createSchema(name string) string {
	return "DO " + dollarQuote("ashlar", " BEGIN IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = "+literal(name)+") THEN CREATE SCHEMA "+
		ident(name)+"; END IF; EXCEPTION WHEN unique_violation OR duplicate_schema THEN NULL; END ")
}

func (d dialect) install(group string, t captured) string {
	keys := make([]string, len(t.Key))
	for i, c := range t.KeyColumns() {
		keys[i] = literal(c.Name)
	}
	names := make([]string, len(triggerSuffixes))
	for i, n := range t.triggers() {
		names[i] = literal(n)
	}
	functions := d.functions(group, t)
	statement, row := t.statementTriggers(), t.rowTriggers()
	version := fmt.Sprintf("%x", sha256.Sum256([]byte(functions+statement+row)))[:16]

	var drop strings.Builder
	for _, n := range t.triggers() {
		fmt.Fprintf(&drop, "\tDROP TRIGGER IF EXISTS %s ON %s;\n", ident(n), quoteName(t.Name))
	}
	return "DO " + dollarQuote("ashlar", strings.NewReplacer(
		"$TABLE", quoteName(t.Name), "$REGCLASS", literal(quoteName(t.Name))+"::regclass",
		"$LOCK", fmt.Sprint(lockNumber("install")),
		"$NAMES", "ARRAY["+strings.Join(names, ", ")+"]", "$KEYS", "ARRAY["+strings.Join(keys, ", ")+"]",
		"$VERSION", literal(version), "$FUNCTIONS", functions, "$DROP", drop.String(),
		"$LOG0", t.log(0), "$LOG1", t.log(1), "$CHOICE", t.choice(),
		"$LOGKEYS", t.logColumns(), "$STATEMENT", statement, "$ROWTRIGGERS", row,
		"$ALL", literal(t.trigger("all")), "$MARK", t.function("mark"), "$T", "our_table",
	).Replace(catalogue(installBlock)))
}

// installBlock replaces functions and triggers under the table's lock. Domains
// of the key give way to their base types in the logs, because a marker's keys
// are NULL.
const installBlock = `
DECLARE
	our_table constant oid := $REGCLASS;
	our_log regclass;
	our_part regclass;
	our_row record;
	our_by_row constant boolean := $BYROW;
	our_version constant text := $VERSION::text || our_by_row::text;
	our_signature constant text := $SIGNATURE;
BEGIN
	PERFORM pg_advisory_xact_lock($LOCK);
	IF $HEIRS THEN
		RAISE EXCEPTION 'ashlar: table % has tables that inherit from it, whose changes its triggers do not see', our_table::regclass
			USING ERRCODE = 'feature_not_supported';
	END IF;
	IF to_regclass('$LOG0') IS NOT NULL AND to_regclass('$LOG1') IS NOT NULL AND to_regclass('$CHOICE') IS NOT NULL
		AND obj_description(to_regclass('$LOG0'), 'pg_class') IS NOT DISTINCT FROM our_signature
		AND obj_description(to_regclass('$LOG1'), 'pg_class') IS NOT DISTINCT FROM our_signature
		AND 5 = (SELECT count(*) FROM pg_trigger WHERE tgrelid = our_table AND tgname = ANY ($NAMES)
			AND obj_description(oid, 'pg_trigger') = our_version)
		AND 5 * (SELECT count(*) FROM $TREE tree) = (SELECT count(*) FROM $TREE tree
			JOIN pg_trigger ON tgrelid = relid AND tgname = ANY ($NAMES) AND tgenabled = 'A')
	THEN
$FUNCTIONS
		RETURN;
	END IF;

	LOCK TABLE $TABLE IN SHARE ROW EXCLUSIVE MODE;
	IF to_regclass('$LOG0') IS NULL OR to_regclass('$LOG1') IS NULL
		OR obj_description(to_regclass('$LOG0'), 'pg_class') IS DISTINCT FROM our_signature
		OR obj_description(to_regclass('$LOG1'), 'pg_class') IS DISTINCT FROM our_signature
	THEN
		DROP TABLE IF EXISTS $LOG0, $LOG1;
		CREATE TABLE $LOG0 AS SELECT 0::bigint AS xid, $LOGKEYS FROM $TABLE r WITH NO DATA;
		CREATE TABLE $LOG1 AS SELECT 0::bigint AS xid, $LOGKEYS FROM $TABLE r WITH NO DATA;
		FOREACH our_log IN ARRAY ARRAY['$LOG0', '$LOG1']::regclass[] LOOP
			LOOP
				SELECT a.attname, format_type(d.typbasetype, d.typtypmod) AS type INTO our_row
				FROM pg_attribute a JOIN pg_type d ON d.oid = a.atttypid AND d.typtype = 'd' WHERE a.attrelid = our_log LIMIT 1;
				EXIT WHEN NOT FOUND;
				EXECUTE format('ALTER TABLE %s ALTER %I TYPE %s', our_log, our_row.attname, our_row.type);
			END LOOP;
			EXECUTE format('ALTER TABLE %s ALTER xid SET NOT NULL, ALTER xid SET DEFAULT txid_current()', our_log);
			EXECUTE format('CREATE INDEX ON %s USING brin (xid) WITH (pages_per_range = 16, autosummarize = on)', our_log);
			EXECUTE format('COMMENT ON TABLE %s IS %L', our_log, our_signature);
		END LOOP;
	END IF;
	CREATE SEQUENCE IF NOT EXISTS $CHOICE MINVALUE 0 START 0;
$FUNCTIONS
$DROP
	IF our_by_row THEN
$ROWTRIGGERS
	ELSE
$STATEMENT
	END IF;
	-- Neither kind of trigger is cloned to partitions for TRUNCATE.
	FOR our_part IN SELECT relid FROM $TREE tree LOOP
		EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', $ALL, our_part);
		EXECUTE format('CREATE TRIGGER %I AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION $MARK()', $ALL, our_part);
		FOR our_row IN SELECT tgname FROM pg_trigger WHERE tgrelid = our_part AND tgname = ANY ($NAMES) LOOP
			EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I', our_part, our_row.tgname);
		END LOOP;
	END LOOP;
	FOR our_row IN SELECT tgname FROM pg_trigger WHERE tgrelid = our_table AND tgname = ANY ($NAMES) LOOP
		EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', our_row.tgname, our_table::regclass, our_version);
	END LOOP;
END `

// logColumns selects the key's columns from the table as those of a log.
func (t captured) logColumns() string {
	names := make([]string, len(t.Key))
	for i, c := range t.KeyColumns() {
		names[i] = fmt.Sprintf("r.%s AS k%d", ident(c.Name), i+1)
	}
	return strings.Join(names, ", ")
}

// functions are run with their owner's rights, so that writers need none, and
// with a search path in which nobody else can put anything.
//
// The choice is asked for by a function, which PL/pgSQL evaluates without running
// a query: a query costs as much as all the rest of the trigger.
//
// Which of the two logs they write to may be out of date by the time they do:
// that is no harm, since readers look into both, and Trim empties a log only
// when it has it for itself and finds nothing in it that is still needed.
func (d dialect) functions(group string, t captured) string {
	notify := ""
	if d.notify {
		// The server drops what repeats within a transaction.
		notify = "PERFORM pg_notify(" + literal(channel(group)) + ", ''); "
	}
	function := func(suffix, columns, values string) string {
		body := fmt.Sprintf(` BEGIN
	IF COALESCE(pg_catalog.pg_sequence_last_value('%s'::pg_catalog.regclass), 0) %% 2 = 0 THEN
		INSERT INTO %s (%s) %s;
	ELSE
		INSERT INTO %s (%s) %s;
	END IF;
	%sRETURN NULL;
END `, t.choice(), t.log(0), columns, values, t.log(1), columns, values, notify)
		return "CREATE OR REPLACE FUNCTION " + t.function(suffix) + "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER\n" +
			"\tSET search_path = pg_catalog, pg_temp AS " + dollarQuote("log", body) + ";\n"
	}
	return function("rows", t.keys(""), "SELECT "+t.userKeys("r.")+" FROM ashlar_rows r") +
		function("new", t.keys(""), "VALUES ("+t.userKeys("NEW.")+")") +
		function("old", t.keys(""), "VALUES ("+t.userKeys("OLD.")+")") +
		function("mark", "k1", "VALUES (NULL)")
}

// keyTrigger logs the old key where it really changed: an update of the key
// leaves behind a row that is gone.
func (t captured) keyTrigger() string {
	var changed []string
	for _, c := range t.KeyColumns() {
		changed = append(changed, bytesOf(c, "OLD."+ident(c.Name))+" IS DISTINCT FROM "+bytesOf(c, "NEW."+ident(c.Name)))
	}
	return fmt.Sprintf("CREATE TRIGGER %s AFTER UPDATE ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION %s();\n",
		ident(t.trigger("key")), quoteName(t.Name), strings.Join(changed, " OR "), t.function("old"))
}

// statementTriggers log all keys of a statement at once.
func (t captured) statementTriggers() string {
	var b strings.Builder
	for _, s := range [][3]string{{"ins", "INSERT", "NEW"}, {"upd", "UPDATE", "NEW"}, {"del", "DELETE", "OLD"}} {
		fmt.Fprintf(&b, "CREATE TRIGGER %s AFTER %s ON %s REFERENCING %s TABLE AS ashlar_rows FOR EACH STATEMENT EXECUTE FUNCTION %s();\n",
			ident(t.trigger(s[0])), s[1], quoteName(t.Name), s[2], t.function("rows"))
	}
	return b.String() + t.keyTrigger()
}

// rowTriggers log each row's key; the server clones them to partitions.
func (t captured) rowTriggers() string {
	var b strings.Builder
	for _, s := range [][3]string{{"ins", "INSERT", "new"}, {"upd", "UPDATE", "new"}, {"del", "DELETE", "old"}} {
		fmt.Fprintf(&b, "CREATE TRIGGER %s AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION %s();\n",
			ident(t.trigger(s[0])), s[1], quoteName(t.Name), t.function(s[2]))
	}
	return b.String() + t.keyTrigger()
}

// Uninstall returns statements that need not know the table, which may be gone:
// the triggers go with their functions.
func (dialect) Uninstall(group string, tables []replication.SourceTable) []string {
	var statements []string
	for _, s := range tables {
		t := captured{s}
		var functions []string
		for _, suffix := range functionSuffixes {
			functions = append(functions, t.function(suffix)+"()")
		}
		statements = append(statements,
			"DROP FUNCTION IF EXISTS "+strings.Join(functions, ", ")+" CASCADE",
			"DROP TABLE IF EXISTS "+t.log(0)+", "+t.log(1),
			"DROP SEQUENCE IF EXISTS "+t.choice())
	}
	return statements
}
