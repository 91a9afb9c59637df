package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Load copies rows in as text. What the server would round or cut in silence is
// refused before it is sent; what it refuses itself becomes a TypeLossError.
func (dialect) Load(ctx context.Context, c *sql.Conn, table replication.Name, columns []replication.Column, next func() ([][]byte, error)) (int64, error) {
	var rows int64
	e := newEncoder(table, columns, next)
	err := raw(c, func(pc *pgx.Conn) error {
		tag, err := pc.PgConn().CopyFrom(ctx, e, "COPY "+quoteName(table)+" ("+columnList("", columns)+") FROM STDIN")
		rows = tag.RowsAffected()
		return err
	})
	// When the connection is lost, CopyFrom leaves a goroutine behind in Read.
	if ours := e.end(); ours != nil && ours != io.EOF {
		return 0, ours
	}
	if err == nil {
		return rows, nil
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(pe.Code, "22") {
		return 0, lossOfServer(table, pe)
	}
	return 0, fmt.Errorf("postgres: load table %s: %w", table, err)
}

// copyContext is the part of a COPY's error that names the column and the value.
var copyContext = regexp.MustCompile(`(?s)(?:^|\n)COPY [^\n]*, line \d+(?:, column (.*?)(?:: "(.*)"|: null input)?)?$`)

func lossOfServer(table replication.Name, pe *pgconn.PgError) error {
	loss := &replication.TypeLossError{Table: table.String(), Reason: pe.Message}
	if m := copyContext.FindStringSubmatch(pe.Where); m != nil {
		loss.Column, loss.Value = m[1], prefix([]byte(m[2]))
	}
	return loss
}

// encoder is the reader of a COPY's bytes.
type encoder struct {
	table   replication.Name
	columns []replication.Column
	next    func() ([][]byte, error)

	mu  sync.Mutex // held while reading
	buf []byte
	at  int   // buf[at:] is not yet read
	err error // the end, or why there will be no more
}

// chunk is how much is encoded at a time: the size of what pgconn sends.
const chunk = 64 << 10

func newEncoder(table replication.Name, columns []replication.Column, next func() ([][]byte, error)) *encoder {
	return &encoder{table: table, columns: columns, next: next, buf: make([]byte, 0, chunk+chunk/4)}
}

func (e *encoder) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at == len(e.buf) {
		e.buf, e.at = e.buf[:0], 0
		for e.err == nil && len(e.buf) < chunk {
			e.err = e.line()
		}
	}
	n := copy(p, e.buf[e.at:])
	e.at += n
	if n == 0 {
		return 0, e.err
	}
	return n, nil
}

var errEnded = errors.New("postgres: load ended")

// end waits for a Read that is under way, lets no other call next, and returns
// why next or a value ended the load, if they did.
func (e *encoder) end() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.err
	if e.err == nil {
		e.err = errEnded
	}
	return err
}

func (e *encoder) line() error {
	row, err := e.next()
	if err != nil {
		return err
	}
	if len(row) != len(e.columns) {
		return fmt.Errorf("postgres: load table %s: a row has %d values for %d columns", e.table, len(row), len(e.columns))
	}
	start := len(e.buf)
	for i, v := range row {
		if i > 0 {
			e.buf = append(e.buf, '\t')
		}
		c := &e.columns[i]
		if c.Kind == replication.Bytes {
			if c.Size > 0 && len(v) > c.Size {
				return e.refuse(start, c, v, fmt.Sprintf("it has more than %d bytes", c.Size))
			}
			e.buf = appendBytes(e.buf, v)
			continue
		}
		if reason := silentLoss(c, v); reason != "" {
			return e.refuse(start, c, v, reason)
		}
		var ok bool
		if e.buf, ok = appendField(e.buf, v); !ok {
			return e.refuse(start, c, v, "it is not UTF-8 without zero bytes")
		}
	}
	e.buf = append(e.buf, '\n')
	return nil
}

// refuse takes the line's begin back, so that the server sees whole lines only.
func (e *encoder) refuse(start int, c *replication.Column, v []byte, reason string) error {
	e.buf = e.buf[:start]
	return &replication.TypeLossError{Table: e.table.String(), Column: c.Name, Value: prefix(v), Reason: reason}
}

// silentLoss says what PostgreSQL would change of a value without an error.
func silentLoss(c *replication.Column, v []byte) string {
	switch c.Kind {
	case replication.Timestamp, replication.Time:
		if fraction(v) > min(c.Scale, 6) {
			return fmt.Sprintf("its fraction of a second would be rounded to %d digits", min(c.Scale, 6))
		}
	case replication.Instant:
		if fraction(bytes.TrimSuffix(v, []byte("+00"))) > min(c.Scale, 6) {
			return fmt.Sprintf("its fraction of a second would be rounded to %d digits", min(c.Scale, 6))
		}
	case replication.Decimal:
		if c.Precision > 0 && fraction(v) > max(c.Scale, 0) {
			return fmt.Sprintf("it would be rounded to %d digits after the point", max(c.Scale, 0))
		}
	case replication.Text:
		// varchar(n) cuts blanks off what is too long.
		if c.Size > 0 && !c.Fixed && len(v) > c.Size && v[len(v)-1] == ' ' && utf8.RuneCount(v) > c.Size {
			return fmt.Sprintf("it has more than %d characters", c.Size)
		}
	}
	return ""
}

// fraction counts the digits after the point that mean something.
func fraction(v []byte) int {
	_, after, _ := bytes.Cut(v, []byte{'.'})
	return len(bytes.TrimRight(after, "0"))
}
