package replicationtest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// samples are values of each kind that every vendor's own type for it holds, or
// its dialect refuses with a TypeLossError.
var samples = []struct {
	column replication.Column
	values []string
}{
	{replication.Column{Name: "c_bool", Kind: replication.Bool}, []string{"t", "f"}},
	{replication.Column{Name: "c_int", Kind: replication.Int}, []string{"0", "-1", "9223372036854775807", "-9223372036854775808"}},
	{replication.Column{Name: "c_decimal", Kind: replication.Decimal, Precision: 20, Scale: 4},
		[]string{"0", "1.5", "-0.0001", "9999999999999999.9999", "-9999999999999999.9999", "12345678901234.5678"}},
	{replication.Column{Name: "c_float", Kind: replication.Float, Size: 64},
		[]string{"0", "0.1", "-1.7976931348623157e+308", "5e-324", "2.2250738585072014e-308", "123456789.123456789", "3.141592653589793"}},
	{replication.Column{Name: "c_text", Kind: replication.Text},
		[]string{"", "a", " leading and trailing ", "tab\tnewline\nreturn\r", `\N`, `\\`, "NULL", "quote ' double \" back ` percent % brace {", "äöü ß 日本語 🙂", "\\.", strings.Repeat("ab\x01\x7f", 50)}},
	{replication.Column{Name: "c_varchar", Kind: replication.Text, Size: 20}, []string{"", "20 characters äöü 🙂.", "x "}},
	{replication.Column{Name: "c_bytes", Kind: replication.Bytes}, []string{"", "\x00", "\x00\x01\xff\xfe\\N\t\n", allBytes(), "\xff"}},
	{replication.Column{Name: "c_date", Kind: replication.Date}, []string{"2006-01-02", "1000-01-01", "9999-12-31", "2024-02-29"}},
	{replication.Column{Name: "c_time", Kind: replication.Time, Scale: 6}, []string{"00:00:00", "23:59:59.999999", "12:30:00.5"}},
	{replication.Column{Name: "c_timestamp", Kind: replication.Timestamp, Scale: 6}, []string{"2006-01-02 15:04:05", "1000-01-01 00:00:00.000001", "9999-12-31 23:59:59.999999"}},
	{replication.Column{Name: "c_instant", Kind: replication.Instant, Scale: 6}, []string{"2006-01-02 15:04:05.123456+00", "1971-01-01 00:00:00+00", "2037-12-31 23:59:59.5+00"}},
	{replication.Column{Name: "c_uuid", Kind: replication.UUID}, []string{"01234567-89ab-cdef-0123-456789abcdef", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
	{replication.Column{Name: "c_json", Kind: replication.JSON}, []string{`{}`, `[1, 2.50, "ä\n", null, true, {"b": 1, "a": [1e2]}]`, `"text"`}},
}

func allBytes() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

// testEveryKindArrivesUnchanged writes values by the master's dialect, copies
// them, changes them, and compares both sides with what was written.
func testEveryKindArrivesUnchanged(t *testing.T, p Pair) {
	l := newLab(t, p)
	columns := []replication.Column{integer("id")}
	for _, s := range samples {
		c := s.column
		c.Nullable = true
		columns = append(columns, c)
	}
	l.table(l.source, "kinds", 1, columns...)
	var rows [][]string
	rows = append(rows, make([]string, len(samples))) // all NULL: "" with a mark below
	for n := range slices.MaxFunc(samples, func(a, b struct {
		column replication.Column
		values []string
	}) int {
		return len(a.values) - len(b.values)
	}).values {
		row := make([]string, len(samples))
		for i, s := range samples {
			row[i] = s.values[n%len(s.values)]
		}
		rows = append(rows, row)
	}
	put := func(from int) {
		t.Helper()
		n := from - 1
		ctx := t.Context()
		c, err := session(ctx, l.source)
		if err != nil {
			t.Fatal(err)
		}
		defer discard(c)
		layout, err := l.source.Dialect.Describe(ctx, c, "kinds")
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range samples {
			if got := layout.Columns[i+1].Kind; got != s.column.Kind {
				t.Logf("%s keeps %v as %v (%s)", l.source.Dialect.Name(), s.column.Kind, got, layout.Columns[i+1].Native)
			}
		}
		tx, err := l.source.Dialect.Begin(ctx, c, replication.Write)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.source.Dialect.Load(ctx, c, layout.Name, layout.Columns, func() ([][]byte, error) {
			if n++; n-from >= len(rows) {
				return nil, io.EOF
			}
			out := [][]byte{fmt.Append(nil, n)}
			for i := range samples {
				v := []byte(rows[n-from][i])
				if n == from {
					v = nil
				} else {
					v = respell(samples[i].column, layout.Columns[i+1], v)
				}
				out = append(out, v)
			}
			return out, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	put(0)
	r := l.started(nil, "kinds")
	l.sameKinds(t.Context(), rows, 0)
	put(100)
	l.step(r)
	l.sameKinds(t.Context(), rows, 0)
	l.sameKinds(t.Context(), rows, 100)
	l.verified(r)
}

// respell writes a sample as the column that the master made of its kind does.
func respell(from, to replication.Column, v []byte) []byte {
	switch {
	case from.Kind == replication.Bool && to.Kind == replication.Int:
		if string(v) == "t" {
			return []byte("1")
		}
		return []byte("0")
	case from.Kind == replication.Instant && to.Kind == replication.Timestamp:
		return []byte(strings.TrimSuffix(string(v), "+00"))
	}
	return v
}

// sameKinds compares the replica's rows with what was written.
func (l *lab) sameKinds(ctx context.Context, rows [][]string, from int) {
	l.t.Helper()
	for _, end := range []replication.End{l.source, l.target} {
		c, err := session(ctx, end)
		if err != nil {
			l.t.Fatal(err)
		}
		layout, err := end.Dialect.Describe(ctx, c, "kinds")
		if err != nil {
			l.t.Fatal(err)
		}
		t := replication.SourceTable{Name: layout.Name, Columns: layout.Columns, Key: []int{0}}
		seen := 0
		err = end.Dialect.Stream(ctx, c, end.Dialect.Select(t, nil, 0), t.Columns, func(row [][]byte) error {
			var n int
			if _, err := fmt.Sscan(string(row[0]), &n); err != nil {
				return err
			}
			if n -= from; n < 0 || n >= len(rows) {
				return nil
			}
			seen++
			for i, s := range samples {
				got, to := row[i+1], layout.Columns[i+1]
				if n == 0 {
					if got != nil {
						l.t.Errorf("%s: %s is %q, want NULL", end.Dialect.Name(), s.column.Name, got)
					}
					continue
				}
				want := respell(s.column, to, []byte(rows[n][i]))
				if got == nil {
					l.t.Errorf("%s: %s is NULL, want %q", end.Dialect.Name(), s.column.Name, want)
					continue
				}
				compare := to
				if s.column.Kind == replication.JSON {
					compare.Kind = replication.JSON
				}
				if _, equal := replication.EqualRows([]replication.Column{compare}, [][]byte{got}, [][]byte{want}); !equal {
					l.t.Errorf("%s: %s (%s) is %q, want %q", end.Dialect.Name(), s.column.Name, to.Native, got, want)
				}
			}
			return nil
		})
		discard(c)
		if err != nil {
			l.t.Fatal(err)
		}
		if seen != len(rows) {
			l.t.Errorf("%s: %d rows, want %d", end.Dialect.Name(), seen, len(rows))
		}
	}
}
