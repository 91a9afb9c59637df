// Package sqlite is the dialect of SQLite, for package replication: as master,
// as replica, and for flipping snapshots. [Dialect] works over a *sql.DB of any
// driver; the tests use modernc.org/sqlite. It needs SQLite 3.35, a database in
// a file, and the encoding UTF-8; anything else is refused when a connection is
// prepared. Only the main database is replicated, not attached ones.
//
//	replication.End{DB: db, Dialect: sqlite.Dialect}
//
// WAL mode is not required, but much better: without it, reading a snapshot and
// writing exclude each other.
//
// # Guarantees
//
//   - Every change that a statement makes to a captured table is logged in that
//     statement's transaction: INSERT, UPDATE also of keys, DELETE also of the
//     whole table, upserts, foreign keys' cascades, the application's triggers,
//     and rows that go by OR REPLACE, through whichever unique index, also a
//     partial one or one on expressions. The writer's recursive_triggers does
//     not matter, nor does the statement's OR IGNORE.
//   - A log holds each key at most once, however long a node is away.
//   - The order of positions is that of commits: SQLite has one writer at a time.
//   - A value arrives as it is, or is refused with a *replication.TypeLossError;
//     see below. What Load wrote Stream reads.
//   - A fingerprint changes, or is "", when the key, a column that is sent, a
//     unique index, a trigger or the log is changed, dropped or made anew.
//   - A lock ends with its connection, also when the process is killed. It locks
//     a file of its own beside the database's.
//   - Views of flipped snapshots change all at once.
//
// # What is not captured
//
// What goes around SQL's triggers: writes by sqlite3_blob_write, by sessions'
// changesets applied with triggers disabled (SQLITE_DBCONFIG_ENABLE_TRIGGER), to
// the file itself, and to sqlite_schema. A file that is restored from a copy is
// the same system to SQLite; the engine's tokens tell that it has gone back.
//
// # Types
//
// SQLite checks no types, and any column may hold any value. A column has a kind
// by its declared type, and a value whose storage class or spelling does not fit
// it is refused. Type makes the types in the second column:
//
//	kind       made as           also declared as            stored as
//	Bool       BOOLEAN           BOOL                        0 or 1
//	Int        INTEGER           any with INT                integer
//	Decimal    DECIMAL(p,s)      NUMERIC, unknown names      number, of at most 15 digits
//	Decimal    DECIMAL_TEXT                                  text, of any length
//	Float      DOUBLE, FLOAT32   any with REAL, FLOA, DOUB   floating point
//	Text       TEXT, VARCHAR(n)  any with CHAR, CLOB, TEXT   text
//	Bytes      BLOB              BINARY, VARBINARY, RAW      blob
//	Date       DATE                                          text 2006-01-02
//	Time       TIME                                          text 15:04:05.999999
//	Timestamp  TIMESTAMP         DATETIME                    text 2006-01-02 15:04:05.999999999
//	Instant    TIMESTAMPTZ       TIMESTAMP WITH TIME ZONE    text 2006-01-02 15:04:05.999999999+00
//	UUID       UUID              GUID, UNIQUEIDENTIFIER      text, lower case
//	JSON       JSON_TEXT         JSON, JSONB                 text
//	Native     ANY_BLOB          no type, ANY                anything, with its storage class
//
// A decimal of more digits than a number holds exactly is text, in DECIMAL_TEXT,
// and refused by columns of other types. NaN is refused as Float, since SQLite
// stores NULL for it. The size in VARCHAR(n) is the application's promise;
// SQLite does not hold it.
//
// Other spellings are read where they can mean only one thing, and arrive in the
// one above: RFC 3339, times as Go's drivers write them (a date at midnight for
// a Date, UTC for a Timestamp, any offset for an Instant, which is UTC if it has
// none), true and false, UUIDs in capitals, without hyphens, or as 16 bytes.
// Numbers for times are refused: they may be seconds, milliseconds or days. In a
// key every other spelling is refused, as are NULL and JSON.
//
// # On the replica
//
// Foreign keys are off in the connections that apply: the master has checked
// them, and cascades would delete rows that the master has. The replica's own
// triggers fire, since SQLite has no switch for them. A connection to a
// prepared session is of no use to the application afterwards.
package sqlite
