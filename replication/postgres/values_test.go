package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// Each value leaves as the kind's spelling, arrives by Load, and is the same
// value there. want is "" where it leaves as it is written here.
func TestValuesOfEveryKindArriveAsTheyLeft(t *testing.T) {
	type v struct{ in, want string }
	as := func(texts ...string) (out []v) {
		for _, s := range texts {
			out = append(out, v{in: s})
		}
		return out
	}
	cases := []struct {
		ddl    string
		kind   replication.Kind
		values []v
	}{
		{"boolean", replication.Bool, as("t", "f")},
		{"smallint", replication.Int, as("-32768", "32767", "0")},
		{"integer", replication.Int, as("-2147483648", "2147483647")},
		{"bigint", replication.Int, as("-9223372036854775808", "9223372036854775807")},
		{"numeric(10,2)", replication.Decimal, as("-99999999.99", "99999999.99", "0.00", "NaN")},
		{"numeric(5,-2)", replication.Decimal, as("-9999900", "0")},
		{"numeric", replication.Decimal, as("NaN", "Infinity", "-Infinity", "0", "0.000", strings.Repeat("9", 200)+"."+strings.Repeat("8", 200), "-0.00000000000000000001")},
		{"real", replication.Float, as("0.1", "3.4028235e+38", "1e-45", "NaN", "Infinity", "-Infinity", "-0")},
		{"double precision", replication.Float, as("0.1", "1.7976931348623157e+308", "5e-324", "NaN", "Infinity", "-Infinity", "-0", "100000", "1e+20")},
		{"text", replication.Text, as("", " ", "x", `\N`, `\.`, `\`, "a\tb", "a\nb\r\n", "🜂ü", "'; DROP", "NULLx", "trailing ", strings.Repeat("x", 100000))},
		{"varchar(3)", replication.Text, as("", "🜂🜂🜂", "ab ")},
		{"char(4)", replication.Text, []v{{"ab  ", "ab"}, {"", ""}, {"🜂", "🜂"}}},
		{`text COLLATE "C"`, replication.Text, as("ä", "Z")},
		{"bytea", replication.Bytes, as("", "\x00", "\x00\xff\\x\n\t", strings.Repeat("\xfe", 100000))},
		{"date", replication.Date, as("0001-01-01", "9999-12-31", "2000-02-29")},
		{"time", replication.Time, as("00:00:00", "23:59:59.999999", "10:00:00.5")},
		{"time(2)", replication.Time, as("23:59:59.99")},
		{"timestamp", replication.Timestamp, as("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "2006-01-02 15:04:05.1")},
		{"timestamp(0)", replication.Timestamp, as("2006-01-02 15:04:05")},
		{"timestamptz", replication.Instant, as("0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "2006-01-02 15:04:05.123+00")},
		{"uuid", replication.UUID, as("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")},
		{"jsonb", replication.JSON, as(`{"a": [1, 2.50, null, "\n\\"]}`, `"x"`, "null")},
		{"json", replication.JSON, as(`{ "b":1,"a" : 1e400, "a":2}`)},
		{"mood", replication.Text, as("sad", `the "best", ever`)},
		{"positive", replication.Int, as("1", "2147483647")},
		{"int[]", replication.Native, as("{}", "{1,NULL,3}", "[2:3]={7,8}")},
		{"text[]", replication.Native, as("{\"a\\\\b\",\"NULL\",NULL,\"x\ty\",\"\"}")},
		{"interval", replication.Native, as("1 day", "24:00:00", "-1 years -2 mons +3 days -04:05:06.789")},
		{"money", replication.Native, as("$1,234.56", "-$0.01")},
		{"inet", replication.Native, as("10.0.0.0/8", "::1")},
		{"int4range", replication.Native, as("[1,5)", "empty", "(,)")},
		{"tsvector", replication.Native, as(`'a':1A 'it''s':2`)},
		{"bit(3)", replication.Native, as("101")},
		{"timetz", replication.Native, as("10:00:00+02")},
		{"point", replication.Native, as("(0.1,-2)")},
		{"xml", replication.Native, as("<a>x</a>", "text only")},
	}
	c := session(t, open(t))
	do(t, c, `CREATE TYPE mood AS ENUM ('sad', 'the "best", ever')`, "CREATE DOMAIN positive AS int CHECK (VALUE > 0)")
	version := one[int](t, c, "SELECT current_setting('server_version_num')::int")
	for i, tc := range cases {
		t.Run(strings.ReplaceAll(tc.ddl, " ", "_"), func(t *testing.T) {
			if version < 150000 && tc.ddl == "numeric(5,-2)" {
				t.Skip("SKIPPED: needs version 15")
			}
			from, to := fmt.Sprintf("from%d", i), fmt.Sprintf("to%d", i)
			do(t, c, "CREATE TABLE "+from+" (n int PRIMARY KEY, v "+tc.ddl+")", "CREATE TABLE "+to+" (LIKE "+from+" INCLUDING ALL)")
			src, dst := table(t, c, "t", from), table(t, c, "t", to)
			if got := src.Columns[1].Kind; got != tc.kind {
				t.Fatalf("kind %s, want %s", got, tc.kind)
			}
			tc.values = append(tc.values, v{"NULL", ""})
			var rows [][][]byte
			for n, v := range tc.values {
				rows = append(rows, values(fmt.Sprint(n), v.in))
			}
			if n, err := d.Load(t.Context(), c, src.Name, src.Columns, rowsOf(rows...)); err != nil || n != int64(len(rows)) {
				t.Fatal(n, err)
			}
			var read [][][]byte
			err := d.Stream(t.Context(), c, d.Select(src, nil, 0), src.Columns, func(row [][]byte) error {
				read = append(read, [][]byte{append([]byte{}, row[0]...), nil})
				if row[1] != nil {
					read[len(read)-1][1] = append([]byte{}, row[1]...)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for n, v := range tc.values {
				want := v.in
				if v.want != "" {
					want = v.want
				}
				if got := text(read[n][1:], nil); got != text(values(want), nil) {
					t.Errorf("%.80q leaves as %.80s", want, got)
				}
			}
			if _, err := d.Load(t.Context(), c, dst.Name, dst.Columns, rowsOf(read...)); err != nil {
				t.Fatal(err)
			}
			if n := one[int](t, c, "SELECT count(*) FROM "+from+" a JOIN "+to+" b USING (n) WHERE a.v::text IS NOT DISTINCT FROM b.v::text"); n != len(tc.values) {
				t.Errorf("%d of %d values are the same", n, len(tc.values))
			}
		})
	}
}

func TestTextOf20MegabytesArrives(t *testing.T) {
	db := open(t)
	c, other := session(t, db), session(t, db)
	do(t, c, "CREATE TABLE a (id int PRIMARY KEY, v text)", "CREATE TABLE b (LIKE a INCLUDING ALL)", `INSERT INTO a SELECT 1, repeat(E'0123456789\\\n\tüabc', 1250000)`)
	a, b := table(t, c, "a", "a"), table(t, c, "b", "b")
	err := d.Stream(t.Context(), c, d.Select(a, nil, 0), a.Columns, func(row [][]byte) error {
		_, err := d.Load(t.Context(), other, b.Name, b.Columns, rowsOf(row))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if same := one[bool](t, c, "SELECT a.v = b.v AND length(a.v) > 20000000 FROM a, b"); !same {
		t.Error("it is not the same")
	}
}

// What the server would round or cut in silence, or refuses, is a loss that
// names the column and the value.
func TestWhatDoesNotFitIsALoss(t *testing.T) {
	c := session(t, open(t))
	do(t, c, `CREATE TABLE t (id int PRIMARY KEY, v3 varchar(3), c3 char(3), n numeric(6,2), ts timestamp(3), tz timestamptz, tm time(0), i smallint, x text, u uuid, j jsonb, b boolean)`)
	src := table(t, c, "t", "t")
	for _, tc := range []struct{ column, value string }{
		{"v3", "abcd"}, {"v3", "abc "}, {"v3", "🜂🜂🜂🜂"}, {"c3", "abcd"}, {"n", "1.234"}, {"n", "12345"}, {"n", "Infinity"},
		{"ts", "2006-01-02 15:04:05.1234"}, {"tz", "2006-01-02 15:04:05.1234567+00"}, {"tz", "2006-01-02 15:04:05.123456789+00"}, {"tm", "10:00:00.1"},
		{"i", "40000"}, {"i", "x"}, {"i", "1\t2"}, {"x", "a\x00b"}, {"x", "\xff"}, {"x", "\xed\xa0\x80"}, {"u", "zz"}, {"j", "{"}, {"j", `"\u0000"`}, {"b", "maybe"},
	} {
		row := make([][]byte, len(src.Columns))
		row[0] = []byte("1")
		for i, col := range src.Columns {
			if col.Name == tc.column {
				row[i] = []byte(tc.value)
			}
		}
		_, err := d.Load(t.Context(), c, src.Name, src.Columns, rowsOf(row))
		loss, ok := errors.AsType[*replication.TypeLossError](err)
		if !ok {
			t.Errorf("%s %q: %v", tc.column, tc.value, err)
			continue
		}
		if loss.Table != "public.t" || loss.Column != tc.column {
			t.Errorf("%s %q: the error is of %s.%s: %v", tc.column, tc.value, loss.Table, loss.Column, err)
		}
	}
	fits := values("1", "abc", "ab ", "1.2300", "2006-01-02 15:04:05.123000", "2006-01-02 15:04:05.123456000+00", "10:00:00.000", "NULL", "NULL", "NULL", "NULL", "NULL")
	if _, err := d.Load(t.Context(), c, src.Name, src.Columns, rowsOf(fits)); err != nil {
		t.Errorf("zeros at the end mean nothing: %v", err)
	}
	do(t, c, "CREATE TABLE f (id int PRIMARY KEY, d date)", "INSERT INTO f VALUES (1, 'infinity')")
	f := table(t, c, "f", "f")
	err := d.Stream(t.Context(), c, d.Select(f, nil, 0), f.Columns, func([][]byte) error { return nil })
	if loss, ok := errors.AsType[*replication.TypeLossError](err); !ok || loss.Column != "d" {
		t.Errorf("an infinite date: %v", err)
	}
}

func TestStreamEndsWithItsFunctionAndKeepsTheConnection(t *testing.T) {
	c := session(t, open(t))
	stop := errors.New("enough")
	n := 0
	err := d.Stream(t.Context(), c, "SELECT i FROM generate_series(1, 3000000) i", []replication.Column{{Name: "i", Kind: replication.Int}}, func([][]byte) error {
		if n++; n == 10 {
			return stop
		}
		return nil
	})
	if err != stop || n != 10 {
		t.Fatalf("after %d rows: %v", n, err)
	}
	if got := one[int](t, c, "SELECT 7"); got != 7 {
		t.Fatal(got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = d.Stream(ctx, c, "SELECT i FROM generate_series(1, 3000000) i", []replication.Column{{Name: "i", Kind: replication.Int}}, func([][]byte) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("after the context ended: %v", err)
	}
}

func TestLoadEndsWithItsSourceAndLoadsNothing(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY)")
	src := table(t, c, "t", "t")
	broken := errors.New("source is broken")
	n := 0
	_, err := d.Load(t.Context(), c, src.Name, src.Columns, func() ([][]byte, error) {
		if n++; n > 50000 {
			return nil, broken
		}
		return values(fmt.Sprint(n)), nil
	})
	if err != broken {
		t.Fatalf("Load = %v", err)
	}
	if _, err := d.Load(t.Context(), c, src.Name, src.Columns, rowsOf(values("1", "2"))); err == nil {
		t.Error("a row of another width is loaded")
	}
	if n := one[int](t, c, "SELECT count(*) FROM t"); n != 0 {
		t.Errorf("%d rows are there", n)
	}
	// The server's error ends it as well, and its class is seen.
	n = 0
	_, err = d.Load(t.Context(), c, src.Name, src.Columns, func() ([][]byte, error) {
		if n++; n > 100000 {
			return nil, io.EOF
		}
		return values(fmt.Sprint(n % 100)), nil
	})
	if d.Fault(err) != replication.Unique {
		t.Errorf("a duplicate key: %v", err)
	}
	if got := one[int](t, c, "SELECT 7"); got != 7 {
		t.Fatal(got)
	}
}
