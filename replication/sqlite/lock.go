package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/ashlar-go/ashlar/replication"
)

// TryLock locks a database of its own beside the main one: PATH-ashlar-HASH,
// with an eight-digit hash of the lock's name. In exclusive locking mode SQLite
// keeps the file's lock after the transaction, until the connection is closed;
// the operating system ends it with the process. So no transaction is left
// open, the main database is not locked at all, and the connection remains of
// use. The file stays, empty but for its header; deleting it while nobody holds
// the lock does no harm.
func (dialect) TryLock(ctx context.Context, c *sql.Conn, name string) (bool, error) {
	var path string
	var wait int
	err := c.QueryRowContext(ctx, "SELECT file, (SELECT timeout FROM pragma_busy_timeout) FROM pragma_database_list WHERE name = 'main'").Scan(&path, &wait)
	if err != nil {
		return false, fmt.Errorf("sqlite: looking for the database's file: %w", err)
	}
	if path == "" {
		return false, errors.New("sqlite: a database without a file cannot be locked")
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	suffix := fmt.Sprintf("ashlar-%08x", h.Sum32())
	alias := quote(suffix)

	if err := run(ctx, c, "PRAGMA busy_timeout = 0"); err != nil {
		return false, err
	}
	defer func() { _ = run(context.WithoutCancel(ctx), c, "PRAGMA busy_timeout = "+strconv.Itoa(wait)) }()
	if err := run(ctx, c, "ATTACH DATABASE ? AS "+alias, path+"-"+suffix); err != nil {
		return false, busy(err)
	}
	for _, q := range []string{
		"PRAGMA " + alias + ".locking_mode = EXCLUSIVE",
		// The lock is all that this file is for: no journal is left behind by a
		// process that is killed, and no flush is waited for.
		"PRAGMA " + alias + ".journal_mode = MEMORY",
		"PRAGMA " + alias + ".synchronous = OFF",
		"PRAGMA " + alias + ".user_version = 1", // the write that takes the lock
	} {
		if err := run(ctx, c, q); err != nil {
			_ = run(context.WithoutCancel(ctx), c, "DETACH DATABASE "+alias)
			return false, busy(err)
		}
	}
	return true, nil
}

// busy returns nil for the error that says that somebody else has the lock.
func busy(err error) error {
	if Dialect.Fault(err) == replication.Transient {
		return nil
	}
	return fmt.Errorf("sqlite: taking a lock: %w", err)
}
