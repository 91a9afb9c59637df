// Package postgres speaks PostgreSQL 12 and later to package replication, as
// master and as replica. Open the *sql.DB with the driver of
// github.com/jackc/pgx/v5/stdlib, directly and not through a pooler that shares
// sessions, and hand [Dialect] to the engine; or [Notifying], whose triggers
// wake the engine up by NOTIFY.
//
// # How changes are captured
//
// Each captured table has two log tables in the schema ashlar, with the keys of
// the rows that were written and the id of the transaction that wrote them.
// Triggers over statements fill them, or triggers over rows where statements are
// not seen: for partitioned tables, partitions, tables that inherit and tables
// that a subscription writes. A position is the text of txid_current_snapshot:
// it says exactly which transactions a snapshot sees, so what is new between two
// positions is a difference of sets, and no transaction can be overtaken, however
// long it is open. Polling writes nothing on the master.
//
// # Guarantees
//
//   - Every committed INSERT, UPDATE, DELETE, MERGE, COPY and TRUNCATE is
//     captured, also through foreign keys, partitions, prepared transactions and
//     writers with session_replication_role = replica.
//   - What is rolled back, also to a savepoint, is never captured.
//   - A writer needs no privilege on the schema ashlar.
//   - Changes of all tables between two positions are of one snapshot.
//   - Trimming never removes what a node can still ask for, never waits for an
//     application's lock, and of the rows that a node keeps leaves fewer than two
//     for each distinct key.
//   - A value that PostgreSQL or the other side cannot hold unchanged is a
//     [*replication.TypeLossError], never rounded, cut or replaced.
//
// # What happens when
//
//   - the session is not one of pgx, the server is older than 12, or the
//     database is not in UTF-8: Prepare refuses it.
//   - the master is a standby: Now refuses it, because snapshots of a standby do
//     not list the transactions that are open on its master.
//   - a table has tables that inherit from it: the first statement of Install
//     refuses it. Partitions are captured.
//   - a table is truncated between the snapshot and its being read: Changed
//     returns a transient fault, because a TRUNCATE shows in older snapshots.
//   - a partition is attached, detached, created or dropped: the fingerprint
//     changes, because its rows came or went without a trigger.
//   - a key column is renamed: writers fail in the trigger until Install has run
//     again, since their changes could not be logged.
//   - a column's values are rewritten by ALTER TABLE ... USING to the same type:
//     not noticed, because no row was written; verify finds it.
//   - the replica's role may not set session_replication_role: foreign keys are
//     deferred as far as they are deferrable, and the replica's own triggers run.
//   - a date is infinite, before year 1 or after 9999, or a time is 24:00:00:
//     Stream returns a [*replication.TypeLossError].
//   - a reader of a flipping snapshot is in a transaction of isolation repeatable
//     read that began before the public copy was loaded: it sees that copy empty.
//
// The role that installs owns the log; the same role, or a superuser, is to trim.
package postgres
