package postgres

import (
	"fmt"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/replication"
)

// maxName is what the server keeps of a name, in bytes.
const maxName = 63

// copyName is NAME__0 or NAME__1. The server would cut a long name, and with it
// the difference; so it is cut here, and told apart by a hash.
func copyName(n replication.Name, copy int) replication.Name {
	suffix := fmt.Sprintf("__%d", copy)
	name := n.Table
	if len(name)+len(suffix) > maxName {
		suffix = "_" + shortHash(name) + suffix
		name = name[:maxName-len(suffix)]
		for !utf8.ValidString(name) {
			name = name[:len(name)-1]
		}
	}
	return replication.Name{Schema: n.Schema, Table: name + suffix}
}

// Publish keeps the public name as a view. Only the view changes when copies
// are flipped, so grants on it, views over it and prepared statements survive.
func (d dialect) Publish(t replication.TargetTable) replication.Publishing {
	name := func(n int) replication.Name { return copyName(t.Name, n) }
	var create []string
	if t.Name.Schema != "" {
		create = append(create, createSchema(t.Name.Schema))
	}
	for n := range 2 {
		create = append(create, "CREATE TABLE IF NOT EXISTS "+quoteName(name(n))+" ("+d.definitions(t)+")")
	}
	create = append(create, "DO "+dollarQuote("ashlar", `
DECLARE
	our_kind constant text := (SELECT relkind FROM pg_class WHERE oid = to_regclass(`+literal(quoteName(t.Name))+`));
BEGIN
	IF our_kind IS NULL THEN
		`+publicView("CREATE VIEW", t, 0)+`;
	ELSIF our_kind <> 'v' THEN
		RAISE EXCEPTION 'ashlar: % is there and is not a view', `+literal(t.Name.String())+` USING ERRCODE = 'wrong_object_type';
	END IF;
END `))
	return replication.Publishing{
		Create: create,
		Public: fmt.Sprintf(`SELECT CASE WHEN d.refobjid = to_regclass(%[2]s) THEN 0 ELSE 1 END FROM pg_rewrite r
			JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
			WHERE r.ev_class = to_regclass(%[1]s) AND d.refobjid IN (to_regclass(%[2]s), to_regclass(%[3]s)) LIMIT 1`,
			literal(quoteName(t.Name)), literal(quoteName(name(0))), literal(quoteName(name(1)))),
		Copies: name,
		Clear:  func(n int) []string { return []string{"TRUNCATE " + quoteName(name(n))} },
		Ready:  func(n int) []string { return []string{"ANALYZE " + quoteName(name(n))} },
	}
}

func publicView(verb string, t replication.TargetTable, n int) string {
	return verb + " " + quoteName(t.Name) + " AS SELECT " + columnList("r.", t.Columns) + " FROM " + quoteName(copyName(t.Name, n)) + " r"
}

// Flip waits for readers of the views for half a second only: everybody who
// comes after them waits too.
func (dialect) Flip(tables []replication.TargetTable, to []int) []string {
	statements := []string{"SET LOCAL lock_timeout = '500ms'"}
	for i, t := range tables {
		statements = append(statements, publicView("CREATE OR REPLACE VIEW", t, to[i]))
	}
	return statements
}
