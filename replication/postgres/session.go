package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5"
)

// settings are pinned in every session. Those that a version does not know are
// left out. search_path and synchronous_commit stay the user's.
var settings = [...][2]string{
	// The spelling of values.
	{"client_encoding", "UTF8"},
	{"standard_conforming_strings", "on"},
	{"TimeZone", "UTC"},
	{"DateStyle", "ISO, YMD"},
	{"IntervalStyle", "postgres"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"lc_monetary", "C"},
	{"xmloption", "content"},
	// What is not in a transaction from Begin: Trim rests on each of its statements
	// having a snapshot of its own.
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	// A copy takes hours, and a replicator waits within transactions; but it
	// never stands long in a queue for a lock with applications behind it.
	{"statement_timeout", "0"},
	{"lock_timeout", "10s"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"transaction_timeout", "0"},
	// A client that has gone without a word holds its locks for a minute, not two
	// hours.
	{"tcp_keepalives_idle", "30"},
	{"tcp_keepalives_interval", "10"},
	{"tcp_keepalives_count", "3"},
	// Estimates of a fresh staging table and of the log's end are rough.
	// Compilation on their ground costs more than the statements.
	{"jit", "off"},
	{"row_security", "off"}, // an error, not a silent selection
}

var prepareQuery = func() string {
	var b strings.Builder
	b.WriteString("SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),")
	// Keys are sorted and hashed by the ten thousand.
	b.WriteString(" set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')), 32 << 20) / 1024 || 'kB', false),")
	b.WriteString(" (SELECT count(set_config(name, value, false)) FROM (VALUES ")
	for i, s := range settings {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + literal(s[0]) + ", " + literal(s[1]) + ")")
	}
	b.WriteString(") v(name, value) WHERE current_setting(name, true) IS NOT NULL)")
	return b.String()
}()

func (dialect) Prepare(ctx context.Context, c *sql.Conn) error {
	var version int
	var encoding string
	err := raw(c, func(pc *pgx.Conn) error {
		var memory string
		var n int
		// pgx refuses the simple protocol until the settings are pinned.
		return pc.QueryRow(ctx, prepareQuery, pgx.QueryExecModeExec).Scan(&version, &encoding, &memory, &n)
	})
	switch {
	case errors.Is(err, errNotPgx):
		return err
	case err != nil:
		return fmt.Errorf("postgres: prepare session: %w", err)
	case version < 120000:
		return fmt.Errorf("postgres: prepare session: server is version %d.%d; 12 is needed", version/10000, version%10000)
	case encoding != "UTF8":
		return fmt.Errorf("postgres: prepare session: database has encoding %s; UTF8 is needed", encoding)
	}
	return nil
}

// Identity is the cluster's system identifier, the timeline and the database's
// oid. A role that may not call pg_control_system gets the database's name in
// place of the identifier: that still tells a failover, by the timeline, but not
// another cluster with a database of the same name and oid.
func (dialect) Identity(ctx context.Context, c *sql.Conn) (string, error) {
	var id string
	err := c.QueryRowContext(ctx, `SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE
			substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || '-' || d.oid || '-' || md5(d.datname)
		END || ' ' || has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
		FROM pg_database d WHERE d.datname = current_database()`).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("postgres: identify the server: %w", err)
	}
	id, may, _ := strings.Cut(id, " ")
	if id == "" {
		return "", errors.New("postgres: identify the server: it is a standby")
	}
	parts := strings.SplitN(id, "-", 3)
	system := "name" + parts[2]
	if may == "true" {
		if err := c.QueryRowContext(ctx, "SELECT system_identifier::text FROM pg_control_system()").Scan(&system); err != nil {
			return "", fmt.Errorf("postgres: identify the server: %w", err)
		}
	}
	timeline, err := strconv.ParseUint(parts[0], 16, 32)
	if err != nil {
		return "", fmt.Errorf("postgres: identify the server: timeline: %w", err)
	}
	return fmt.Sprintf("%s/%d/%s", system, timeline, parts[1]), nil
}

const (
	beginWrite    = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	beginSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
)

func (dialect) Begin(ctx context.Context, c *sql.Conn, m replication.Mode) (replication.Tx, error) {
	begin := beginWrite
	if m == replication.ReadSnapshot {
		begin = beginSnapshot
	}
	if err := exec(ctx, c, begin); err != nil {
		return nil, fmt.Errorf("postgres: begin: %w", err)
	}
	return &tx{ctx: ctx, c: c}, nil
}

// tx is a transaction on a connection. It is no sql.Tx: that one would roll back
// behind the back of a COPY when its context ends.
type tx struct {
	ctx  context.Context
	c    *sql.Conn
	done bool
}

func (t *tx) Commit() error {
	if t.done {
		return sql.ErrTxDone
	}
	t.done = true
	return raw(t.c, func(pc *pgx.Conn) error {
		tag, err := pc.Exec(t.ctx, "COMMIT")
		if err != nil {
			// The context may have ended before the statement was sent.
			switch {
			case pc.IsClosed() || pc.PgConn().TxStatus() == 'I':
			case t.ctx.Err() != nil:
				_ = hangUp(pc)
			default:
				_ = rollback(pc)
			}
			return fmt.Errorf("postgres: commit: %w", err)
		}
		if tag.String() != "COMMIT" { // the server rolls back what has failed
			return fmt.Errorf("postgres: commit: %w", pgx.ErrTxCommitRollback)
		}
		return nil
	})
}

func (t *tx) Rollback() error {
	if t.done {
		return sql.ErrTxDone
	}
	t.done = true
	return raw(t.c, rollback)
}

// hangUp ends the session, and with it the transaction, without waiting for the
// server.
func hangUp(pc *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	return pc.Close(ctx)
}

// rollback is to work when the context of the transaction has ended.
func rollback(pc *pgx.Conn) error {
	if pc.IsClosed() {
		return nil // and with the session went the transaction
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := pc.Exec(ctx, "ROLLBACK"); err != nil {
		pc.Close(ctx)
		return fmt.Errorf("postgres: rollback: %w", err)
	}
	return nil
}

// TryLock takes no second share of a lock that the session has.
func (dialect) TryLock(ctx context.Context, c *sql.Conn, name string) (bool, error) {
	n := lockNumber("lock " + name)
	var ok bool
	// CASE is evaluated in order: the lock is only tried if it is not ours.
	err := c.QueryRowContext(ctx, `SELECT CASE WHEN EXISTS (SELECT FROM pg_locks
			WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND mode = 'ExclusiveLock'
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = $1)
		THEN true ELSE pg_try_advisory_lock($1) END`, n).Scan(&ok)
	if err != nil {
		return false, fmt.Errorf("postgres: lock %q: %w", name, err)
	}
	return ok, nil
}

// Relax turns foreign keys and ordinary triggers off for the transaction if the
// role may do that, and else defers the constraints that can be deferred.
func (dialect) Relax(ctx context.Context, c *sql.Conn) (ordered bool, err error) {
	return relax(ctx, c, "")
}

// BeginApply sends one message.
func (dialect) BeginApply(ctx context.Context, c *sql.Conn) (replication.Tx, bool, error) {
	t := &tx{ctx: ctx, c: c}
	ordered, err := relax(ctx, c, beginWrite+"; ")
	if err != nil {
		if ctx.Err() == nil {
			_ = t.Rollback()
		}
		return nil, false, err
	}
	return t, ordered, nil
}

// relax is Relax in a transaction that begin begins, if it is not "".
func relax(ctx context.Context, c *sql.Conn, begin string) (ordered bool, err error) {
	var role string
	err = raw(c, func(pc *pgx.Conn) error {
		// What only a superuser may is cheap for a superuser. Others may have been
		// given the right, and only trying tells.
		results, err := pc.PgConn().Exec(ctx, begin+`SELECT CASE WHEN current_setting('is_superuser') = 'on'
			THEN set_config('session_replication_role', 'replica', true) END`).ReadAll()
		if err == nil && results[len(results)-1].Rows[0][0] == nil {
			results, err = pc.PgConn().Exec(ctx, `DO $$ BEGIN
					PERFORM set_config('session_replication_role', 'replica', true);
				EXCEPTION WHEN insufficient_privilege THEN
					SET CONSTRAINTS ALL DEFERRED;
				END $$; SHOW session_replication_role`).ReadAll()
		}
		if err == nil {
			role = string(results[len(results)-1].Rows[0][0])
		}
		return err
	})
	if err != nil {
		return true, fmt.Errorf("postgres: relax constraints: %w", err)
	}
	return role != "replica", nil
}

// Pipeline has the statements planned each time: the staging table is never as
// long as it was.
func (dialect) Pipeline(ctx context.Context, c *sql.Conn, statements []string) error {
	return exec(ctx, c, strings.Join(statements, ";\n"))
}
