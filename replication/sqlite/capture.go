package sqlite

import (
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// What a captured database has besides the application's tables:
//
//	ashlar_system       one row: the database's token, and the clock
//	ashlar_installed    a row for each captured table: its generation
//	ashlar_log_ID       the keys that changed, each once, by the clock
//	ashlar_note_ID      a view: a key that is inserted into it is logged
//	ashlar_insert_ID    and other triggers
//
// The clock goes forward by one for each logged change. SQLite has one writer at
// a time, which holds the lock until it commits, so that the order of the clock
// is the order of commits, and a position is simply the clock's reading in a
// snapshot: everything up to it is in that snapshot, and nothing after it. A
// transaction that is rolled back takes its readings with it; they are given out
// again, and nobody has seen them, since a snapshot has only what is committed.
// The clock is ours and not AUTOINCREMENT's, because there are applications that
// empty sqlite_sequence.
const (
	systemTable    = `main."ashlar_system"`
	installedTable = `main."ashlar_installed"`
)

// capture is how one table is captured.
type capture struct {
	replication.SourceTable
	group string
}

func (c capture) logName() string  { return "ashlar_log_" + c.ID }
func (c capture) noteName() string { return "ashlar_note_" + c.ID }
func (c capture) log() string      { return "main." + quote(c.logName()) }

func (c capture) trigger(what string) string { return "ashlar_" + what + "_" + c.ID }

// logKey is the log's name of the n-th column of the key. The application's
// condition is evaluated beside it, so that it must not be a name of the table.
func logKey(n int) string { return quote("ashlar_k" + strconv.Itoa(n+1)) }

func (c capture) logKeys() string {
	out := make([]string, len(c.Key))
	for i := range out {
		out[i] = logKey(i)
	}
	return strings.Join(out, ", ")
}

// keys are the key's columns of row: "NEW.", "OLD.", or of the table itself.
func (c capture) keys(row string) []string {
	out := make([]string, len(c.Key))
	for i, k := range c.KeyColumns() {
		out[i] = row + quote(k.Name)
	}
	return out
}

// object is something that is made in the database. Its text is that which
// SQLite keeps: CREATE, and the kind and the name without the schema.
type object struct {
	kind, name string
	rest       string
}

func (o object) create() string {
	return "CREATE " + strings.ToUpper(o.kind) + " main." + quote(o.name) + o.rest
}
func (o object) kept() string {
	return "CREATE " + strings.ToUpper(o.kind) + " " + quote(o.name) + o.rest
}
func (o object) drop() string {
	return "DROP " + strings.ToUpper(o.kind) + " IF EXISTS main." + quote(o.name)
}

func (c capture) logTable() object {
	var b strings.Builder
	b.WriteString(" (\"ashlar_id\" INTEGER PRIMARY KEY")
	for i := range c.Key {
		// No affinity: a key is kept as it is stored.
		b.WriteString(", " + logKey(i) + " BLOB")
	}
	b.WriteString(", UNIQUE (" + c.logKeys() + "))")
	return object{"table", c.logName(), b.String()}
}

func (c capture) noteView() object {
	return object{"view", c.noteName(), " AS SELECT " + c.logKeys() + " FROM " + quote(c.logName()) + " WHERE 0"}
}

// logging are the statements of a trigger that log one key. They delete and
// insert, because INSERT OR REPLACE here would become INSERT OR IGNORE when the
// application's statement is one, and the change would be lost: a trigger's
// statements take over the conflict clause of the one that fires it.
func (c capture) logging(keys []string) string {
	var b strings.Builder
	b.WriteString(` UPDATE "ashlar_system" SET "clock" = "clock" + 1; DELETE FROM ` + quote(c.logName()) + " WHERE ")
	for i, k := range keys {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString(logKey(i) + " IS +" + k) // + : without the affinity of its column
	}
	b.WriteString("; INSERT INTO " + quote(c.logName()) + ` ("ashlar_id", ` + c.logKeys() + `) SELECT "clock", ` + strings.Join(keys, ", ") + ` FROM "ashlar_system";`)
	return b.String()
}

// triggers returns the view and the triggers, in the order in which they are
// made.
func (c capture) triggers() []object {
	on := " ON " + quote(c.Name.Table)
	trigger := func(what, when, body string) object {
		return object{"trigger", c.trigger(what), " " + when + " BEGIN" + body + " END"}
	}
	var moved []string
	for _, k := range c.KeyColumns() {
		moved = append(moved, "OLD."+quote(k.Name)+" IS NOT NEW."+quote(k.Name)+" COLLATE BINARY")
	}
	out := []object{
		c.noteView(),
		trigger("noted", "INSTEAD OF INSERT ON "+quote(c.noteName()), c.logging(c.noted())),
		trigger("insert", "AFTER INSERT"+on, c.logging(c.keys("NEW."))),
		trigger("update", "AFTER UPDATE"+on, c.logging(c.keys("NEW."))),
		trigger("move", "AFTER UPDATE"+on+" WHEN "+strings.Join(moved, " OR "), c.logging(c.keys("OLD."))),
		trigger("delete", "AFTER DELETE"+on, c.logging(c.keys("OLD."))),
	}
	ways := supplants(c.Hint)
	if len(ways) == 0 {
		return out
	}
	var changed []string
	var onInsert, onUpdate strings.Builder
	for _, w := range ways {
		find := " INSERT INTO " + quote(c.noteName()) + " SELECT " + strings.Join(c.keys(quote(c.Name.Table)+"."), ", ") + " FROM " + quote(c.Name.Table) + " WHERE " + w.match
		onInsert.WriteString(find + ";")
		onUpdate.WriteString(find + " AND (" + w.changed + ");")
		changed = append(changed, w.changed)
	}
	return append(out,
		trigger("replace", "BEFORE INSERT"+on, onInsert.String()),
		trigger("supplant", "BEFORE UPDATE"+on+" WHEN "+strings.Join(changed, " OR "), onUpdate.String()))
}

// noted are the key's columns of a row inserted into the view.
func (c capture) noted() []string {
	out := make([]string, len(c.Key))
	for i := range out {
		out[i] = "NEW." + logKey(i)
	}
	return out
}

// seal is a trigger that does nothing and is made last. SQLite keeps triggers in
// the order in which they were made, also through VACUUM, so that one which was
// dropped and made anew later is behind the seal, and known by that.
func (c capture) seal() object {
	return object{"trigger", c.trigger("seal"), " BEFORE UPDATE ON " + quote(c.logName()) + " WHEN 0 BEGIN SELECT 1; END"}
}

// every are all triggers that any version makes for a table.
var every = []string{"seal", "supplant", "replace", "delete", "move", "update", "insert", "noted"}

// Install makes logs and triggers. A table that has some gets them anew, empty,
// and another generation: what changed meanwhile may be lost, and the replicas
// are told to copy. Until the seal is made, the table's fingerprint is "".
func (dialect) Install(group string, tables []replication.SourceTable) []string {
	out := []string{
		"CREATE TABLE IF NOT EXISTS " + systemTable + ` ("id" INTEGER PRIMARY KEY CHECK ("id" = 1), "token" TEXT NOT NULL, "clock" INTEGER NOT NULL)`,
		"INSERT INTO " + systemTable + ` SELECT 1, lower(hex(randomblob(16))), 0 WHERE NOT EXISTS (SELECT 1 FROM ` + systemTable + ")",
		"CREATE TABLE IF NOT EXISTS " + installedTable + ` ("id" TEXT PRIMARY KEY NOT NULL, "grp" TEXT NOT NULL, "generation" TEXT NOT NULL)`,
	}
	for _, t := range tables {
		c := capture{t, group}
		out = append(out, c.removal()...)
		out = append(out, c.logTable().create())
		for _, o := range c.triggers() {
			out = append(out, o.create())
		}
		out = append(out,
			"INSERT OR REPLACE INTO "+installedTable+" VALUES ("+literal(c.ID)+", "+literal(group)+", lower(hex(randomblob(8))))",
			c.seal().create())
	}
	return out
}

// removal returns the statements that drop what a table has. Triggers go before
// what they write to, or the application's statements would fail.
func (c capture) removal() []string {
	var out []string
	for _, what := range every {
		out = append(out, object{kind: "trigger", name: c.trigger(what)}.drop())
	}
	return append(out, object{kind: "view", name: c.noteName()}.drop(), object{kind: "table", name: c.logName()}.drop())
}

// Uninstall removes logs and triggers. The tables ashlar_system and
// ashlar_installed stay, so that no position is ever given out twice.
func (dialect) Uninstall(group string, tables []replication.SourceTable) []string {
	out := []string{"CREATE TABLE IF NOT EXISTS " + installedTable + ` ("id" TEXT PRIMARY KEY NOT NULL, "grp" TEXT NOT NULL, "generation" TEXT NOT NULL)`}
	for _, t := range tables {
		c := capture{t, group}
		out = append(out, c.removal()...)
		out = append(out, "DELETE FROM "+installedTable+` WHERE "id" = `+literal(c.ID))
	}
	return out
}
