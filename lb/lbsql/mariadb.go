package lbsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MariaDB is the [Measure] of MariaDB's global transaction IDs, version 10.0
// and newer: the last transaction of the primary's binary log, and the last that
// a replica has applied. It needs no privilege. Unlike the places in a log that
// [MySQL] compares, the IDs mean the same on every server: replicas may follow
// another replica, and after a failover the numbers go on, so that tokens stay
// good. Only one replication domain is understood, which is how servers are
// unless gtid_domain_id is set on several.
//
// A server that never replicated is refused as a replica, and one without a
// binary log, or which is read_only, as a primary. One that was promoted still
// says what it had applied before: it is out as soon as it is MaxLag behind.
func MariaDB(ctx context.Context, db *sql.DB, primary bool) (Position, error) {
	if !primary {
		var at string
		if err := db.QueryRowContext(ctx, "SELECT @@gtid_slave_pos").Scan(&at); err != nil {
			return 0, err
		}
		if at == "" {
			return 0, errors.New("it has replicated nothing yet, or is no replica")
		}
		return gtidPosition(at)
	}
	var at string
	var logs, readOnly bool
	if err := db.QueryRowContext(ctx, "SELECT @@gtid_binlog_pos, @@log_bin, @@read_only").Scan(&at, &logs, &readOnly); err != nil {
		return 0, err
	}
	switch {
	case !logs:
		return 0, errors.New("it has no binary log")
	case readOnly:
		return 0, errors.New("it is read-only")
	case at == "": // nothing was written yet
		return 0, nil
	}
	return gtidPosition(at)
}

// gtidPosition reads domain-server-sequence. The sequence alone counts: all
// servers of a domain share it.
func gtidPosition(s string) (Position, error) {
	if strings.Contains(s, ",") {
		return 0, fmt.Errorf("GTID position %.80q has several domains", s)
	}
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return 0, fmt.Errorf("GTID position %.80q is not domain-server-sequence", s)
	}
	for _, p := range parts[:2] {
		if _, err := strconv.ParseUint(p, 10, 32); err != nil {
			return 0, fmt.Errorf("GTID position %.80q is not domain-server-sequence", s)
		}
	}
	n, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("GTID position %.80q is not domain-server-sequence", s)
	}
	return Position(n), nil
}
