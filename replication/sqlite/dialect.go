package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Dialect is SQLite, by any driver of database/sql.
var Dialect replication.Dialect = dialect{}

type dialect struct{}

// Name returns sqlite.
func (dialect) Name() string { return "sqlite" }

// Bind returns the statement as it is: SQLite takes question marks.
func (dialect) Bind(query string) string { return query }

// Quote returns a name in double quotes.
func (dialect) Quote(n replication.Name) string {
	if n.Schema == "" {
		return quote(n.Table)
	}
	return quote(n.Schema) + "." + quote(n.Table)
}

// Bookkeeping puts our tables beside the application's, as ashlar_NAME.
func (dialect) Bookkeeping(table string) replication.Name {
	return replication.Name{Table: "ashlar_" + table}
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// table is a table's name in statements: always with its schema, since a
// temporary table of the same name would hide the one that is meant.
func table(n replication.Name) string {
	if n.Schema == "" {
		n.Schema = "main"
	}
	return quote(n.Schema) + "." + quote(n.Table)
}

// literal is a text as SQL. A NUL would end the statement's text.
func literal(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		return fmt.Sprintf("CAST(X'%X' AS TEXT)", s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// oldest has UPDATE FROM and RETURNING, and names triggers may rely on.
var oldest = [...]int{3, 35, 0}

// busyTimeout is how long, in milliseconds, a statement waits for the writer,
// if the caller's data source name does not say.
const busyTimeout = 5000

// Prepare checks the version and the database's encoding, and pins the session:
// it waits for locks, reads only what is committed, and leaves foreign keys to
// the master. The last is for the replica: while they are enforced, deleting a
// row to insert it anew would delete its children by ON DELETE CASCADE.
func (dialect) Prepare(ctx context.Context, c *sql.Conn) error {
	var version, encoding, file string
	err := c.QueryRowContext(ctx, `SELECT sqlite_version(), (SELECT encoding FROM pragma_encoding), ifnull((SELECT file FROM pragma_database_list WHERE name = 'main'), '')`).
		Scan(&version, &encoding, &file)
	if err != nil {
		return fmt.Errorf("sqlite: looking at the database: %w", err)
	}
	switch {
	case !atLeast(version):
		return fmt.Errorf("sqlite: the driver has SQLite %s; %d.%d is the oldest that will do", version, oldest[0], oldest[1])
	case encoding != "UTF-8":
		return fmt.Errorf("sqlite: the database's encoding is %s; only UTF-8 sorts as keys do", encoding)
	case file == "":
		return errors.New("sqlite: the database has no file: each connection to one in memory sees another, and none can be locked")
	}
	var wait int
	if err := c.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&wait); err != nil {
		return fmt.Errorf("sqlite: reading busy_timeout: %w", err)
	}
	pins := []string{"PRAGMA foreign_keys = OFF", "PRAGMA read_uncommitted = OFF", "PRAGMA recursive_triggers = OFF"}
	if wait == 0 {
		pins = append(pins, "PRAGMA busy_timeout = "+strconv.Itoa(busyTimeout))
	}
	for _, pin := range pins {
		if err := run(ctx, c, pin); err != nil {
			return err
		}
	}
	return nil
}

func atLeast(version string) bool {
	parts := strings.Split(version, ".")
	for i, want := range oldest {
		if i >= len(parts) {
			return false
		}
		have, err := strconv.Atoi(parts[i])
		if err != nil || have != want {
			return err == nil && have > want
		}
	}
	return true
}

// run executes a statement that is not worth an explanation of its own.
func run(ctx context.Context, c *sql.Conn, query string, args ...any) error {
	if _, err := c.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("sqlite: %s: %w", query, err)
	}
	return nil
}
