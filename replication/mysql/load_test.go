package mysql_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

func TestTwentyMegabytes(t *testing.T) {
	if testing.Short() {
		t.Skip("20 MB")
	}
	db := database(t)
	run(t, db, "SET GLOBAL max_allowed_packet=67108864", "CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT CHARACTER SET utf8mb4, b LONGBLOB)")
	fresh := open(t, serverConfig(t, db)) // the limit is read when a session begins
	c := conn(t, fresh)
	s := source(t, c, "t")
	text := func(megabytes int) string { return strings.Repeat("0123456789é\n\t\\", megabytes<<20/15) }
	first, long := text(2), text(20)
	rows := [][][]byte{values(0, first, first), // by INSERT, the others by LOAD DATA
		values(1, long, nil), values(2, nil, text(4)), values(3, "", "")}
	if _, err := d.Load(t.Context(), c, s.Name, s.Columns, each(rows...)); err != nil {
		t.Fatal(err)
	}
	for n, row := range all(t, c, s) {
		for i := range row {
			if !same(s.Columns[i], row[i], rows[n][i]) {
				t.Errorf("row %d: %s did not come back", n, s.Columns[i].Name)
			}
		}
	}
}

// What the server would change is refused, with the column and the value.
func TestWhatCannotBeReadIsALoss(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	app := plainConn(t, db)
	run(t, app, "SET sql_mode='ALLOW_INVALID_DATES'",
		"CREATE TABLE t (id INT PRIMARY KEY, d DATE, dt DATETIME, ts TIMESTAMP NULL, ti TIME, b TINYINT(1) COMMENT 'ashlar:bool')")
	for column, bad := range map[string][]string{
		"d":  {"0000-00-00", "2020-00-10", "2020-02-00", "2020-02-30"},
		"dt": {"0000-00-00 00:00:00", "2021-02-29 00:00:00"},
		"ts": {"0000-00-00 00:00:00"},
		"ti": {"24:00:00", "-00:00:01", "838:59:59"},
		"b":  {"2", "-1"},
	} {
		for _, v := range bad {
			run(t, app, "DELETE FROM t", "INSERT INTO t (id, "+column+") VALUES (1, '"+v+"')")
			s := source(t, c, "t")
			_, err := stream(t.Context(), c, d.Select(s, nil, 0), s.Columns)
			loss, ok := errors.AsType[*replication.TypeLossError](err)
			if !ok || loss.Column != column || loss.Value != v {
				t.Errorf("%s = %s: %v", column, v, err)
			}
		}
	}
}

func TestWhatCannotBeStoredIsALoss(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, ti TINYINT, v VARCHAR(3), l VARCHAR(9) CHARACTER SET latin1, de DECIMAL(4,1), f FLOAT,"+
		" e ENUM('a','b'), se SET('a','b'), bi BINARY(3), vb VARBINARY(3), da DATE, dt DATETIME(3), ts TIMESTAMP NULL, y YEAR, bt BIT(3), bo TINYINT(1) COMMENT 'ashlar:bool', j JSON, n INT NOT NULL)")
	s := source(t, c, "t")
	index := func(name string) int { return positions(s.Columns, []string{name})[0] }
	bad := map[string][]string{
		"ti": {"128", "1.5", "x", ""},
		"v":  {"long", "abc ", "\U0001F600\U0001F600\U0001F600\U0001F600"},
		"l":  {"漢", "\U0001F600"},
		"de": {"1.25", "1000", "NaN", "Infinity", "-Infinity"},
		"f":  {"NaN", "Infinity", "-Infinity", "1e39"},
		"e":  {"c", "1", "A", "", "2"},
		"se": {"c", "1", "a,c", "3"},
		"bi": {"ab", "abcd", ""},
		"vb": {"abcd", "ab\x00\x00"},
		"da": {"2020-01-01 00:00:01", "0000-00-00", "2020-02-30", "x"},
		"dt": {"2020-01-01 00:00:00.1234", "0000-00-00 00:00:00", "10000-01-01 00:00:00"},
		"ts": {"1969-12-31 23:59:59+00", "2038-01-19 03:14:08+00", "9999-01-01 00:00:00+00", "2020-01-01 00:00:00.5+00"},
		"y":  {"1900", "2156", "70", "1", "-1"},
		"bt": {"8", "-1", "1.5"},
		"bo": {"2", "x"},
	}
	for column, list := range bad {
		for _, v := range list {
			for _, pad := range []int{0, 400} {
				rows := [][][]byte{}
				for n := range pad + 1 {
					row := make([][]byte, len(s.Columns))
					row[0], row[index("n")] = fmt.Append(nil, n), []byte("1")
					rows = append(rows, row)
				}
				rows[pad][index(column)] = []byte(v)
				tx, err := d.Begin(t.Context(), c, replication.Write)
				if err != nil {
					t.Fatal(err)
				}
				_, err = d.Load(t.Context(), c, s.Name, s.Columns, each(rows...))
				loss, ok := errors.AsType[*replication.TypeLossError](err)
				if !ok || loss.Column != column || !errors.Is(err, replication.ErrTypeLoss) {
					t.Errorf("%s = %q after %d rows: %v", column, v, pad, err)
				} else if d.Fault(err) != replication.Integrity {
					t.Errorf("%s = %q: fault %d", column, v, d.Fault(err))
				}
				if err := tx.Rollback(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// What is wrong otherwise has its fault.
	for name, test := range map[string]struct {
		fault replication.Fault
		row   func(row [][]byte)
	}{
		"duplicate":    {replication.Unique, func(row [][]byte) { row[0] = []byte("0") }},
		"NULL":         {replication.Integrity, func(row [][]byte) { row[index("n")] = nil }},
		"invalid JSON": {replication.Integrity, func(row [][]byte) { row[index("j")] = []byte("{") }},
	} {
		for _, pad := range []int{1, 400} {
			rows := [][][]byte{}
			for n := range pad + 1 {
				row := make([][]byte, len(s.Columns))
				row[0], row[index("n")] = fmt.Append(nil, n), []byte("1")
				rows = append(rows, row)
			}
			test.row(rows[pad])
			tx, err := d.Begin(t.Context(), c, replication.Write)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = d.Load(t.Context(), c, s.Name, s.Columns, each(rows...)); d.Fault(err) != test.fault {
				t.Errorf("%s after %d rows: fault %d, %v", name, pad, d.Fault(err), err)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLoadReturnsTheErrorOfItsSource(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
	s := source(t, c, "t")
	want := errors.New("the other side")
	for _, pad := range []int{0, 10, 20000} {
		n := 0
		_, err := d.Load(t.Context(), c, s.Name, s.Columns, func() ([][]byte, error) {
			if n++; n > pad {
				return nil, want
			}
			return values(n), nil
		})
		if err != want {
			t.Errorf("after %d rows: %v", pad, err)
		}
		run(t, c, "TRUNCATE t") // the connection is whole
	}
}

func TestStreamReturnsTheErrorOfItsReader(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT seq FROM seq_1_to_50000")
	s := source(t, c, "t")
	want := errors.New("enough")
	for limit, lives := range map[int]bool{500: true, 0: false} {
		c := conn(t, db)
		err := d.Stream(t.Context(), c, d.Select(s, nil, limit), s.Columns, func([][]byte) error { return want })
		if err != want {
			t.Errorf("Stream = %v", err)
		}
		if err := c.PingContext(t.Context()); (err == nil) != lives {
			t.Errorf("with limit %d: ping = %v", limit, err)
		}
	}
}
