package replication

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
)

// transfer is rows of one table on their way from a query on the master.
type transfer struct {
	table   route
	query   string
	changes bool // the query's first column says whether the row exists
	staged  bool // the receiver is a staging table

	from, to int64 // with staged: only rows of these numbers; to 0: all
	key      string
	digest   *tableDigest // of the rows that exist, if not nil

	last *[][]byte // gets the key of the last row read, if not nil

	seen  int64 // rows of the query
	rows  int64 // that were sent
	gone  int64 // of these, that do not exist
	batch [][]byte
	num   []byte
}

// mapError marks an error of the user's function.
type mapError struct{ err error }

func (e *mapError) Error() string { return "Map: " + e.err.Error() }
func (e *mapError) Unwrap() error { return e.err }

var yes, no = []byte("1"), []byte("0")

var (
	numberColumn = Column{Name: StageNumber, Kind: Int, Native: "bigint"}
	existsColumn = Column{Name: StageExists, Kind: Int, Native: "bigint"}
)

// run streams the query's rows from source into a table of target.
func (x *transfer) run(ctx context.Context, source, target *side, into Name) error {
	sent := x.table.source.Columns
	if x.changes {
		sent = append([]Column{existsColumn}, sent...)
	}
	columns := x.table.target.Columns
	if x.staged {
		columns = append([]Column{numberColumn, existsColumn}, columns...)
	}
	p := newPipe(len(columns))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		err := x.read(ctx, source, sent, p)
		p.end(ctx, err)
		done <- err
	}()
	loaded, err := target.dialect.Load(ctx, target.conn, into, columns, p.get)
	p.leave()
	readErr := <-done
	if readErr != nil {
		if me, ok := errors.AsType[*mapError](readErr); ok {
			return &ApplyError{Table: x.table.source.Name.String(), Key: x.key, Op: "mapping rows of", Err: me}
		}
		return x.atMaster(readErr)
	}
	if err != nil {
		return x.atReplica(err)
	}
	if loaded != x.rows {
		return &ApplyError{Table: into.String(), Op: "loading", Err: errors.New("the database took " +
			strconv.FormatInt(loaded, 10) + " of " + strconv.FormatInt(x.rows, 10) + " rows")}
	}
	return nil
}

func (x *transfer) atMaster(err error) error {
	if loss, ok := errors.AsType[*TypeLossError](err); ok && loss.Table == "" {
		loss.Table = x.table.source.Name.String()
	}
	return &sideError{"master", "reading table " + x.table.source.Name.String(), err}
}

func (x *transfer) atReplica(err error) error {
	if loss, ok := errors.AsType[*TypeLossError](err); ok && loss.Table == "" {
		loss.Table = x.table.target.Name.String()
	}
	return &ApplyError{Table: x.table.target.Name.String(), Op: "loading", Err: err}
}

// read streams the master's rows into the pipe.
func (x *transfer) read(ctx context.Context, source *side, sent []Column, p *pipe) error {
	var mapped *Row
	if x.table.Map != nil {
		mapped = x.table.newRow()
	}
	width := len(x.table.source.Columns)
	skip := len(sent) - width
	lead := 0
	if x.staged {
		lead = 2
	}
	x.batch = make([][]byte, lead+width)
	number := int64(-1)
	var lastKey [][]byte
	if x.last != nil {
		defer func() {
			if lastKey != nil {
				*x.last = lastKey
			}
		}()
	}
	convert := conversions(x.table.source.Columns, x.table.target.Columns, x.table.sameVendor)
	convertKey := conversions(x.table.source.KeyColumns(), x.table.target.KeyColumns(), x.table.sameVendor)
	var key, keyThere [][]byte
	return source.dialect.Stream(ctx, source.conn, x.query, sent, func(row [][]byte) error {
		exists := skip == 0 || string(row[0]) == "1"
		values := row[skip:]
		number++
		x.seen++
		if x.to > 0 && (number < x.from || number >= x.to) {
			return nil
		}
		x.rows++
		if x.to > 0 {
			x.key = keyText(x.table.source, values)
		}
		if exists && mapped != nil {
			keep, out, err := x.table.mapRow(mapped, values)
			if err != nil {
				x.key = keyText(x.table.source, values)
				return err
			}
			exists, values = keep, out
		}
		if x.staged {
			x.num = strconv.AppendInt(x.num[:0], number, 10)
			x.batch[0], x.batch[1] = x.num, yes
		}
		if x.last != nil {
			lastKey = keyOf(lastKey, x.table.source, values)
		}
		if exists {
			if err := convert.row(x.batch[lead:], values); err != nil {
				return x.table.lost(err, values)
			}
		} else {
			if !x.staged {
				x.rows-- // a filter's row on its way into an empty table
				return nil
			}
			x.gone++
			x.batch[1] = no
			for i := range width {
				x.batch[lead+i] = nil
			}
			if key == nil {
				key, keyThere = make([][]byte, len(x.table.source.Key)), make([][]byte, len(x.table.source.Key))
			}
			for n, i := range x.table.source.Key {
				key[n] = values[i]
			}
			if err := convertKey.row(keyThere, key); err != nil {
				return err
			}
			for n, i := range x.table.source.Key {
				x.batch[lead+i] = keyThere[n]
			}
		}
		if exists && x.digest != nil {
			x.digest.add(x.table.source.Columns, values)
		}
		return p.put(ctx, x.batch)
	})
}

// lost says in an error of a conversion which row it is about.
func (p route) lost(err error, values [][]byte) error {
	if loss, ok := errors.AsType[*TypeLossError](err); ok {
		loss.Table, loss.Key = p.target.Name.String(), keyText(p.source, values)
	}
	return err
}

func (p route) newRow() *Row { return newRow(p.source.Columns, p.source.Key...) }

// mapRow calls the user's function on a row.
func (p route) mapRow(r *Row, values [][]byte) (keep bool, out [][]byte, err error) {
	r.reset(values)
	keep, err = p.Map(r)
	if err == nil {
		err = r.err()
	}
	if err != nil {
		return false, nil, &mapError{err}
	}
	return keep, r.values(), nil
}

// keyText writes a row's key for people: id=17, lang="de".
func keyText(t SourceTable, values [][]byte) string {
	var b strings.Builder
	for n, i := range t.Key {
		if n > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t.Columns[i].Name + "=")
		switch t.Columns[i].Kind {
		case Int, Decimal, Float, Bool:
			b.Write(values[i])
		default:
			v := values[i]
			if len(v) > 100 {
				v = v[:100]
			}
			b.WriteString(strconv.Quote(string(v)))
		}
	}
	return b.String()
}

// keyOf copies a row's key into dst, in the order of the key.
func keyOf(dst [][]byte, t SourceTable, values [][]byte) [][]byte {
	if dst == nil {
		dst = make([][]byte, len(t.Key))
	}
	for n, i := range t.Key {
		dst[n] = append(dst[n][:0], values[i]...)
	}
	return dst
}

// rowsOf returns next for Load over rows in memory.
func rowsOf(rows [][][]byte) func() ([][]byte, error) {
	return func() ([][]byte, error) {
		if len(rows) == 0 {
			return nil, io.EOF
		}
		row := rows[0]
		rows = rows[1:]
		return row, nil
	}
}
