package lbsql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
)

// The connection that a query will use is not known when database/sql converts
// its arguments, so ours takes them as they are, and they are converted as soon
// as the node's own connection is at hand: by the rules of database/sql, with
// the abilities of that connection's driver.

// convert appends args as the driver wants them to out. st may be nil.
func convert(out []driver.NamedValue, dc driver.Conn, st driver.Stmt, args []driver.NamedValue) ([]driver.NamedValue, error) {
	checker, _ := st.(driver.NamedValueChecker)
	if checker == nil {
		checker, _ = dc.(driver.NamedValueChecker)
	}
	//lint:ignore SA1019 for drivers without a NamedValueChecker
	columns, _ := st.(driver.ColumnConverter)
	want := -1
	if st != nil {
		want = st.NumInput()
	}
	out = slices.Grow(out, len(args))
	for _, nv := range args {
		nv.Ordinal = len(out) + 1
		err := driver.ErrSkip
		if checker != nil {
			err = checker.CheckNamedValue(&nv)
		}
		if err == driver.ErrSkip {
			err = byColumn(columns, &nv, want)
		}
		switch err {
		case nil:
			out = append(out, nv)
		case driver.ErrRemoveArgument: // an option of this query
		default:
			return nil, fmt.Errorf("lbsql: argument %d: %w", nv.Ordinal, err)
		}
	}
	if want >= 0 && len(out) != want {
		return nil, fmt.Errorf("lbsql: expected %d arguments, got %d", want, len(out))
	}
	return out, nil
}

// byColumn converts by the column's converter, or by the default one.
//
//lint:ignore SA1019 for drivers without a NamedValueChecker
func byColumn(columns driver.ColumnConverter, nv *driver.NamedValue, want int) error {
	c := driver.ValueConverter(driver.DefaultParameterConverter)
	if columns != nil && (want < 0 || nv.Ordinal <= want) {
		if valuer, ok := nv.Value.(driver.Valuer); ok {
			v, err := driver.DefaultParameterConverter.ConvertValue(valuer)
			if err != nil {
				return err
			}
			nv.Value = v
		}
		c = columns.ColumnConverter(nv.Ordinal - 1)
	}
	v, err := c.ConvertValue(nv.Value)
	nv.Value = v
	return err
}

// positions drops the names, for drivers that know only positions.
func positional(args []driver.NamedValue) ([]driver.Value, error) {
	out := make([]driver.Value, len(args))
	for i, nv := range args {
		if nv.Name != "" {
			return nil, errors.New("lbsql: the driver does not support named parameters")
		}
		out[i] = nv.Value
	}
	return out, nil
}

// prepare prepares on a node's connection.
func prepare(ctx context.Context, dc driver.Conn, query string) (driver.Stmt, error) {
	if p, ok := dc.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return dc.Prepare(query)
}

// queryStmt runs a prepared statement.
func queryStmt(ctx context.Context, dc driver.Conn, st driver.Stmt, args []driver.NamedValue) (driver.Rows, error) {
	args, err := convert(nil, dc, st, args)
	if err != nil {
		return nil, err
	}
	if q, ok := st.(driver.StmtQueryContext); ok {
		return q.QueryContext(ctx, args)
	}
	values, err := positional(args)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	//lint:ignore SA1019 for drivers without contexts
	return st.Query(values)
}

// execStmt is queryStmt for a statement without rows.
func execStmt(ctx context.Context, dc driver.Conn, st driver.Stmt, args []driver.NamedValue) (driver.Result, error) {
	args, err := convert(nil, dc, st, args)
	if err != nil {
		return nil, err
	}
	if e, ok := st.(driver.StmtExecContext); ok {
		return e.ExecContext(ctx, args)
	}
	values, err := positional(args)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	//lint:ignore SA1019 for drivers without contexts
	return st.Exec(values)
}

// query runs a query on a node's connection, prepared only if the driver cannot
// do without. The returned rows close that statement. buf is room for arguments
// that nobody uses until the rows are closed; it may be nil.
func query(ctx context.Context, dc driver.Conn, text string, args, buf []driver.NamedValue) (driver.Rows, error) {
	if q, ok := dc.(driver.QueryerContext); ok {
		converted, err := convert(buf[:0], dc, nil, args)
		if err != nil {
			return nil, err
		}
		rows, err := q.QueryContext(ctx, text, converted)
		if err != driver.ErrSkip {
			return rows, err
		}
	}
	st, err := prepare(ctx, dc, text)
	if err != nil {
		return nil, err
	}
	rows, err := queryStmt(ctx, dc, st, args)
	if err != nil {
		st.Close()
		return nil, err
	}
	return &stmtRows{Rows: rows, st: st}, nil
}

// exec is query for a statement without rows.
func exec(ctx context.Context, dc driver.Conn, text string, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := dc.(driver.ExecerContext); ok {
		converted, err := convert(nil, dc, nil, args)
		if err != nil {
			return nil, err
		}
		res, err := e.ExecContext(ctx, text, converted)
		if err != driver.ErrSkip {
			return res, err
		}
	}
	st, err := prepare(ctx, dc, text)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	return execStmt(ctx, dc, st, args)
}
