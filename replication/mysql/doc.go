// Package mysql lets package replication speak to MySQL and MariaDB, as master
// and as replica, over a *sql.DB opened with github.com/go-sql-driver/mysql.
//
//	db, err := sql.Open("mysql", "user:password@tcp(host:3306)/shop?interpolateParams=true")
//	end := replication.End{DB: db, Dialect: mysql.Dialect}
//
// Open a DB of its own for it: [Dialect] pins the settings of the sessions that
// it gets. The data source must name a database, where this library keeps its
// books, and must not have parseTime. interpolateParams saves round trips.
//
// # Guarantees
//
//   - No committed change is lost, whatever the order and length of transactions,
//     and what a poll reads is one snapshot of the master.
//   - No application waits for the sequencer, which puts the log into the order of
//     commits, and the sequencer waits for no application.
//   - A node that never comes back costs the master one row for each distinct key
//     that changes, not one for each change.
//   - A value arrives as it left, or there is an error that names its column. LOAD
//     DATA LOCAL turns duplicates and values that do not fit into warnings; here
//     every warning, note and missing row is an error again.
//   - Two texts that differ in any byte are two: 'a', 'A' and 'a ' as keys of
//     tables that Create made, and 'a' that becomes 'A' as a change.
//   - A table or trigger that was changed since Install is noticed by Fingerprint.
//     TRUNCATE, and maintenance of partitions, which no trigger sees, make the
//     table be read whole.
//   - Readers of flipping snapshots never see half a table, or two generations.
//     One whose transaction has a snapshot older than the copy gets error 1412.
//
// # How changes are captured
//
// Row triggers write the key of each changed row into a log, which has no order
// that means anything: a transaction's rows become visible when it commits, long
// after they got their numbers. The sequencer moves what is visible into numbered
// batches, one transaction each, so that their numbers are in the order of commits;
// a key that changes again moves to the later batch. A reader takes the batches
// after its position, and what is in no batch yet, both from the snapshot that it
// reads the rows from. Any number of nodes may run the sequencer.
//
// Triggers run with the rights of the user who installed them, so applications
// need none. That user needs TRIGGER and CREATE; with the binary log on, CREATE
// TRIGGER also needs SUPER or log_bin_trust_function_creators (error 1419). A
// master's user needs PROCESS, since nothing but InnoDB's catalogue of tables tells
// of a TRUNCATE, and CREATE TEMPORARY TABLES; a replica's the latter,
// and with flipping snapshots also ALTER and DROP.
//
// # Types
//
// BIGINT UNSIGNED and BIT(64) are Decimal; other integers, BIT and YEAR are Int,
// also TINYINT(1), in which people keep more than 0 and 1. A column whose comment
// contains ashlar:bool is Bool. Create marks columns so: ashlar:bool for Bool,
// ashlar:instant for a DATETIME in UTC, since TIMESTAMP ends in 2038, ashlar:uuid
// for a CHAR(36) and ashlar:json for JSON as text. MariaDB's JSON is recognized by
// its check, ENUM and SET are Text. Spatial types, INET4, INET6 and vectors travel
// between tables of these two vendors only.
//
// Refused when one comes, with the value: dates with zeros in them or that are in
// no calendar, TIME outside of a day, NaN and the infinities, labels that an ENUM
// does not have, what is too long, and more digits than the column keeps.
//
// A text collation that folds case, accents or blanks at the end is reported in
// Column.Folds. Only utf8mb4_nopad_bin and utf8mb4_0900_bin, and their like, do not.
//
// # What happens when
//
//   - the server forbids LOAD DATA LOCAL (local_infile): rows go in INSERTs of up
//     to 1 MB, about half as fast.
//   - Load fails: its rows before the failure stay, so it belongs into a
//     transaction.
//   - fn of Stream returns an error with more than a thousand rows to come: the
//     connection is closed, since reading them would take longer.
//   - a transaction on the master keeps a snapshot open for hours: InnoDB cannot
//     purge the log's deleted rows, and each poll looks through them.
//   - no node runs for long: nobody puts the log into order, and it grows by a row
//     for each change until one does, or Trim is called.
//   - foreign keys of a captured table cascade: InnoDB changes rows below the
//     triggers. Describe reports them, and they are refused.
//   - the replica has triggers: they fire. MySQL cannot switch them off for a
//     session. Foreign keys are switched off until the transaction ends.
//   - MySQL's Install is run again: a trigger is dropped before it is made anew, and
//     Fingerprint tells so. MariaDB replaces it in one step.
//
// # Not done
//
//   - Only InnoDB tables. Indexes on prefixes or expressions are no keys.
//   - Galera clusters with several writers: each server would capture its own
//     changes only in its own order.
//   - Rows that the vendor's own replication writes fire no triggers, so a server
//     that is a replica of that kind cannot be a master of this one.
//   - A backup restored in place keeps its identity; the engine finds it by its
//     token.
//
// The tests run against MariaDB 10.11. MariaDB from 10.6 and MySQL from 8.0.17 are
// meant to work; where they differ, the texts have parts for either in comments
// that only that one executes. Nothing has been run on MySQL itself: its
// collation utf8mb4_0900_bin, INNODB_TABLES as the witness of TRUNCATE, and the
// error numbers that MariaDB does not have are from its manual.
package mysql
