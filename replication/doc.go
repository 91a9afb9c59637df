// Package replication keeps copies of a master's tables on any number of
// replicas, across vendors: PostgreSQL, MySQL and MariaDB, SQLite, Oracle.
//
// Triggers on the master log the keys of the rows that change. A [Replicator]
// reads, from one snapshot of the master, the keys that its replica has not seen
// and the rows as they are now, and applies them to the replica in one
// transaction together with its new position. Start with [New]:
//
//	r, err := replication.New(replication.Config{
//		Node:   "web07",
//		Source: replication.End{DB: master, Dialect: postgres.Dialect},
//		Target: replication.End{DB: local, Dialect: sqlite.Dialect},
//		Tables: []replication.Table{{Source: "siteusers"}, {Source: "newsarticles"}},
//	})
//	err = r.Install(ctx) // once: triggers and logs on the master
//	err = r.Run(ctx)     // copies what was not copied, then follows
//
// [Flipper] is for small tables without a key or triggers: it loads the idle one
// of two copies and flips the public name.
//
// # Guarantees
//
// Package replicationtest has the tests, which run between all pairs of vendors.
//
//   - No committed change is lost, whatever the order and length of the
//     transactions, and none is applied twice: the position commits with the data.
//   - After every apply, the tables of the group on the replica are what they were
//     on the master in one snapshot. While they are copied or repaired they are
//     not, and the phase says so.
//   - A replicator that is killed at any point goes on where it was; so does an
//     initial copy, at the last chunk that was committed.
//   - Two replicators of one node never both apply: one works, the other gets
//     [ErrLocked].
//   - A replica never follows a master that is another system, or that went back
//     in time by more than it told the master: [ErrForeignPosition].
//   - A table that was changed, or whose triggers were, is noticed before a wrong
//     row is written: [ErrDrift].
//   - A value that the replica cannot hold is an error that names the row, never
//     rounded, cut or left out: [ErrTypeLoss], [ApplyError].
//   - A replica that is away costs the master one log row for each distinct key,
//     on PostgreSQL up to two, until [Retention] gives it up; then it heals itself
//     by a copy.
//   - Readers of a flipping snapshot never wait for a load, and never see half of
//     one or two generations. (On PostgreSQL a transaction whose snapshot is older
//     than the load of a copy sees that copy empty.)
//   - Memory does not depend on the number of rows, in a batch or a table.
//
// # What happens when
//
//   - a server is down or a connection breaks: Run tries again for ever, Step
//     returns the error.
//   - the replica refuses a row: Run ends with an ApplyError that names table and
//     key, and nothing of the batch is applied. No row is ever skipped.
//   - unique values move between rows: the batch is applied by deleting and
//     inserting.
//   - the master truncates a table: it is sent whole. Where a dialect cannot see
//     that, it is ErrDrift.
//   - somebody else writes to the replica: Verify finds it, Repair mends it.
//
// # What it does not do
//
// There is one master; conflicts are not resolved. DDL is not replicated. It
// does not read the WAL or the binlog, so it needs no privileges beyond those of
// making triggers, and works where no replication slot may be had.
//
// Chapter 8 of the book. The rule of snapshots on PostgreSQL is that of Slony-I
// and PgQ, the sequencer's is SymmetricDS's need without its time-outs; what the
// book's printed code gets wrong has a test each.
package replication
