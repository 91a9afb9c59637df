package lbsql

import (
	"context"
	"database/sql"
	"errors"
)

// Postgres is the [Measure] of PostgreSQL's streaming replication, version 10
// and newer: the primary's position in the write-ahead log, and how far a
// standby has replayed it. It needs no privilege. A standby that was promoted
// is no replica any more, and a primary that follows another is none.
//
// A standby that is idle because the primary is idle is not behind, and one
// that lost its connection is as soon as the primary writes: neither can be
// told from the standby's own timestamps.
func Postgres(ctx context.Context, db *sql.DB, primary bool) (Position, error) {
	if !primary {
		var standby bool
		var pos sql.NullInt64
		err := db.QueryRowContext(ctx, `SELECT pg_is_in_recovery(), pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint`).Scan(&standby, &pos)
		switch {
		case err != nil:
			return 0, err
		case !standby:
			return 0, errors.New("it is no standby")
		case !pos.Valid:
			return 0, errors.New("it has replayed nothing yet")
		}
		return Position(pos.Int64), nil
	}
	var pos sql.NullInt64
	var block, segment int64
	err := db.QueryRowContext(ctx, `SELECT
		CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint END,
		current_setting('wal_block_size')::bigint,
		pg_size_bytes(current_setting('wal_segment_size'))`).Scan(&pos, &block, &segment)
	switch {
	case err != nil:
		return 0, err
	case !pos.Valid:
		return 0, errors.New("it is a standby")
	}
	return recordEnd(pos.Int64, block, segment), nil
}

// recordEnd turns the place where the next record will be written into the one
// where the last one ended. They differ at the beginning of a page, which has a
// header: a standby that has replayed all stands before it, until another
// record comes.
func recordEnd(next, block, segment int64) Position {
	const pageHeader, segmentHeader = 24, 40
	switch {
	case next%segment == segmentHeader:
		next -= segmentHeader
	case next%block == pageHeader:
		next -= pageHeader
	}
	return Position(next)
}
