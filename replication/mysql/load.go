package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/go-sql-driver/mysql"
)

// The first rows go as one INSERT, which is one round trip; if there are more than
// it holds, the rest by LOAD DATA LOCAL, or, where the server forbids that, by
// more INSERTs.
const (
	firstInsert = 16 << 10
	nextInsert  = 1 << 20 // well below max_allowed_packet, which is 16 MB or more by default
)

// Load is exact although LOAD DATA LOCAL is not: it skips duplicates and changes
// values that do not fit, and only counts warnings. So warnings are read after
// each statement, notes too, and the rows are counted: any warning or missing row
// is an error, and a warning of a duplicate is an error of kind Unique. What the
// server changes without a warning is refused before it is sent. A failed Load
// leaves rows behind, so it belongs into a transaction.
func (dialect) Load(ctx context.Context, c *sql.Conn, table replication.Name, columns []replication.Column, next func() ([][]byte, error)) (int64, error) {
	l := &load{
		table: table,
		slots: slotsOf(table, columns),
		staged: len(columns) > 1 && columns[0].Name == replication.StageNumber &&
			columns[1].Name == replication.StageExists,
		next: next,
	}
	for limit := firstInsert; ; limit = nextInsert {
		statement, rows := l.insert(limit)
		if l.err != nil {
			return l.sent, l.failed()
		}
		if rows > 0 {
			if err := l.run(ctx, c, statement, rows); err != nil {
				return l.sent, err
			}
			l.sent += rows
		}
		if l.eof {
			return l.sent, nil
		}
		if limit == firstInsert && !l.refused {
			err := l.infile(ctx, c)
			if err == nil || !l.refused {
				return l.sent, err
			}
		}
	}
}

type load struct {
	table   replication.Name
	slots   []slot
	staged  bool // into a staging table
	next    func() ([][]byte, error)
	sent    int64
	eof     bool
	refused bool  // the server allows no LOAD DATA LOCAL
	err     error // of next, or of a value
	foreign bool  // err is next's own

	rows int64  // read by LOAD DATA
	buf  []byte // encoded and not yet read
	rest []byte // the part of buf that is not yet read
}

// row returns the next row, or nil at the end or at an error.
func (l *load) row() [][]byte {
	if l.eof || l.err != nil {
		return nil
	}
	row, err := l.next()
	switch {
	case err == io.EOF:
		l.eof = true
		return nil
	case err != nil:
		l.err, l.foreign = err, true
		return nil
	case len(row) != len(l.slots):
		l.err = fmt.Errorf("a row has %d values for %d columns", len(row), len(l.slots))
		return nil
	}
	return row
}

func (l *load) gone(row [][]byte) bool { return l.staged && string(row[1]) == "0" }

func (l *load) failed() error {
	if l.foreign {
		return l.err
	}
	if _, ok := errors.AsType[*replication.TypeLossError](l.err); ok {
		return l.err
	}
	return fmt.Errorf("mysql: load %s: %w", l.table, l.err)
}

// infile runs LOAD DATA, which calls Read on this goroutine. It sets refused if
// the server allows none; nothing was read then.
func (l *load) infile(ctx context.Context, c *sql.Conn) error {
	name := "ashlar-" + strconv.FormatUint(handlers.Add(1), 10)
	mysql.RegisterReaderHandler(name, func() io.Reader { return l })
	defer mysql.DeregisterReaderHandler(name)
	l.buf = make([]byte, 0, 64<<10)
	result, err := c.ExecContext(ctx, infileStatement(name, l.table, l.slots))
	switch {
	case l.err != nil:
		return l.failed()
	case isNumber(err, 1148) || isNumber(err, 3948) || isNumber(err, 4166): // not allowed: old, MySQL, MariaDB
		l.refused = true
		return err
	case err != nil:
		return fmt.Errorf("mysql: load %s: %w", l.table, err)
	}
	if err := l.verify(ctx, c, result, l.rows); err != nil {
		return err
	}
	l.sent += l.rows
	return nil
}

// handlers numbers the readers: their names are the process's.
var handlers atomic.Uint64

func infileStatement(name string, table replication.Name, slots []slot) string {
	var columns, sets bytes.Buffer
	for i := range slots {
		s := &slots[i]
		if i > 0 {
			columns.WriteByte(',')
		}
		if s.form == plain {
			columns.WriteString(quote(s.column.Name))
			continue
		}
		v := "@ashlar_" + strconv.Itoa(i)
		columns.WriteString(v)
		if sets.Len() == 0 {
			sets.WriteString(" SET ")
		} else {
			sets.WriteByte(',')
		}
		sets.WriteString(quote(s.column.Name))
		if s.form == number {
			sets.WriteString("=CAST(" + v + " AS UNSIGNED)")
		} else {
			sets.WriteString("=UNHEX(" + v + ")")
		}
	}
	return "LOAD DATA LOCAL INFILE 'Reader::" + name + "' INTO TABLE " + qualified(table) +
		` CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ENCLOSED BY '' ESCAPED BY '\\' LINES STARTING BY '' TERMINATED BY '\n' (` +
		columns.String() + ")" + sets.String()
}

// errRow ends the reading; the driver returns it, and load.err says why. It is
// not the error itself, which database/sql might take for one of this connection.
var errRow = errors.New("mysql: load ended by an error of its source")

// Read encodes rows as LOAD DATA has them.
func (l *load) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		l.buf = l.buf[:0]
		for len(l.buf) < len(p) {
			row := l.row()
			if row == nil {
				break
			}
			if l.buf, l.err = appendRow(l.buf, l.slots, row, l.gone(row)); l.err != nil {
				break
			}
			l.rows++
		}
		if l.err != nil {
			return 0, errRow
		}
		if l.rest = l.buf; len(l.rest) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// appendRow appends one line. On an error the line is not whole.
func appendRow(dst []byte, slots []slot, row [][]byte, gone bool) ([]byte, error) {
	for i, v := range row {
		if i > 0 {
			dst = append(dst, '\t')
		}
		s := &slots[i]
		v, err := s.prepare(v, gone)
		switch {
		case err != nil:
			return dst, err
		case v == nil:
			dst = append(dst, `\N`...)
		case s.form == hexed:
			dst = appendHex(dst, v)
		default:
			dst = appendField(dst, v)
		}
	}
	return append(dst, '\n'), nil
}

// appendField escapes the four bytes that mean something to LOAD DATA.
func appendField(dst, v []byte) []byte {
	from := 0
	for i, b := range v {
		if b > '\\' || escapes[b] == 0 {
			continue
		}
		dst = append(append(dst, v[from:i]...), '\\', escapes[b])
		from = i + 1
	}
	return append(dst, v[from:]...)
}

var escapes = ['\\' + 1]byte{0: '0', '\t': 't', '\n': 'n', '\\': '\\'}

const hexDigits = "0123456789abcdef"

func appendHex(dst, v []byte) []byte {
	for _, b := range v {
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}
