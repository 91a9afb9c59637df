package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Dialect is PostgreSQL, polled.
var Dialect replication.Dialect = dialect{}

// Notifying is PostgreSQL whose triggers also NOTIFY; it is a
// [replication.Waker]. The commits of all transactions that notify take turns in
// the server, so busy masters are better polled. What decides is the value that
// Install was called on.
var Notifying replication.Dialect = notifying{dialect{notify: true}}

type dialect struct{ notify bool }

type notifying struct{ dialect }

// schema is where everything of ours lives on a server.
const schema = "ashlar"

func (dialect) Name() string { return "postgres" }

func (dialect) Quote(n replication.Name) string { return quoteName(n) }

func (dialect) Bind(query string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

func (dialect) Bookkeeping(table string) replication.Name {
	return replication.Name{Schema: schema, Table: table}
}

func quoteName(n replication.Name) string {
	if n.Schema == "" {
		return ident(n.Table)
	}
	return ident(n.Schema) + "." + ident(n.Table)
}

func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal is right with standard_conforming_strings, which Prepare pins.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// lockNumber makes an advisory lock's number of what the lock is for.
func lockNumber(name string) int64 {
	sum := sha256.Sum256([]byte("ashlar " + name))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// shortHash tells texts apart within a name.
func shortHash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return fmt.Sprintf("%x", sum[:4])
}

var errNotPgx = errors.New("postgres: the database was not opened with the driver of github.com/jackc/pgx/v5/stdlib")

// raw hands out the pgx connection below c.
func raw(c *sql.Conn, fn func(*pgx.Conn) error) error {
	return c.Raw(func(driver any) error {
		sc, ok := driver.(*stdlib.Conn)
		if !ok {
			return errNotPgx
		}
		return fn(sc.Conn())
	})
}

// exec runs one statement, or several as one transaction, without preparing
// them: it has no arguments.
func exec(ctx context.Context, c *sql.Conn, statement string) error {
	return raw(c, func(pc *pgx.Conn) error {
		_, err := pc.Exec(ctx, statement)
		return err
	})
}

func columnList(prefix string, columns []replication.Column) string {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(prefix + ident(c.Name))
	}
	return b.String()
}
