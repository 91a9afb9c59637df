package oracle

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// pins are what the spellings of values and the comparison of text depend on.
const pins = "ALTER SESSION SET" +
	" NLS_CALENDAR = 'GREGORIAN'" +
	" NLS_DATE_FORMAT = 'SYYYY-MM-DD HH24:MI:SS'" +
	" NLS_TIMESTAMP_FORMAT = 'SYYYY-MM-DD HH24:MI:SS.FF9'" +
	" NLS_TIMESTAMP_TZ_FORMAT = 'SYYYY-MM-DD HH24:MI:SS.FF9TZH:TZM'" +
	" NLS_NUMERIC_CHARACTERS = '.,'" +
	" NLS_SORT = 'BINARY'" +
	" NLS_COMP = 'BINARY'"

const pinZone = "ALTER SESSION SET TIME_ZONE = '+00:00'"

// Prepare refuses what is not Oracle 11.2 or later over godror, with a database
// in AL32UTF8.
func (dialect) Prepare(ctx context.Context, c *sql.Conn) error {
	if err := c.Raw(checkDriver); err != nil {
		return err
	}
	var version, charset string
	if err := c.QueryRowContext(ctx, "SELECT VERSION FROM PRODUCT_COMPONENT_VERSION WHERE PRODUCT LIKE 'Oracle%' AND ROWNUM = 1").Scan(&version); err != nil {
		return fmt.Errorf("oracle: asking the server for its version: %w", explain(err))
	}
	if !since112(version) {
		return fmt.Errorf("oracle: the server is version %s; 11.2 or later is needed", version)
	}
	if err := c.QueryRowContext(ctx, "SELECT VALUE FROM NLS_DATABASE_PARAMETERS WHERE PARAMETER = 'NLS_CHARACTERSET'").Scan(&charset); err != nil {
		return fmt.Errorf("oracle: asking the server for its character set: %w", err)
	}
	if charset != "AL32UTF8" {
		return fmt.Errorf("oracle: the database's character set is %s; only AL32UTF8 keeps and sorts all text", charset)
	}
	for _, pin := range []string{pins, pinZone} {
		if _, err := c.ExecContext(ctx, pin); err != nil {
			return fmt.Errorf("oracle: pinning the session's formats: %w", err)
		}
	}
	return nil
}

func since112(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	m, err := strconv.Atoi(major)
	if err != nil {
		return false
	}
	n, _ := strconv.Atoi(minor)
	return m > 11 || m == 11 && n >= 2
}

// Identity is DBID, the SCN of the last RESETLOGS, and the DBID of the container
// if the user may see V$DATABASE: opening a restored or a promoted database
// resets its logs, a switchover does not. Else it is the database's names and
// the time of its creation.
func (dialect) Identity(ctx context.Context, c *sql.Conn) (string, error) {
	var id string
	for _, query := range identityQueries {
		err := c.QueryRowContext(ctx, query).Scan(&id)
		if err == nil {
			return strings.Join(strings.Fields(id), "_"), nil
		}
		switch code(err) {
		case noTable, errNoColumn, errNoPrivilege, errNoParameter:
			continue // not granted, or not of this version
		}
		return "", fmt.Errorf("oracle: asking the server who it is: %w", err)
	}
	return "", errors.New("oracle: the server does not say who it is")
}

var identityQueries = []string{
	"SELECT 'dbid.' || TO_CHAR(DBID, 'TM9') || '.' || TO_CHAR(RESETLOGS_CHANGE#, 'TM9') || '.' || TO_CHAR(CON_DBID, 'TM9') FROM V$DATABASE",
	"SELECT 'dbid.' || TO_CHAR(DBID, 'TM9') || '.' || TO_CHAR(RESETLOGS_CHANGE#, 'TM9') FROM V$DATABASE",
	named("|| '.' || SYS_CONTEXT('USERENV', 'CON_NAME')"),
	named(""),
}

func named(container string) string {
	return "SELECT 'name.' || g.GLOBAL_NAME || '.' || SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') " + container +
		" || '.' || TO_CHAR(u.CREATED, 'YYYYMMDDHH24MISS') FROM GLOBAL_NAME g, ALL_USERS u WHERE u.USERNAME = 'SYS'"
}

// Begin sets the mode by a statement inside of the transaction. The driver's own
// way sets it in one that is committed at once, and remembers that it did.
func (dialect) Begin(ctx context.Context, c *sql.Conn, m replication.Mode) (replication.Tx, error) {
	var statements []string
	if m == replication.ReadSnapshot {
		statements = append(statements, "SET TRANSACTION READ ONLY")
	}
	return begin(ctx, c, statements...)
}

func begin(ctx context.Context, c *sql.Conn, statements ...string) (*sql.Tx, error) {
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("oracle: beginning a transaction: %w", err)
	}
	// SET TRANSACTION must come first, and the driver may have run one.
	for _, statement := range append([]string{"ROLLBACK"}, statements...) {
		if _, err := c.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("oracle: beginning a transaction: %s: %w", statement, err), rolledBack(tx))
		}
	}
	return tx, nil
}

// rolledBack ends a transaction whose error is already known; that of a
// transaction that has ended adds nothing.
func rolledBack(tx interface{ Rollback() error }) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("oracle: rolling back: %w", err)
	}
	return nil
}

// TryLock locks a row in a transaction of the driver's that is never ended, since
// DBMS_LOCK needs a grant. The connection is for the lock alone then: a commit
// would release it. database/sql knows nothing of the transaction, and so does
// not wait for its end when the connection is closed.
func (dialect) TryLock(ctx context.Context, c *sql.Conn, name string) (bool, error) {
	if err := makeLock(ctx, c, name); err != nil {
		return false, fmt.Errorf("oracle: locking %s: %w", name, err)
	}
	var held driver.Tx
	err := c.Raw(func(conn any) (err error) {
		beginner, ok := conn.(driver.ConnBeginTx)
		if !ok {
			return fmt.Errorf("the driver's connection %T begins no transactions", conn)
		}
		held, err = beginner.BeginTx(context.WithoutCancel(ctx), driver.TxOptions{})
		return err
	})
	if err != nil && !strings.Contains(err.Error(), "already in transaction") { // an earlier lock's
		return false, fmt.Errorf("oracle: locking %s: %w", name, err)
	}
	var locked string
	err = c.QueryRowContext(ctx, "SELECT NAME FROM "+quote(tableLock)+" WHERE NAME = :1 FOR UPDATE NOWAIT", lockName(name)).Scan(&locked)
	if err == nil {
		return true, nil
	}
	if held != nil {
		err = errors.Join(err, c.Raw(func(any) error { return rolledBack(held) }))
	}
	if code(err) == errBusy {
		return false, nil
	}
	return false, fmt.Errorf("oracle: locking %s: %w", name, err)
}

// makeLock makes the row unless it is there. Two nodes may both try.
func makeLock(ctx context.Context, c *sql.Conn, name string) error {
	count := func() (n int, err error) {
		err = c.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+quote(tableLock)+" WHERE NAME = :1", lockName(name)).Scan(&n)
		return n, err
	}
	n, err := count()
	if code(err) == noTable {
		if _, err := c.ExecContext(ctx, unlessExists("CREATE TABLE "+quote(tableLock)+" (NAME VARCHAR2(128) PRIMARY KEY)")); err != nil {
			return err
		}
		n, err = count()
	}
	if err != nil || n > 0 {
		return err
	}
	_, err = c.ExecContext(ctx, "INSERT INTO "+quote(tableLock)+" (NAME) VALUES (:1)", lockName(name))
	if (dialect{}).Fault(err) == replication.Unique {
		return nil
	}
	return err
}

// lockName keeps a name of any length and characters in a short column.
func lockName(name string) string {
	if name != "" && len(name) <= 100 {
		return name
	}
	return object("long", name)
}
