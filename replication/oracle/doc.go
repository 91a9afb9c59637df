// Package oracle speaks Oracle Database for package replication: [Dialect] is
// its only door, and [Open] opens a *sql.DB over godror that the dialect works on.
//
//	db, err := oracle.Open(`oracle://scott@db.example.com/orclpdb1`)
//
// # What was never run
//
// No statement of this package has met an Oracle server yet. The SQL is made
// as data, compared with golden files, parsed with a grammar of PL/SQL in the
// tests, and the bodies of the triggers are run on MariaDB in its Oracle mode.
// What only a server can show is therefore an expectation built from Oracle's
// documentation: that a read-only transaction reads the log, the tables and the
// dictionary as of one SCN, that TRUNCATE changes DATA_OBJECT_ID, privileges,
// execution plans, LOB binds, and all speeds. ASHLAR_ORACLE_DSN runs the live
// tests against a server; until that has been done for your version, treat
// this package as a preview.
//
// # How changes are captured
//
// One row trigger per table inserts the key of each changed row into a log of
// its own, and also the old key where an UPDATE changes it. [Dialect]'s Sequence
// then moves, in one SERIALIZABLE transaction, the log rows that it sees into a
// table with one row per distinct key, under the next batch number, and commits:
// batches are numbered in the order of their commits, however long the writers'
// transactions were open. A reader takes, from one read-only transaction, the
// keys of later batches, the log rows that are visible but not yet sequenced,
// and the rows themselves.
//
// The position is the number of the last batch that the snapshot sees. Two
// snapshots of the same number cannot be ordered, so Covers answers no for
// them.
//
// TRUNCATE, EXCHANGE PARTITION and the like give a table a new DATA_OBJECT_ID,
// and the table is then read whole. So do MOVE and a new partition, where that
// would not be needed.
//
// # What is not captured
//
//   - SQL*Loader's direct path disables triggers while it loads. The trigger's
//     LAST_DDL_TIME should betray it to Fingerprint; do not rely on that.
//   - Changes by sessions that disabled the triggers, for the same reason.
//   - What happens while a trigger is disabled, if it is enabled again within the
//     very second in which it was made: LAST_DDL_TIME has no finer unit.
//
// Cascading foreign keys fire the child's triggers on Oracle, and are captured.
//
// # What values become
//
//   - The empty string is NULL on Oracle. In a column of VARCHAR2, CHAR or RAW that allows
//     NULL it arrives as NULL, which Type announces; where the column does not, it
//     is a *replication.TypeLossError. CLOB and BLOB keep it.
//   - NUMBER and FLOAT are Decimal, or Int up to NUMBER(18); a number with more
//     digits than the column keeps is a TypeLossError, where Oracle would round.
//     BINARY_FLOAT and BINARY_DOUBLE are Float, with NaN and the infinities.
//   - DATE is Timestamp with no digits after the point. Years before 1 and days that
//     the Gregorian calendar lacks are a TypeLossError, and so are the ten days
//     of October 1582 that Oracle's lacks.
//   - TIMESTAMP WITH TIME ZONE is Instant: the name of its zone is lost.
//   - CHAR loses the blanks at its end. INTERVAL and ROWID are Native.
//   - LONG, BFILE, XMLTYPE, UROWID and object types have no text here: leave
//     such columns out, or Stream returns a TypeLossError.
//
// The database's character set must be AL32UTF8, the server 11.2 or later:
// Prepare refuses others, since text would be changed or ordered otherwise.
//
// # Snapshots that flip
//
// Replacing a synonym or view is a DDL of its own on Oracle, so several of them
// do not appear together. Here the public name is a view over both copies,
// joined with a row of a small table that says which is shown. Flipping any
// number of tables is one UPDATE: a statement sees all old or all new. The idle
// copy is emptied by DELETE, because TRUNCATE would break readers that still
// are in it. A snapshot with other columns needs its view and copies dropped.
//
// # What happens when
//
//   - the program is built without cgo: the SQL is made all the same; what
//     needs a connection returns an error that is errors.ErrUnsupported.
//   - Oracle's client library is missing: connecting returns an error that says
//     what to install.
//   - a CLOB of 1 MiB or more is not plain ASCII: godror 0.40.4 takes characters
//     for bytes and refuses to bind it. Reading one is no trouble.
//   - Load is interrupted: the rows before the failing one stay in the
//     transaction. Load only inside of a transaction from Begin.
//   - a node is killed: its lock is a locked row, and goes when the server
//     notices that the connection is dead (SQLNET.EXPIRE_TIME when its machine
//     is gone). The row's transaction stays open as long as the node has the
//     lock, and keeps an extent of undo.
//
// # Privileges
//
// CREATE SESSION, CREATE TABLE, CREATE VIEW, CREATE TRIGGER and quota; for
// tables of another schema CREATE ANY TRIGGER, SELECT and LOCK ANY TABLE on the
// master, and the DML privileges on a replica. SELECT on V_$DATABASE lets
// Identity tell a restored or promoted copy; without it a copy with the same
// name and creation time passes for the original, until its batch numbers
// show it. Granting it later changes the identity.
//
// Tables that this package makes have the names that Oracle gives without
// quotes: those all in lower case become upper. A schema is a user on Oracle,
// and has to be there; its default collation must be BINARY, as it is unless
// somebody changed it.
//
// The tables' own triggers fire on a replica too: disable them there, or let
// them look at V$SESSION.CLIENT_INFO, which is ashlar while rows are applied.
// Foreign keys are deferred where they are declared DEFERRABLE.
//
// The package belongs to chapter 8 of the book.
package oracle
