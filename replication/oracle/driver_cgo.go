//go:build cgo

package oracle

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/godror/godror"
)

// Open returns a database over godror that [Dialect] works on. The DSN is
// godror's, such as oracle://user:password@host/service. Nothing is connected
// yet; a connection that cannot be made returns an error that says what is
// missing if that is Oracle's client library. Errors do not contain the DSN.
func Open(dsn string) (*sql.DB, error) {
	params, err := godror.ParseDSN(dsn)
	if err != nil {
		// Its error may quote the password.
		return nil, errors.New("oracle: the DSN is not one of godror's, such as oracle://user:password@host/service")
	}
	return sql.OpenDB(connector{godror.NewConnector(params)}), nil
}

// connector explains the errors of connecting.
type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("oracle: connecting: %w", explain(err))
	}
	return conn, nil
}

// explain says what to install where the driver only names the library.
func explain(err error) error {
	if err != nil && strings.Contains(err.Error(), "DPI-1047") {
		return fmt.Errorf("there is no Oracle client library: unpack Oracle Instant Client (Basic or Basic Light) and set LD_LIBRARY_PATH to its directory, or libDir in the DSN on macOS and Windows: %w", err)
	}
	return err
}

func checkDriver(conn any) error {
	if _, ok := conn.(godror.Conn); !ok {
		return fmt.Errorf("oracle: the database was opened with another driver than godror: its connections are %T", conn)
	}
	return nil
}

// fetchOptions are arguments of a query: rows come in batches, and LOBs as
// readers, because the driver takes an empty CLOB for NULL otherwise.
func fetchOptions() []any {
	return []any{godror.FetchArraySize(1000), godror.PrefetchCount(1001), godror.LobAsReader()}
}

// bindNumbers binds decimal text without a detour through the session's formats.
func bindNumbers(values [][]byte) any {
	out := make([]godror.Number, len(values))
	for i, v := range values {
		out[i] = godror.Number(v)
	}
	return out
}

// bindLobs binds values of any length. nil is NULL, and empty is empty.
func bindLobs(values [][]byte, characters bool) any {
	out := make([]godror.Lob, len(values))
	for i, v := range values {
		out[i] = godror.Lob{IsClob: characters}
		if v != nil {
			out[i].Reader = bytes.NewReader(v)
		}
	}
	return out
}

var _ io.Reader = (*godror.Lob)(nil) // what decode reads a LOB by
