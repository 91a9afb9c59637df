package lbsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// MySQL returns the [Measure] of replication by binary log, as MySQL and
// MariaDB have it: the primary's place in its log, and how far a replica has
// executed it. Replicas must follow the primary directly, from one source: the
// places of another server's log mean nothing, and such a replica is refused.
// The accounts need REPLICATION CLIENT (MariaDB 10.5: BINLOG MONITOR on the
// primary, SLAVE MONITOR on replicas). Replicas should be read_only, since a
// query that writes by a function would write there.
//
// A replica that applies in parallel says how far it is without gaps, so that
// it may seem a little older than it is. One value belongs to one cluster.
func MySQL() Measure {
	var server atomic.Uint64 // the primary's server_id, when it is known
	return func(ctx context.Context, db *sql.DB, primary bool) (Position, error) {
		var version string
		var id uint64
		if err := db.QueryRowContext(ctx, "SELECT VERSION(), @@server_id").Scan(&version, &id); err != nil {
			return 0, err
		}
		if primary {
			at, err := status(ctx, db, primaryStatus(version))
			if err != nil {
				return 0, err
			}
			if len(at) != 1 {
				return 0, errors.New("it has no binary log")
			}
			p, err := logPosition(at[0]["file"], at[0]["position"])
			if err == nil {
				server.Store(id)
			}
			return p, err
		}
		at, err := status(ctx, db, replicaStatus(version))
		switch {
		case err != nil:
			return 0, err
		case len(at) == 0:
			return 0, errors.New("it is no replica")
		case len(at) > 1:
			return 0, errors.New("it follows several servers")
		}
		s := at[0]
		source := s.get("master_server_id", "source_server_id")
		if want := server.Load(); want != 0 && source != "0" && source != strconv.FormatUint(want, 10) {
			return 0, fmt.Errorf("it follows server %s, and the primary is %d", source, want)
		}
		return logPosition(s.get("relay_master_log_file", "relay_source_log_file"), s.get("exec_master_log_pos", "exec_source_log_pos"))
	}
}

// The statements were renamed, and the old names taken away in MySQL 8.4.

func primaryStatus(version string) string {
	if renamed(version, 8, 2) {
		return "SHOW BINARY LOG STATUS"
	}
	return "SHOW MASTER STATUS"
}

func replicaStatus(version string) string {
	if renamed(version, 8, 1) {
		return "SHOW REPLICA STATUS"
	}
	return "SHOW SLAVE STATUS"
}

// renamed reports whether a version is MySQL's and at least major.minor.
func renamed(version string, major, minor int) bool {
	if strings.Contains(strings.ToLower(version), "mariadb") {
		return false
	}
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (a > major || a == major && b >= minor)
}

// statusRow is one row of a SHOW statement, by column names in small letters.
type statusRow map[string]string

func (r statusRow) get(names ...string) string {
	for _, n := range names {
		if v, ok := r[n]; ok {
			return v
		}
	}
	return ""
}

func status(ctx context.Context, db *sql.DB, show string) ([]statusRow, error) {
	rows, err := db.QueryContext(ctx, show)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var list []statusRow
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		r := make(statusRow, len(columns))
		for i, c := range columns {
			r[strings.ToLower(c)] = values[i].String
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// logPosition makes one number of a binary log's file, which ends in its
// number, and a place in it.
func logPosition(file, place string) (Position, error) {
	const placeBits = 40
	i := strings.LastIndexByte(file, '.')
	n, err := strconv.ParseUint(file[i+1:], 10, 64-placeBits)
	if i < 0 || err != nil {
		return 0, fmt.Errorf("binary log %q has no number", file)
	}
	at, err := strconv.ParseUint(place, 10, placeBits)
	if err != nil {
		return 0, fmt.Errorf("binary log position %q is no number below 2^%d", place, placeBits)
	}
	return Position(n<<placeBits | at), nil
}
