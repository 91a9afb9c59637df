package oracle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// What is bound at once. The driver's buffer of a column is as long as its
// longest value, for every row.
const (
	arrayRows  = 2000
	arrayBytes = 16 << 20
)

// Longer values are bound as LOBs: what the server takes as text and as bytes.
const (
	plainText  = 4000
	plainBytes = 2000
)

// Load inserts arrays: one execution for up to 2000 rows. An array that fails
// leaves the rows before the failing one inserted; the transaction's end, or a
// savepoint, decides about them.
func (dialect) Load(ctx context.Context, c *sql.Conn, table replication.Name, columns []replication.Column, next func() ([][]byte, error)) (rows int64, err error) {
	if strings.HasPrefix(table.Table, copyPrefix) { // made by Publish
		columns = folded(replication.TargetTable{Columns: columns}).Columns
	}
	a := newArray(table, columns)
	for {
		row, err := next()
		if errors.Is(err, io.EOF) {
			n, err := a.insert(ctx, c)
			return rows + n, err
		}
		if err != nil {
			return rows, err
		}
		if a.rows == arrayRows || a.rows > 0 && a.size(row) > arrayBytes {
			n, err := a.insert(ctx, c)
			rows += n
			if err != nil {
				return rows, err
			}
		}
		if err := a.add(row); err != nil {
			return rows, err
		}
	}
}

// array is rows that are inserted by one execution.
type array struct {
	table     replication.Name
	columns   []column
	statement string
	rows      int
	values    [][][]byte // by column
	longest   []int      // by column
	total     int        // bytes of LOBs
}

func newArray(table replication.Name, columns []replication.Column) *array {
	a := &array{table: table, columns: resolve(columns, nil), values: make([][][]byte, len(columns)), longest: make([]int, len(columns))}
	expressions := make([]string, len(columns))
	for i, c := range a.columns {
		expressions[i] = c.insertText(i + 1)
	}
	a.statement = "INSERT INTO " + quoteName(table) + " (" + strings.Join(quoted(columns, ""), ", ") + ")\nVALUES (" + strings.Join(expressions, ", ") + ")"
	return a
}

// size returns about how much memory the array takes with one row more.
func (a *array) size(row [][]byte) int {
	width, lobs := 0, a.total
	for i, c := range a.columns {
		n := max(a.longest[i], len(row[i]))
		if c.storage.lob() || c.storage == jsonType {
			lobs += len(row[i])
			n = min(n, plainText)
		}
		width += 4*n + 32 // characters of four bytes, and the driver's own
	}
	return width*(a.rows+1) + lobs
}

func (a *array) add(row [][]byte) error {
	if len(row) != len(a.columns) {
		return fmt.Errorf("oracle: loading %s: a row has %d values, not %d", a.table, len(row), len(a.columns))
	}
	for i, c := range a.columns {
		v, err := c.encode(row[i])
		if err != nil {
			if lost, ok := errors.AsType[*replication.TypeLossError](err); ok {
				lost.Table = a.table.String()
			}
			return err
		}
		if v != nil {
			v = append([]byte{}, v...) // row is the caller's
		}
		a.values[i] = append(a.values[i], v)
		a.longest[i] = max(a.longest[i], len(v))
		if c.storage.lob() || c.storage == jsonType {
			a.total += len(v)
		}
	}
	a.rows++
	return nil
}

func (a *array) insert(ctx context.Context, c *sql.Conn) (int64, error) {
	if a.rows == 0 {
		return 0, nil
	}
	args := make([]any, len(a.columns))
	for i := range a.columns {
		args[i] = a.bind(i)
		a.values[i], a.longest[i] = a.values[i][:0], 0
	}
	a.rows, a.total = 0, 0
	result, err := c.ExecContext(ctx, a.statement, args...)
	if err != nil {
		return 0, a.refusal(err)
	}
	return result.RowsAffected()
}

// bind returns the values of a column as the driver takes an array.
func (a *array) bind(i int) any {
	values := a.values[i]
	switch c := a.columns[i]; c.storage {
	case number:
		return bindNumbers(values)
	case binaryFloat, binaryDouble:
		out := make([]sql.NullFloat64, len(values))
		for n, v := range values {
			if v != nil {
				f, _ := parseFloat(string(v), 64) // encode has seen that it is one
				out[n] = sql.NullFloat64{Float64: f, Valid: true}
			}
		}
		return out
	case clob, nclob, jsonType:
		if asLobs(values, plainText) {
			return bindLobs(values, true)
		}
	case blob:
		if asLobs(values, plainBytes) {
			return bindLobs(values, false)
		}
		fallthrough
	case raw:
		return append([][]byte{}, values...)
	}
	out := make([]string, len(values))
	for n, v := range values {
		out[n] = string(v)
	}
	return out
}

// asLobs reports whether one of the values is too long, or would be NULL.
func asLobs(values [][]byte, longest int) bool {
	for _, v := range values {
		if v != nil && len(v) == 0 || len(v) > longest {
			return true
		}
	}
	return false
}

// Errors of the server that say a value does not fit.
const (
	errTooLarge   = 12899 // value too large for column "S"."T"."C" (actual: 5, maximum: 3)
	errTooPrecise = 1438  // value larger than specified precision allowed for this column
	errTooLong    = 1461  // can bind a LONG value only for insert into a LONG column
)

// refusal makes a TypeLossError of the limits that only the server knows, such
// as the 4000 bytes of a VARCHAR2(4000 CHAR).
func (a *array) refusal(err error) error {
	switch code(err) {
	case errTooLarge, errTooPrecise, errTooLong:
		lost := &replication.TypeLossError{Table: a.table.String(), Column: "?", Reason: err.Error()}
		for _, c := range a.columns {
			if strings.Contains(err.Error(), "."+quote(c.Name)+" ") {
				lost.Column = c.Name
			}
		}
		return lost
	}
	return fmt.Errorf("oracle: loading %s: %w", a.table, err)
}
