package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5"
)

// Stream copies the query's rows out as text. When fn returns an error, the
// query is cancelled and the connection stays usable.
func (dialect) Stream(ctx context.Context, c *sql.Conn, query string, columns []replication.Column, fn func([][]byte) error) error {
	var ours error
	err := raw(c, func(pc *pgx.Conn) error {
		d := newDecoder(columns, fn)
		d.stop = func() {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			// If it does not get there, the rest is read and thrown away.
			_ = pc.PgConn().CancelRequest(stop)
		}
		_, err := pc.PgConn().CopyTo(ctx, d, "COPY ("+query+") TO STDOUT")
		ours = d.err
		return err
	})
	if ours != nil {
		return ours
	}
	if err != nil {
		return fmt.Errorf("postgres: read rows: %w", err)
	}
	return nil
}

// decoder takes the bytes of a COPY and hands on rows.
type decoder struct {
	columns []replication.Column
	checks  []check
	fn      func([][]byte) error
	row     [][]byte
	scratch []byte // a line that is written over
	partial []byte // the begin of a line whose end has not come
	stop    func()
	err     error // the first, after which nothing is handed on
}

// check is what is to be done with a column's text before it is the kind's.
type check uint8

const (
	asIs check = iota
	hexToBytes
	dropBlanks
	dateShape
	timeShape
	timestampShape
	instantShape
)

func newDecoder(columns []replication.Column, fn func([][]byte) error) *decoder {
	d := &decoder{columns: columns, fn: fn, row: make([][]byte, len(columns)), checks: make([]check, len(columns))}
	for i, c := range columns {
		switch c.Kind {
		case replication.Bytes:
			d.checks[i] = hexToBytes
		case replication.Text:
			if c.Fixed {
				d.checks[i] = dropBlanks
			}
		case replication.Date:
			d.checks[i] = dateShape
		case replication.Time:
			d.checks[i] = timeShape
		case replication.Timestamp:
			d.checks[i] = timestampShape
		case replication.Instant:
			d.checks[i] = instantShape
		}
	}
	return d
}

// Write takes whole lines, and any other piece as well. It never fails, because
// that would cost the connection.
func (d *decoder) Write(p []byte) (int, error) {
	n := len(p)
	for d.err == nil && len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			d.partial = append(d.partial, p...)
			break
		}
		line := p[:end]
		p = p[end+1:]
		if len(d.partial) > 0 {
			d.partial = append(d.partial, line...)
			line = d.partial
		} else if bytes.IndexByte(line, '\\') >= 0 {
			d.scratch = append(d.scratch[:0], line...)
			line = d.scratch
		}
		d.err = d.line(line)
		d.partial = d.partial[:0]
		if d.err != nil && d.stop != nil {
			d.stop()
		}
	}
	return n, nil
}

func (d *decoder) line(line []byte) error {
	if !fields(line, d.row) {
		return fmt.Errorf("postgres: read rows: a row has not %d columns", len(d.row))
	}
	for i, check := range d.checks {
		if check == asIs || d.row[i] == nil {
			continue
		}
		if reason := d.apply(check, i); reason != "" {
			return &replication.TypeLossError{Column: d.columns[i].Name, Value: prefix(d.row[i]), Reason: reason}
		}
	}
	return d.fn(d.row)
}

// apply tests the shape that DateStyle ISO gives what the kind can hold: years
// of more than four digits, BC and infinity have other shapes.
func (d *decoder) apply(check check, i int) (reason string) {
	v := d.row[i]
	switch check {
	case hexToBytes:
		out, ok := unhex(v)
		if !ok {
			return "it is no bytea in hexadecimal"
		}
		d.row[i] = out
	case dropBlanks:
		d.row[i] = bytes.TrimRight(v, " ")
	case dateShape:
		if len(v) != len("2006-01-02") || v[4] != '-' {
			return "only dates from 0001-01-01 to 9999-12-31 can be carried"
		}
	case timeShape:
		if len(v) < len("15:04:05") || v[0] == '2' && v[1] == '4' {
			return "only times before 24:00:00 can be carried"
		}
	case timestampShape:
		if len(v) < len("2006-01-02 15:04:05") || v[4] != '-' || v[len(v)-1] == 'C' {
			return "only timestamps of the years 0001 to 9999 can be carried"
		}
	case instantShape:
		if len(v) < len("2006-01-02 15:04:05+00") || v[4] != '-' || string(v[len(v)-3:]) != "+00" {
			return "only timestamps of the years 0001 to 9999 can be carried"
		}
	}
	return ""
}

func prefix(v []byte) string {
	return string(v[:min(len(v), 80)])
}
