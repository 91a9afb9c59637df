package mysql_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

var nasty = "a\\N\t\n\r\x00\x1a'\"\\\U0001F600é  ?:1"

// One column per line: its type, then canonical values that it must give back as
// they are, by INSERT and by LOAD DATA.
var roundTrips = []struct {
	ddl    string
	kind   replication.Kind
	values []string
}{
	{"TINYINT", replication.Int, []string{"-128", "0", "127"}},
	{"TINYINT(1)", replication.Int, []string{"-128", "0", "1", "127"}},
	{"TINYINT UNSIGNED", replication.Int, []string{"0", "255"}},
	{"SMALLINT", replication.Int, []string{"-32768", "32767"}},
	{"MEDIUMINT", replication.Int, []string{"-8388608", "8388607"}},
	{"INT", replication.Int, []string{"-2147483648", "2147483647"}},
	{"INT(9) UNSIGNED ZEROFILL", replication.Int, []string{"0", "42", "4294967295"}},
	{"BIGINT", replication.Int, []string{"-9223372036854775808", "9223372036854775807"}},
	{"BIGINT UNSIGNED", replication.Decimal, []string{"0", "18446744073709551615"}},
	{"BIT(1)", replication.Int, []string{"0", "1"}},
	{"BIT(10)", replication.Int, []string{"0", "53", "1023"}},
	{"BIT(63)", replication.Int, []string{"9223372036854775807"}},
	{"BIT(64)", replication.Decimal, []string{"0", "48", "18446744073709551615"}},
	{"YEAR", replication.Int, []string{"0", "1901", "2000", "2155"}},
	{"DECIMAL(10,2)", replication.Decimal, []string{"-99999999.99", "0.00", "0.01", "99999999.99"}},
	{"DECIMAL(8,3) ZEROFILL", replication.Decimal, []string{"0.000", "7.500"}},
	{"DECIMAL(65,30)", replication.Decimal, []string{"12345678901234567890123456789012345.123456789012345678901234567890"}},
	{"FLOAT", replication.Float, []string{"0", "1.1", "-3.4028235e+38", "1.1754944e-38", "16777217e0", "0.1"}},
	{"DOUBLE", replication.Float, []string{"0", "1.1", "-1.7976931348623157e+308", "2.2250738585072014e-308", "0.30000000000000004"}},
	{"CHAR(20)", replication.Text, []string{"", "a", "Ünï\U0001F600"}},
	{"VARCHAR(60)", replication.Text, []string{"", " ", "a  ", "NULL", `\N`, nasty}},
	{"VARCHAR(20) CHARACTER SET latin1", replication.Text, []string{"", "é€ÿ", "\\"}},
	{"VARCHAR(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin", replication.Text, []string{"漢字"}},
	{"VARCHAR(20) CHARACTER SET utf16", replication.Text, []string{"漢\U0001F600\t"}},
	{"TINYTEXT", replication.Text, []string{"", nasty}},
	{"TEXT", replication.Text, []string{"", nasty}},
	{"LONGTEXT", replication.Text, []string{"", nasty}},
	{"ENUM('a','B','it''s','1',' CHARACTER SET x')", replication.Text, []string{"a", "B", "it's", "1", " CHARACTER SET x"}},
	{"SET('a','b','c d')", replication.Text, []string{"", "a", "a,c d"}},
	{"BINARY(4)", replication.Bytes, []string{"\x00\xff\n\\", "abc\x00"}},
	{"VARBINARY(60)", replication.Bytes, []string{"", "\x00", "\xff\xfe\\N\t\n'", nasty}},
	{"BLOB", replication.Bytes, []string{"", "\x00\x80\xff"}},
	{"LONGBLOB", replication.Bytes, []string{"", "\x00\x80\xff"}},
	{"DATE", replication.Date, []string{"0001-01-01", "1000-01-01", "2024-02-29", "9999-12-31"}},
	{"TIME", replication.Time, []string{"00:00:00", "23:59:59"}},
	{"TIME(6)", replication.Time, []string{"00:00:00.000001", "23:59:59.999999", "12:00:00.5"}},
	{"DATETIME", replication.Timestamp, []string{"0001-01-01 00:00:00", "9999-12-31 23:59:59"}},
	{"DATETIME(6)", replication.Timestamp, []string{"1000-01-01 00:00:00.1", "9999-12-31 23:59:59.999999", "2020-10-25 02:30:00"}},
	{"TIMESTAMP NULL", replication.Instant, []string{"1970-01-01 00:00:01+00", "2038-01-19 03:14:07+00"}},
	{"TIMESTAMP(6) NULL", replication.Instant, []string{"2020-10-25 00:30:00.123456+00", "2020-10-25 01:30:00.12+00"}},
	{"JSON", replication.JSON, []string{`{"a":[1,null,"\\N\t\"é\U0001F600"]}`, "[]", "1.0"}},
	{"UUID", replication.UUID, []string{"00112233-4455-6677-8899-aabbccddeeff", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
	{"INET6", replication.Native, []string{"::1", "2001:db8::ff00:42:8329"}},
	{"POINT", replication.Native, []string{"000000000101000000000000000000F03F0000000000000040"}},
	{"TINYINT(1) COMMENT 'ashlar:bool'", replication.Bool, []string{"t", "f"}},
	{"DATETIME(6) COMMENT 'made for ashlar:instant'", replication.Instant, []string{"0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"}},
	{"CHAR(36) CHARACTER SET ascii COLLATE ascii_bin COMMENT 'ashlar:uuid'", replication.UUID, []string{"00112233-4455-6677-8899-aabbccddeeff"}},
}

func TestEveryTypeGivesBackWhatItTook(t *testing.T) {
	t.Parallel()
	giveBack(t, database(t))
}

func giveBack(t *testing.T, db *sql.DB) {
	c := conn(t, db)
	ddl := make([]string, len(roundTrips))
	rows := 0
	for i, r := range roundTrips {
		ddl[i] = fmt.Sprintf("c%d %s", i, r.ddl)
		rows = max(rows, len(r.values))
	}
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, "+strings.Join(ddl, ", ")+") ROW_FORMAT=DYNAMIC")
	s := source(t, c, "t")
	for i, r := range roundTrips {
		if got := s.Columns[i+1]; got.Kind != r.kind {
			t.Errorf("%s is %s, want %s", r.ddl, got.Kind, r.kind)
		}
	}
	var want [][][]byte
	for n := range rows + 1 { // the last row is NULL everywhere
		row := values(fmt.Sprintf("%d", n))
		for _, r := range roundTrips {
			if n == rows {
				row = append(row, nil)
				continue
			}
			row = append(row, []byte(r.values[n%len(r.values)]))
		}
		want = append(want, row)
	}
	for _, how := range []string{"INSERT", "LOAD DATA", "staged"} {
		run(t, c, "DELETE FROM t")
		pad := 0
		switch how {
		case "LOAD DATA", "staged":
			pad = 200 // more than go into the first INSERT
		}
		rows := [][][]byte{}
		for n := range pad {
			row := append([][]byte{}, want[0]...)
			row[0] = fmt.Append(nil, 1000+n)
			rows = append(rows, row)
		}
		rows = append(rows, want...)
		if how == "staged" {
			apply(t, c, target(t, c, "t"), rows, nil)
		} else if n, err := d.Load(t.Context(), c, s.Name, s.Columns, each(rows...)); err != nil || n != int64(len(rows)) {
			t.Fatalf("%s: loaded %d of %d: %v", how, n, len(rows), err)
		}
		got := all(t, c, s)
		if len(got) != len(rows) {
			t.Fatalf("%s: %d rows, want %d", how, len(got), len(rows))
		}
		for n, row := range want {
			for i := range row {
				if !same(s.Columns[i], got[n][i], row[i]) {
					t.Errorf("%s: %s: %q came back as %q", how, s.Columns[i].Native, row[i], got[n][i])
				}
			}
		}
		// The same by what the log gives, and by key.
		if how == "INSERT" {
			look, err := stream(t.Context(), c, d.Lookup(s, [][][]byte{{[]byte("1")}, {[]byte("99")}}), s.Columns)
			if err != nil || len(look) != 1 || text(look[0]) != text(got[1]) {
				t.Errorf("Lookup = %d rows, %v", len(look), err)
			}
		}
	}
}

// same is equality of value, as far as these tests need it.
func same(c replication.Column, a, b []byte) bool {
	if a == nil || b == nil {
		return (a == nil) == (b == nil)
	}
	if c.Kind == replication.Float {
		bits := 64
		if c.Size == 32 {
			bits = 32
		}
		x, _ := strconv.ParseFloat(string(a), bits)
		y, _ := strconv.ParseFloat(string(b), bits)
		return x == y
	}
	return bytes.Equal(a, b)
}

func TestEveryTypeCanBeAKey(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	var tables []replication.SourceTable
	var loads [][][][]byte
	for i, r := range roundTrips {
		if r.kind == replication.JSON || r.kind == replication.Native || strings.Contains(r.ddl, "TEXT") || strings.Contains(r.ddl, "BLOB") {
			continue
		}
		name := fmt.Sprintf("k%d", i)
		ddl := strings.Replace(r.ddl, " NULL", "", 1)
		run(t, db, "CREATE TABLE "+name+" (k "+ddl+" PRIMARY KEY, v INT)")
		s := source(t, c, name)
		s.ID = name
		tables = append(tables, s)
		rows := make([][][]byte, len(r.values))
		for n, v := range r.values {
			rows[n] = values(v, n)
		}
		loads = append(loads, rows)
	}
	install(t, c, tables...)
	r := newReplica(tables...)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for i, s := range tables { // Load fires triggers, too
		_, err := d.Load(t.Context(), c, s.Name, s.Columns, each(loads[i]...))
		if d.Fault(err) == replication.Unique && s.Columns[0].Folds { // 'a  ' and ' ' are equal here
			run(t, db, "DELETE FROM "+s.Name.Table)
			_, err = d.Load(t.Context(), c, s.Name, s.Columns, each(loads[i][len(loads[i])-1]))
		}
		if err != nil {
			t.Fatalf("%s: %v", s.Columns[0].Native, err)
		}
	}
	r.pollUntil(t, c)
	for _, s := range tables {
		rows := all(t, c, s)
		if len(rows) == 0 {
			t.Fatalf("%s is empty", s.Columns[0].Native)
		}
		var keys [][][]byte
		for n, row := range rows {
			keys = append(keys, row[:1])
			if n > 0 && replication.CompareKeys(s.Columns[:1], rows[n-1][:1], row[:1]) >= 0 {
				t.Errorf("%s: %q comes before %q", s.Columns[0].Native, rows[n-1][0], row[0])
			}
			rest, err := stream(t.Context(), c, d.Select(s, row[:1], 0), s.Columns)
			if err != nil || len(rest) != len(rows)-n-1 {
				t.Errorf("%s: %d rows after %q, want %d: %v", s.Columns[0].Native, len(rest), row[0], len(rows)-n-1, err)
			}
		}
		if look, err := stream(t.Context(), c, d.Lookup(s, keys), s.Columns); err != nil || len(look) != len(rows) {
			t.Errorf("%s: Lookup finds %d of %d: %v", s.Columns[0].Native, len(look), len(rows), err)
		}
		run(t, db, "DELETE FROM "+s.Name.Table)
	}
	r.pollUntil(t, c)
}

func TestFloatsKeepEveryBit(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, f FLOAT, g DOUBLE)")
	s := source(t, c, "t")
	rnd := rand.New(rand.NewPCG(1, 2))
	var rows [][][]byte
	for i := range 5000 {
		f := math.Float32frombits(rnd.Uint32())
		g := math.Float64frombits(rnd.Uint64())
		if f != f || math.IsInf(float64(f), 0) || math.Abs(float64(f)) < 1.2e-38 {
			f = rnd.Float32()
		}
		if g != g || math.IsInf(g, 0) || math.Abs(g) < 2.3e-308 {
			g = rnd.Float64()
		}
		rows = append(rows, values(i, strconv.FormatFloat(float64(f), 'g', -1, 32), strconv.FormatFloat(g, 'g', -1, 64)))
	}
	if _, err := d.Load(t.Context(), c, s.Name, s.Columns, each(rows...)); err != nil {
		t.Fatal(err)
	}
	for n, row := range all(t, c, s) {
		if text(row) != text(rows[n]) {
			t.Fatalf("%s came back as %s", text(rows[n]), text(row))
		}
	}
}

// A column of any other vendor finds a type that gives its values back.
func TestTypeHoldsWhatItSays(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	columns := []struct {
		c replication.Column
		v []string
	}{
		{replication.Column{Kind: replication.Bool}, []string{"t", "f"}},
		{replication.Column{Kind: replication.Int}, []string{"-9223372036854775808", "9223372036854775807"}},
		{replication.Column{Kind: replication.Decimal, Precision: 20}, []string{"18446744073709551615"}},
		{replication.Column{Kind: replication.Decimal, Precision: 12, Scale: 4}, []string{"-12345678.1234"}},
		{replication.Column{Kind: replication.Decimal}, []string{"0.123456789012345678901234567890"}},
		{replication.Column{Kind: replication.Float, Size: 32}, []string{"1.1"}},
		{replication.Column{Kind: replication.Float, Size: 64}, []string{"0.30000000000000004"}},
		{replication.Column{Kind: replication.Text}, []string{"a", "a ", "A", nasty}},
		{replication.Column{Kind: replication.Text, Size: 60}, []string{"a", "a ", nasty}},
		{replication.Column{Kind: replication.Text, Size: 10000}, []string{strings.Repeat("\U0001F600", 10000)}},
		{replication.Column{Kind: replication.Bytes}, []string{"", "\x00"}},
		{replication.Column{Kind: replication.Bytes, Size: 300}, []string{strings.Repeat("\x00", 300)}},
		{replication.Column{Kind: replication.Date}, []string{"0001-01-01"}},
		{replication.Column{Kind: replication.Time, Scale: 6}, []string{"23:59:59.999999"}},
		{replication.Column{Kind: replication.Timestamp, Scale: 6}, []string{"9999-12-31 23:59:59.999999"}},
		{replication.Column{Kind: replication.Instant, Scale: 6}, []string{"9999-12-31 23:59:59.999999+00", "0001-01-01 00:00:00+00"}},
		{replication.Column{Kind: replication.UUID}, []string{"00112233-4455-6677-8899-aabbccddeeff"}},
		{replication.Column{Kind: replication.JSON}, []string{`{"b":1,"a":1.00000000000000000001}`}},
	}
	made := replication.TargetTable{ID: "made", Name: replication.Name{Table: "made"},
		Columns: []replication.Column{{Name: "id", Kind: replication.Int}}, Key: []int{0}}
	for i, x := range columns {
		x.c.Name, x.c.Nullable = fmt.Sprintf("c%d", i), true
		x.c.Native, _ = d.Type(x.c)
		made.Columns = append(made.Columns, x.c)
	}
	run(t, c, d.Create(made)...)
	run(t, c, d.Create(made)...)
	s := source(t, c, "made")
	for i, want := range made.Columns {
		if got := s.Columns[i]; got.Kind != want.Kind || got.Folds {
			t.Errorf("%s came back as %s, folds %v", want.Kind, got.Kind, got.Folds)
		}
	}
	var rows [][][]byte
	for n := range 4 {
		row := values(n)
		for _, x := range columns {
			row = append(row, []byte(x.v[n%len(x.v)]))
		}
		rows = append(rows, row)
	}
	if _, err := d.Load(t.Context(), c, made.Name, made.Columns, each(rows...)); err != nil {
		t.Fatal(err)
	}
	for n, row := range all(t, c, s) {
		for i := range row {
			if !same(s.Columns[i], row[i], rows[n][i]) {
				t.Errorf("%s: %.80q came back as %.80q", s.Columns[i].Native, rows[n][i], row[i])
			}
		}
	}
	if ddl, loss := d.Type(replication.Column{Kind: replication.Native, Native: "int4range"}); ddl != "" || loss == "" {
		t.Errorf("a range is %q, %q", ddl, loss)
	}
}

func TestTextKeysThatDifferByABlankStayTwo(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	for _, size := range []int{0, 20, 5000} {
		made := replication.TargetTable{ID: "made", Name: replication.Name{Table: fmt.Sprintf("made%d", size)}, Columns: []replication.Column{
			{Name: "a", Kind: replication.Text, Size: size}, {Name: "b", Kind: replication.Bytes, Size: size}, {Name: "c", Kind: replication.UUID}}, Key: []int{0, 1, 2}}
		for i := range made.Columns {
			made.Columns[i].Native, _ = d.Type(made.Columns[i])
		}
		run(t, c, d.Create(made)...)
		u := "00112233-4455-6677-8899-aabbccddeeff"
		var rows [][][]byte
		for _, a := range []string{"", " ", "A", "A\t", "A ", "a", "a ", "á", "\U0001F600"} {
			rows = append(rows, values(a, "x", u), values(a, "x\x00", u))
		}
		if _, err := d.Load(t.Context(), c, made.Name, made.Columns, each(rows...)); err != nil {
			t.Fatal(err)
		}
		s := source(t, c, made.Name.Table)
		if !d.SeeksKeys(s) {
			t.Errorf("no index of %s has the order of the key", s.Columns[0].Native)
		}
		for n, row := range all(t, c, s) {
			if text(row) != text(rows[n]) {
				t.Errorf("row %d is %s, want %s", n, text(row), text(rows[n]))
			}
		}
	}
}
