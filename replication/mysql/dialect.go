package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// Dialect speaks to MySQL and MariaDB. It has no state.
var Dialect replication.Dialect = dialect{}

type dialect struct{}

// Name is mysql, also for MariaDB.
func (dialect) Name() string { return "mysql" }

// Quote returns the name in backquotes.
func (dialect) Quote(name replication.Name) string { return qualified(name) }

// Bind returns the query as it is: ? is what the driver takes.
func (dialect) Bind(query string) string { return query }

// Bookkeeping returns a name in the database that the connection has chosen.
func (dialect) Bookkeeping(table string) replication.Name {
	return replication.Name{Table: "ashlar_" + table}
}

// The dialect's own bookkeeping. The names are apart from those that Bookkeeping
// makes of plain words.
const (
	groupTable  = "`ashlar_my_group`"  // per group: the last batch, the oldest position that is served
	tableTable  = "`ashlar_my_table`"  // per table: which table it was, and when it had to be read whole
	systemTable = "`ashlar_my_system`" // one row: the token that is part of the identity
)

// Identity is a token, made once and kept in the database, with what the server
// says of itself: MySQL's server_uuid; MariaDB has nothing like it that survives
// a change of the network card, so there it is server_id and the host's name.
//
// That tells apart: other databases, other servers, a replica of the vendor's own
// replication that was promoted (same token, other server), a dump or copy of
// the data that was put on another machine. It does not tell apart a backup that
// was restored in place: nothing in the database can. There the engine's own
// token and the position, which is ahead of the counter then, have to do.
func (dialect) Identity(ctx context.Context, c *sql.Conn) (string, error) {
	token, err := systemToken(ctx, c)
	if isNumber(err, 1146) {
		if _, err = c.ExecContext(ctx, createSystem); err == nil {
			_, err = c.ExecContext(ctx, fillSystem)
		}
		if err == nil {
			token, err = systemToken(ctx, c)
		}
	} else if errors.Is(err, sql.ErrNoRows) {
		if _, err = c.ExecContext(ctx, fillSystem); err == nil {
			token, err = systemToken(ctx, c)
		}
	}
	if err != nil {
		return "", fmt.Errorf("mysql: read the identity of the server: %w", err)
	}
	return token, nil
}

const (
	createSystem = "CREATE TABLE IF NOT EXISTS " + systemTable +
		" (one TINYINT NOT NULL PRIMARY KEY, token VARBINARY(64) NOT NULL) ENGINE=InnoDB"
	// UUID() is from a clock and the network card: hashed with what else differs.
	fillSystem = "INSERT IGNORE INTO " + systemTable +
		" SELECT 1, LEFT(SHA2(CONCAT(UUID(), RAND(), CONNECTION_ID(), NOW(6), @@hostname), 256), 32)"
)

func systemToken(ctx context.Context, c *sql.Conn) (string, error) {
	var token, db, server string
	err := c.QueryRowContext(ctx, "SELECT CAST(token AS CHAR), DATABASE(), CONCAT("+
		"/*!80000 @@server_uuid */ /*M!100600 CONCAT(@@server_id, '/', @@hostname) */) FROM "+systemTable).Scan(&token, &db, &server)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(db + "\x00" + server))
	return token + "-" + hex.EncodeToString(sum[:8]), nil
}

// TryLock takes a lock of GET_LOCK, which the server gives back when the
// connection ends. GET_LOCK lets a session have the same lock twice, so whether
// anybody has it is asked first. Names are the server's, so the database is in it.
func (dialect) TryLock(ctx context.Context, c *sql.Conn, name string) (bool, error) {
	// The connection is used every half a minute; if it is not, its client has
	// gone, and others need not wait for the lock.
	if _, err := c.ExecContext(ctx, "SET SESSION wait_timeout=120"); err != nil {
		return false, fmt.Errorf("mysql: lock %q: %w", name, err)
	}
	lock := "CONCAT('ashlar.', LEFT(SHA2(CONCAT(DATABASE(), '/', " + textLiteral(name) + "), 256), 40))"
	var got sql.NullInt64
	err := c.QueryRowContext(ctx, "SELECT IF(IS_USED_LOCK("+lock+") IS NULL, GET_LOCK("+lock+", 0), 0)").Scan(&got)
	if err == nil && !got.Valid {
		err = errors.New("the server could not say")
	}
	if err != nil {
		return false, fmt.Errorf("mysql: lock %q: %w", name, err)
	}
	return got.Int64 == 1, nil
}

// Begin begins a transaction by statements, so that what is run on the
// connection belongs to it.
func (dialect) Begin(ctx context.Context, c *sql.Conn, m replication.Mode) (replication.Tx, error) {
	statements := []string{"START TRANSACTION READ WRITE"} // read committed: the session's level
	if m == replication.ReadSnapshot {
		statements = []string{
			"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", // for the next transaction only
			"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
		}
	}
	for _, s := range statements {
		if _, err := c.ExecContext(ctx, s); err != nil {
			return nil, fmt.Errorf("mysql: begin: %w", err)
		}
	}
	return &tx{ctx: ctx, c: c, mode: m}, nil
}

type tx struct {
	ctx  context.Context // of Begin, as database/sql's Tx has it
	c    *sql.Conn
	mode replication.Mode
	done bool
}

func (t *tx) Commit() error {
	if t.done {
		return sql.ErrTxDone
	}
	t.done = true
	if _, err := t.c.ExecContext(t.ctx, "COMMIT"); err != nil {
		t.end() // in case that it was the context, before the statement was sent
		return fmt.Errorf("mysql: commit: %w", err)
	}
	t.restore(t.ctx)
	return nil
}

func (t *tx) Rollback() error {
	if t.done {
		return sql.ErrTxDone
	}
	t.done = true
	if err := t.end(); err != nil {
		return fmt.Errorf("mysql: roll back: %w", err)
	}
	return nil
}

// end rolls back also when the context has ended: a connection that goes back to
// its pool must not have a transaction open.
func (t *tx) end() error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(t.ctx), 30*time.Second)
	defer stop()
	_, err := t.c.ExecContext(ctx, "ROLLBACK")
	t.restore(ctx)
	return err
}

// restore undoes Relax. An error means that the connection is lost, and the
// setting with it.
func (t *tx) restore(ctx context.Context) {
	if t.mode == replication.Write {
		_, _ = t.c.ExecContext(ctx, "SET SESSION foreign_key_checks=1")
	}
}

// Relax switches the foreign keys off until the transaction ends. Triggers
// cannot be switched off.
func (dialect) Relax(ctx context.Context, c *sql.Conn) (ordered bool, err error) {
	if _, err := c.ExecContext(ctx, "SET SESSION foreign_key_checks=0"); err != nil {
		return false, fmt.Errorf("mysql: switch foreign keys off: %w", err)
	}
	return false, nil
}

func quote(ident string) string { return "`" + strings.ReplaceAll(ident, "`", "``") + "`" }

func qualified(n replication.Name) string {
	if n.Schema == "" {
		return quote(n.Table)
	}
	return quote(n.Schema) + "." + quote(n.Table)
}

// schemaOf is the SQL for the name of the schema, for the catalogue.
func schemaOf(n replication.Name) string {
	if n.Schema == "" {
		return "DATABASE()"
	}
	return textLiteral(n.Schema)
}
