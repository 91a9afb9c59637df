package sqlite_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// column is a column as Describe has it after Create.
func made(t *testing.T, c replication.Column) replication.Column {
	t.Helper()
	native, _ := dialect.Type(c)
	if native == "" {
		t.Fatalf("no type for %+v", c)
	}
	c.Native = native
	return c
}

func rowsOf(rows ...[][]byte) func() ([][]byte, error) {
	return func() ([][]byte, error) {
		if len(rows) == 0 {
			return nil, io.EOF
		}
		row := rows[0]
		rows = rows[1:]
		return row, nil
	}
}

// values are values of a kind that must arrive as they are.
var values = []struct {
	column replication.Column
	values []string
}{
	{replication.Column{Kind: replication.Bool}, []string{"t", "f"}},
	{replication.Column{Kind: replication.Int}, []string{"0", "1", "-1", "9223372036854775807", "-9223372036854775808"}},
	{replication.Column{Kind: replication.Decimal}, []string{"0", "-0.001", "1.5", "12345678901234567890123.4567890123456789", "NaN", "Infinity", "-Infinity", strings.Repeat("9", 500)}},
	{replication.Column{Kind: replication.Decimal, Precision: 15, Scale: 2}, []string{"0", "1.1", "-9999999999999.99", "0.01", "NaN", "123", "Infinity", "-Infinity"}},
	{replication.Column{Kind: replication.Decimal, Precision: 18}, []string{"999999999999999999", "-999999999999999999"}},
	{replication.Column{Kind: replication.Decimal, Precision: 20}, []string{"99999999999999999999", "18446744073709551615"}},
	{replication.Column{Kind: replication.Decimal, Precision: 3, Scale: -12}, []string{"999000000000000", "0"}},
	{replication.Column{Kind: replication.Decimal, Precision: 15, Scale: 15}, []string{"0.123456789012345", "0.000000000000001"}},
	{replication.Column{Kind: replication.Float, Size: 64}, []string{"0", "1.5", "-1e+300", "5e-324", "1.7976931348623157e+308", "Infinity", "-Infinity", "0.1", "1.23456789e+08", "1e+20"}},
	{replication.Column{Kind: replication.Float, Size: 32}, []string{"0.1", "3.4028235e+38", "1e-45", "1.6777216e+07", "-Infinity"}},
	{replication.Column{Kind: replication.Text}, []string{"", " ", "a", "123", "00123", "1e5", "NULL", "it's", "\x00", "a\x00b", "\\N\t\n\r", "日本語 🎉", strings.Repeat("x", 20000), "2006-01-02 15:04:05", "true"}},
	{replication.Column{Kind: replication.Text, Size: 10}, []string{"", "x", "123"}},
	{replication.Column{Kind: replication.Text, Size: 10, Fixed: true}, []string{"", "x", "123"}},
	{replication.Column{Kind: replication.Bytes}, []string{"", "\x00", "\xff\xfe", "abc", "123", strings.Repeat("\x00x", 50000)}},
	{replication.Column{Kind: replication.Bytes, Size: 4}, []string{"", "1234"}},
	{replication.Column{Kind: replication.Date}, []string{"0001-01-01", "9999-12-31", "2024-02-29"}},
	{replication.Column{Kind: replication.Time, Scale: 6}, []string{"00:00:00", "23:59:59.999999", "12:30:00.5"}},
	{replication.Column{Kind: replication.Timestamp, Scale: 9}, []string{"0001-01-01 00:00:00", "9999-12-31 23:59:59.999999999", "2024-02-29 12:00:00.5"}},
	{replication.Column{Kind: replication.Timestamp}, []string{"2024-02-29 12:00:00"}},
	{replication.Column{Kind: replication.Instant, Scale: 6}, []string{"2024-02-29 12:00:00+00", "2024-02-29 12:00:00.000001+00"}},
	{replication.Column{Kind: replication.UUID}, []string{"00000000-0000-0000-0000-000000000000", "12345678-9abc-def0-1234-56789abcdef0"}},
	{replication.Column{Kind: replication.JSON}, []string{`{}`, `1`, `1.0`, `"a"`, `null`, `[1, 2]`, `12345678901234567890`, `{"a": "\u0000"}`}},
	{replication.Column{Kind: replication.Native, Native: ""}, []string{"1", "-9223372036854775808", "1.0", "1e+100", "-9.0e999", "''", "'123'", "'it''s \x00'", "X''", "X'00ff'"}},
}

func TestEveryValueArrivesAsItLeft(t *testing.T) {
	for i, tt := range values {
		for _, key := range []bool{false, true} {
			col := made(t, tt.column)
			col.Name, col.Nullable = `the "value"`, !key
			t.Run(fmt.Sprintf("%d %s key=%t", i, col.Native, key), func(t *testing.T) {
				db := open(t)
				c := conn(t, db)
				number := replication.Column{Name: "n", Kind: replication.Int, Native: "INTEGER"}
				table := replication.TargetTable{ID: "t", Name: replication.Name{Table: "t"}, Columns: []replication.Column{number, col}, Key: []int{0}}
				if key {
					if col.Kind == replication.Native || col.Kind == replication.JSON {
						t.Skip("not all of its values may be keys")
					}
					table.Key = []int{1}
				}
				exec(t, c, dialect.Create(table)...)
				l := describe(t, c, "t")
				got := l.Columns[1]
				if got.Kind != col.Kind || got.Size != col.Size || col.Precision != 0 && got.Scale != col.Scale || got.Precision != col.Precision {
					t.Errorf("described as %+v, made as %+v", got, col)
				}
				st := sourceOf(l, "t")
				install(t, c, st)
				var rows [][][]byte
				for n, v := range tt.values {
					rows = append(rows, [][]byte{fmt.Append(nil, n), []byte(v)})
				}
				if !key {
					rows = append(rows, [][]byte{[]byte("1000"), nil})
				}
				want := make(map[string]bool)
				for _, r := range rows {
					want[text(r)] = true
				}
				if n, err := dialect.Load(t.Context(), c, l.Name, st.Columns, rowsOf(rows...)); err != nil || n != int64(len(rows)) {
					t.Fatalf("Load = %d, %v", n, err)
				}
				check := func(how, query string, columns []replication.Column, skip int) {
					t.Helper()
					n := 0
					if err := dialect.Stream(t.Context(), c, query, columns, func(row [][]byte) error {
						if n++; !want[text(row[skip:])] {
							t.Errorf("%s: a row that was not loaded: %s", how, text(row[skip:]))
						}
						return nil
					}); err != nil || n != len(rows) {
						t.Errorf("%s: %d rows, %v", how, n, err)
					}
				}
				check("Select", dialect.Select(st, nil, 0), st.Columns, 0)
				check("Changes", dialect.Changes(group, st, "0", "100000", replication.SomeKeys), append([]replication.Column{{Kind: replication.Int}}, st.Columns...), 1)
				var keys [][][]byte
				for _, r := range rows {
					keys = append(keys, [][]byte{r[st.Key[0]]})
				}
				check("Lookup", dialect.Lookup(st, keys), st.Columns, 0)

				// Through staging, and again, which must find nothing to do.
				exec(t, c, "DELETE FROM t")
				s := dialect.Staging(target(l, "t"))
				exec(t, c, s.Create...)
				if err := stage(t, c, s, st.Columns, rows...); err != nil {
					t.Fatal(err)
				}
				exec(t, c, s.DeleteGone, s.Update, s.Insert)
				check("staged", dialect.Select(st, nil, 0), st.Columns, 0)
				for _, q := range []string{s.Update, s.Insert, s.DeleteOthers} {
					if q == "" {
						continue
					}
					res, err := c.ExecContext(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					if n, _ := res.RowsAffected(); n != 0 {
						t.Errorf("%s changed %d rows that are equal", q, n)
					}
				}
			})
		}
	}
}

// TestKeysAreReadInOrder compares Select with CompareKeys, in one go and in
// chunks.
func TestKeysAreReadInOrder(t *testing.T) {
	more := append(values[:len(values):len(values)],
		struct {
			column replication.Column
			values []string
		}{replication.Column{Kind: replication.Decimal}, []string{"0", "1", "-1", "10", "9", "-10", "-9", "0.5", "0.05", "-0.5", "-0.55", "-0.05", "1.25", "1.3", "-1.25", "-1.3", "100000000000000000000", "-100000000000000000000", "NaN", "Infinity", "-Infinity"}},
		struct {
			column replication.Column
			values []string
		}{replication.Column{Kind: replication.Text}, []string{"", "A", "B", "a", "b", "Z", "z", "é", "\x00", "a\x00", "a ", " a", "日", "🎉", "\uffff"}},
	)
	for i, tt := range more {
		if tt.column.Kind == replication.Native {
			tt.values = []string{"1", "-5", "10", "'a'", "'B'", "'it''s'", "X'00'", "X'ab'"}
		}
		if tt.column.Kind == replication.JSON {
			continue // refused
		}
		for _, second := range []bool{false, true} {
			col := made(t, tt.column)
			col.Name = "k"
			t.Run(fmt.Sprintf("%d %s, second=%t", i, col.Native, second), func(t *testing.T) {
				db := open(t)
				c := conn(t, db)
				table := replication.TargetTable{ID: "t", Name: replication.Name{Table: "t"}, Columns: []replication.Column{{Name: "p", Kind: replication.Int, Native: "INTEGER"}, col}, Key: []int{1}}
				if second {
					table.Key = []int{0, 1}
				}
				exec(t, c, dialect.Create(table)...)
				var rows [][][]byte
				for n, v := range tt.values {
					rows = append(rows, [][]byte{fmt.Append(nil, n%2), []byte(v)})
				}
				st := source(t, c, "t", "t")
				if _, err := dialect.Load(t.Context(), c, st.Name, st.Columns, rowsOf(rows...)); err != nil {
					t.Fatal(err)
				}
				for _, limit := range []int{0, 1, 2, 1000} {
					var last [][]byte
					n := 0
					for {
						page := 0
						err := dialect.Stream(t.Context(), c, dialect.Select(st, last, limit), st.Columns, func(row [][]byte) error {
							key := make([][]byte, len(st.Key))
							for i, k := range st.Key {
								key[i] = []byte(string(row[k]))
							}
							if last != nil && replication.CompareKeys(st.KeyColumns(), last, key) >= 0 {
								return fmt.Errorf("limit %d: %q before %q", limit, last, key)
							}
							last = key
							n++
							page++
							return nil
						})
						if err != nil {
							t.Fatal(err)
						}
						if limit == 0 || page < limit {
							break
						}
					}
					if n != len(rows) {
						t.Errorf("limit %d: read %d of %d rows", limit, n, len(rows))
					}
				}
			})
		}
	}
}

func TestOtherSpellingsAreReadOrRefused(t *testing.T) {
	const refused = "\x00"
	tests := []struct{ declared, stored, want string }{
		{"BOOLEAN", "1", "t"}, {"BOOLEAN", "'TRUE'", "t"}, {"BOOLEAN", "2", refused}, {"BOOLEAN", "'yes'", refused}, {"BOOLEAN", "0.5", refused}, {"BOOLEAN", "x'01'", refused},
		{"INTEGER", "'abc'", refused}, {"INTEGER", "1.5", refused}, {"INTEGER", "'12'", "12"}, {"BIGINT", "x'00'", refused},
		{"DECIMAL(10,2)", "1.1", "1.1"}, {"DECIMAL(10,2)", "0.1 + 0.2", "0.30000000000000004"}, {"DECIMAL(10,2)", "1e20", "100000000000000000000"}, {"DECIMAL(10,2)", "'abc'", refused}, {"NUMERIC", "9e999", "Infinity"},
		{"DECIMAL_TEXT", "'1.50'", "1.5"}, {"DECIMAL_TEXT", "'1,5'", refused}, {"DECIMAL_TEXT", "x'31'", refused}, {"MONEY", "12", "12"},
		{"REAL", "1", "1"}, {"REAL", "'x'", refused}, {"FLOAT32", "0.1", refused}, {"FLOAT32", "0.5", "0.5"},
		{"TEXT", "1", "1"}, {"TEXT", "x'61'", refused}, {"TEXT", "CAST(x'ff' AS TEXT)", refused}, {"STRING", "'007'", "7"}, {"STRING", "'abc'", "abc"}, {"STRING", "1.5", refused},
		{"BLOB", "'a'", refused}, {"BLOB", "1", refused}, {"VARBINARY(9)", "x'00'", "\\x00"},
		{"DATE", "'2006-01-02'", "2006-01-02"}, {"DATE", "'2006-01-02 00:00:00 +0000 UTC'", "2006-01-02"}, {"DATE", "'2006-01-02T00:00:00Z'", "2006-01-02"},
		{"DATE", "'2006-01-02 00:00:01'", refused}, {"DATE", "'2006-02-30'", refused}, {"DATE", "20060102", refused}, {"DATE", "1.5", refused}, {"DATE", "x'323030362d30312d3032'", refused}, {"DATE", "'now'", refused},
		{"TIME", "'15:04'", "15:04:00"}, {"TIME", "'15:04:05.120'", "15:04:05.12"}, {"TIME", "'24:00:00'", refused}, {"TIME", "'15:04:05Z'", refused}, {"TIME", "54245", refused},
		{"DATETIME", "'2006-01-02 15:04:05'", "2006-01-02 15:04:05"}, {"DATETIME", "'2006-01-02T15:04:05.250Z'", "2006-01-02 15:04:05.25"}, {"DATETIME", "'2006-01-02 15:04'", "2006-01-02 15:04:00"},
		{"DATETIME", "'2006-01-02'", "2006-01-02 00:00:00"}, {"TIMESTAMP", "'2006-01-02 15:04:05.999999999 +0000 UTC'", "2006-01-02 15:04:05.999999999"},
		{"TIMESTAMP", "'2006-01-02 15:04:05 +0000 UTC m=+0.000012'", "2006-01-02 15:04:05"}, {"TIMESTAMP", "'2006-01-02 15:04:05-07:00'", refused}, {"TIMESTAMP", "1136214245", refused}, {"TIMESTAMP", "2453738.1", refused},
		{"TIMESTAMP", "'2006-01-02 25:04:05'", refused}, {"TIMESTAMP", "'2006-01-02 15:04:05.1234567891'", refused}, {"TIMESTAMP", "'2006-01-02 15:04:05 CEST'", refused}, {"TIMESTAMP", "''", refused}, {"TIMESTAMP", "'2006-01-02 15:04:05.'", refused},
		{"TIMESTAMPTZ", "'2006-01-02 15:04:05.5-07:00'", "2006-01-02 22:04:05.5+00"}, {"TIMESTAMPTZ", "'2006-01-02 15:04:05 -0730 MST'", "2006-01-02 22:34:05+00"}, {"TIMESTAMPTZ", "'2006-01-02 15:04:05'", "2006-01-02 15:04:05+00"},
		{"TIMESTAMP WITH TIME ZONE", "'2006-01-01T00:04:05+05:30'", "2005-12-31 18:34:05+00"}, {"TIMESTAMPTZ", "'0001-01-01 00:00:00+01:00'", refused}, {"TIMESTAMPTZ", "'2006-01-02 15:04:05+25:00'", refused},
		{"UUID", "'12345678-9ABC-DEF0-1234-56789ABCDEF0'", "12345678-9abc-def0-1234-56789abcdef0"}, {"UUID", "x'123456789abcdef0123456789abcdef0'", "12345678-9abc-def0-1234-56789abcdef0"}, {"GUID", "'{123456789abcdef0123456789abcdef0}'", "12345678-9abc-def0-1234-56789abcdef0"},
		{"UUID", "'12345678'", refused}, {"UUID", "x'12'", refused}, {"UUID", "12", refused},
		{"JSON", "'{\"a\":1}'", `{"a":1}`}, {"JSON", "'12'", "12"}, {"JSON", "'1.5'", "1.5"}, {"JSON", "'{'", refused}, {"JSONB", "x'00'", refused}, {"JSON", "9e999", refused},
	}
	db := open(t)
	c := conn(t, db)
	for _, tt := range tests {
		exec(t, db, "DROP TABLE IF EXISTS t", "CREATE TABLE t (id INTEGER PRIMARY KEY, v "+tt.declared+")", "INSERT INTO t VALUES (1, "+tt.stored+"), (2, NULL)")
		st := source(t, c, "t", "t")
		var got []byte
		err := dialect.Stream(t.Context(), c, dialect.Select(st, nil, 1), st.Columns, func(row [][]byte) error {
			got = append([]byte{}, row[1]...)
			return nil
		})
		want := strings.ReplaceAll(tt.want, `\x00`, "\x00")
		loss, lost := errors.AsType[*replication.TypeLossError](err)
		switch {
		case tt.want == refused:
			if !lost || loss.Column != "v" || loss.Reason == "" || !errors.Is(err, replication.ErrTypeLoss) {
				t.Errorf("%s %s: read as %q, %v; want a TypeLossError", tt.declared, tt.stored, got, err)
			}
		case err != nil || string(got) != want:
			t.Errorf("%s %s: read as %q, %v; want %q", tt.declared, tt.stored, got, err, want)
		}
	}
}

func TestKeysHaveOneSpelling(t *testing.T) {
	db := open(t)
	c := conn(t, db)
	for _, tt := range []struct{ declared, stored string }{
		{"TEXT", "NULL"}, {"BOOLEAN", "'true'"}, {"DECIMAL_TEXT", "'1.50'"}, {"DECIMAL_TEXT", "'-0'"}, {"DECIMAL(10,2)", "'-Infinity'"}, {"TIMESTAMP", "'2006-01-02T15:04:05'"}, {"TIMESTAMP", "'2006-01-02 15:04:05.10'"},
		{"DATE", "'2006-01-02 00:00:00'"}, {"UUID", "'12345678-9ABC-DEF0-1234-56789ABCDEF0'"}, {"UUID", "x'123456789abcdef0123456789abcdef0'"}, {"", "1.5"}, {"TIME", "'15:04'"}, {"JSON_TEXT", "'1'"}, {"JSON", "1"},
	} {
		exec(t, db, "DROP TABLE IF EXISTS t", "CREATE TABLE t (k "+tt.declared+" PRIMARY KEY)", "INSERT INTO t VALUES ("+tt.stored+")")
		st := source(t, c, "t", "t")
		install(t, c, st)
		exec(t, db, "UPDATE t SET k = k")
		for _, q := range []string{dialect.Select(st, nil, 0), dialect.Changes(group, st, "0", "99", replication.SomeKeys)} {
			columns := st.Columns
			if strings.Contains(q, "ashlar_log") {
				columns = append([]replication.Column{{Kind: replication.Int}}, columns...)
			}
			err := dialect.Stream(t.Context(), c, q, columns, func(row [][]byte) error { return nil })
			if !errors.Is(err, replication.ErrTypeLoss) {
				t.Errorf("%s %s: %v; want a TypeLossError", tt.declared, tt.stored, err)
			}
		}
	}
}

func TestLoadRefusesWhatAColumnWouldChange(t *testing.T) {
	c := conn(t, open(t))
	for _, tt := range []struct {
		declared, value string
		kind            replication.Kind
	}{
		{"DOUBLE", "NaN", replication.Float}, {"DECIMAL(20,2)", "123456789012345678.91", replication.Decimal}, {"NUMERIC", "12345678901234567890", replication.Decimal},
		{"STRING", "007", replication.Text}, {"STRING", "1e5", replication.Text}, {"STRING", " 5", replication.Text}, {"JSON", "1.0", replication.JSON}, {"ANY", "'5'", replication.Native},
		{"INTEGER", "x", replication.Int}, {"INTEGER", "9223372036854775808", replication.Int}, {"BOOLEAN", "1", replication.Bool}, {"DATE", "2006-02-30", replication.Date}, {"UUID", "x", replication.UUID},
		{"ANY_BLOB", "abc", replication.Native}, {"DECIMAL_TEXT", "1e5", replication.Decimal}, {"REAL", "0x1p4", replication.Float},
	} {
		exec(t, c, "DROP TABLE IF EXISTS t", "CREATE TABLE t (v "+tt.declared+")")
		l := describe(t, c, "t")
		if l.Columns[0].Kind != tt.kind {
			t.Errorf("%s is of kind %s", tt.declared, l.Columns[0].Kind)
		}
		_, err := dialect.Load(t.Context(), c, l.Name, l.Columns, rowsOf([][]byte{[]byte(tt.value)}))
		if loss, ok := errors.AsType[*replication.TypeLossError](err); !ok || loss.Column != "v" || loss.Table != "t" {
			t.Errorf("%s took %q: %v", tt.declared, tt.value, err)
		}
	}
}

// FuzzStream: whatever is in a column arrives in a spelling of its kind, or is
// refused; and what arrives can be loaded, and arrives as the same again.
func FuzzStream(f *testing.F) {
	f.Add(uint8(0), "2006-01-02 15:04:05.5 -0700 MST")
	f.Add(uint8(1), "12345678-9abc-def0-1234-56789abcdef0")
	f.Add(uint8(2), "2006-01-02T15:04:05Z")
	f.Add(uint8(3), "-0012.500")
	f.Add(uint8(4), "it's \x00\xff")
	f.Add(uint8(5), "1e5")
	declared := []string{"TIMESTAMPTZ", "UUID", "TIMESTAMP", "DECIMAL_TEXT", "TEXT", "DECIMAL(10,2)", "DATE", "TIME", "BOOLEAN", "STRING", "JSON", "JSON_TEXT", "", "ANY", "REAL", "INTEGER", "BLOB", "FLOAT32"}
	db := open(f)
	c := conn(f, db)
	var layouts []replication.Layout
	for i, d := range declared {
		exec(f, c, fmt.Sprintf("CREATE TABLE t%d (v %s)", i, d))
		layouts = append(layouts, describe(f, c, fmt.Sprintf("t%d", i)))
	}
	f.Fuzz(func(t *testing.T, which uint8, v string) {
		l := layouts[int(which)%len(layouts)]
		st := sourceOf(l, "t")
		exec(t, c, "DELETE FROM "+l.Name.Table)
		if _, err := c.ExecContext(t.Context(), "INSERT INTO "+l.Name.Table+" VALUES (?)", v); err != nil {
			t.Skip()
		}
		var got []byte
		reading := func() error {
			return dialect.Stream(t.Context(), c, dialect.Select(st, nil, 0), st.Columns, func(row [][]byte) error {
				got = append([]byte{}, row[0]...)
				return nil
			})
		}
		if err := reading(); err != nil {
			if !errors.Is(err, replication.ErrTypeLoss) {
				t.Fatalf("%s: %q: %v", st.Columns[0].Native, v, err)
			}
			return
		}
		first := got
		if err := st.Columns[0].Kind.Check(first); err != nil {
			t.Fatalf("%s: %q is read as %q: %v", st.Columns[0].Native, v, first, err)
		}
		exec(t, c, "DELETE FROM "+l.Name.Table)
		if _, err := dialect.Load(t.Context(), c, l.Name, st.Columns, rowsOf([][]byte{first})); err != nil {
			if st.Columns[0].Native == "JSON" {
				return // numbers of more digits than SQLite's
			}
			t.Fatalf("%s: %q, read from %q, cannot be loaded: %v", st.Columns[0].Native, first, v, err)
		}
		if err := reading(); err != nil {
			t.Fatal(err)
		}
		if _, equal := replication.EqualRows(st.Columns, [][]byte{first}, [][]byte{got}); !equal {
			t.Fatalf("%s: %q was loaded and is %q", st.Columns[0].Native, first, got)
		}
	})
}
