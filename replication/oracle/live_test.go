package oracle_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/oracle"
)

// live returns connections to the Oracle server that ASHLAR_ORACLE_DSN names.
// The tests make tables called ASHLAR_T_... in its user's schema, and drop them.
func live(t *testing.T, n int) []*sql.Conn {
	t.Helper()
	dsn := os.Getenv("ASHLAR_ORACLE_DSN")
	if dsn == "" {
		t.Skip("ASHLAR_ORACLE_DSN is not set: what needs an Oracle server is not tested")
	}
	db, err := oracle.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conns := make([]*sql.Conn, n)
	for i := range conns {
		if conns[i], err = db.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conns[i].Close() })
		if err := dialect.Prepare(t.Context(), conns[i]); err != nil {
			t.Fatal(err)
		}
	}
	return conns
}

func drop(t *testing.T, c *sql.Conn, what string) {
	if _, err := c.ExecContext(context.WithoutCancel(t.Context()), "DROP "+what); err != nil && dialect.Fault(err) != Missing {
		t.Error(err)
	}
}

// captured makes a table, installs its capture and describes it.
func captured(t *testing.T, c *sql.Conn, name, columns string) SourceTable {
	t.Helper()
	drop(t, c, "TABLE "+name+" PURGE")
	run(t, c, "CREATE TABLE "+name+" ("+columns+")")
	l, err := dialect.Describe(t.Context(), c, name)
	if err != nil {
		t.Fatal(err)
	}
	source := SourceTable{ID: "t_" + strings.ToLower(name[len("ASHLAR_T_"):]), Name: l.Name, Columns: l.Columns}
	for _, k := range l.Key {
		source.Key = append(source.Key, slices.IndexFunc(l.Columns, func(c Column) bool { return c.Name == k }))
	}
	tables := []SourceTable{source}
	t.Cleanup(func() {
		for _, q := range dialect.Uninstall("live", tables) {
			if _, err := c.ExecContext(context.WithoutCancel(t.Context()), q); err != nil {
				t.Error(err)
			}
		}
		drop(t, c, "TABLE "+name+" PURGE")
	})
	for range 2 { // it can be run again
		run(t, c, dialect.Install("live", tables)...)
	}
	return source
}

// poll sequences, and returns the position and the changed rows since from as
// text, the key first and gone rows with a minus.
func poll(t *testing.T, c *sql.Conn, source SourceTable, from string) (at string, change Change, rows []string) {
	t.Helper()
	tables := []SourceTable{source}
	if err := dialect.Sequence(t.Context(), c, "live", tables); err != nil {
		t.Fatal(err)
	}
	tx, err := dialect.Begin(t.Context(), c, ReadSnapshot)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if at, err = dialect.Now(t.Context(), c, "live"); err != nil {
		t.Fatal(err)
	}
	if from == "" {
		return at, Nothing, nil
	}
	changes, err := dialect.Changed(t.Context(), c, "live", tables, from, at)
	if err != nil {
		t.Fatal(err)
	}
	columns := append([]Column{{Kind: Int}}, source.Columns...)
	err = dialect.Stream(t.Context(), c, dialect.Changes("live", source, from, at, changes[0]), columns, func(row [][]byte) error {
		text := ""
		if string(row[0]) == "0" {
			text = "-"
		}
		for i, v := range row[1:] {
			if i > 0 {
				text += "|"
			}
			text += string(v)
		}
		rows = append(rows, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(rows)
	return at, changes[0], rows
}

func TestLiveCaptureInCommitOrder(t *testing.T) {
	conns := live(t, 2)
	c, writer := conns[0], conns[1]
	source := captured(t, c, "ASHLAR_T_CAPTURE", "ID NUMBER(9) PRIMARY KEY, V VARCHAR2(20 CHAR)")
	at, _, _ := poll(t, c, source, "")

	early, err := writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := early.ExecContext(t.Context(), "INSERT INTO ASHLAR_T_CAPTURE VALUES (1, 'early')"); err != nil {
		t.Fatal(err)
	}
	run(t, c, "INSERT INTO ASHLAR_T_CAPTURE VALUES (2, 'late')")
	after, change, rows := poll(t, c, source, at)
	if change != SomeKeys || !slices.Equal(rows, []string{"2|late"}) {
		t.Errorf("first: %d %q", change, rows)
	}
	if err := early.Commit(); err != nil {
		t.Fatal(err)
	}
	at = after
	after, _, rows = poll(t, c, source, at)
	if !slices.Contains(rows, "1|early") {
		t.Errorf("the older transaction is lost: %q", rows)
	}
	at = after
	run(t, c, "UPDATE ASHLAR_T_CAPTURE SET ID = 3 WHERE ID = 1", "DELETE FROM ASHLAR_T_CAPTURE WHERE ID = 2")
	after, _, rows = poll(t, c, source, at)
	if !slices.Equal(rows, []string{"-1|", "-2|", "3|early"}) {
		t.Errorf("key update and delete: %q", rows)
	}
	if !dialect.Covers(after, at) {
		t.Errorf("%s does not cover %s", after, at)
	}
	at = after
	if _, change, rows = poll(t, c, source, at); change != Nothing || len(rows) > 0 {
		t.Errorf("nothing: %d %q", change, rows)
	}
	run(t, c, "TRUNCATE TABLE ASHLAR_T_CAPTURE")
	if _, change, _ = poll(t, c, source, at); change != AllRows {
		t.Errorf("TRUNCATE is %d", change)
	}
	if n, err := dialect.Trim(t.Context(), c, "live", []SourceTable{source}, nil); err != nil || n != 0 {
		t.Errorf("%d rows are left, %v", n, err)
	}
}

func TestLiveDisabledTriggerIsSeen(t *testing.T) {
	c := live(t, 1)[0]
	source := captured(t, c, "ASHLAR_T_DRIFT", "ID NUMBER(9) PRIMARY KEY")
	print := func() string {
		prints, err := dialect.Fingerprint(t.Context(), c, "live", []SourceTable{source})
		if err != nil {
			t.Fatal(err)
		}
		return prints[0]
	}
	whole := print()
	if whole == "" || print() != whole {
		t.Fatalf("%q and %q", whole, print())
	}
	time.Sleep(1100 * time.Millisecond) // LAST_DDL_TIME has seconds
	run(t, c, "ALTER TABLE ASHLAR_T_DRIFT DISABLE ALL TRIGGERS")
	if print() != "" {
		t.Error("a disabled trigger passes for whole")
	}
	run(t, c, "ALTER TABLE ASHLAR_T_DRIFT ENABLE ALL TRIGGERS")
	if got := print(); got == "" || got == whole {
		t.Errorf("enabled again: %q, before %q", got, whole)
	}
}

func TestLiveLockExcludes(t *testing.T) {
	conns := live(t, 2)
	name := "ashlar/live/" + strconv.FormatInt(time.Now().UnixNano(), 36)
	for _, want := range []struct {
		conn int
		ok   bool
	}{{0, true}, {1, false}, {0, true}} {
		if ok, err := dialect.TryLock(t.Context(), conns[want.conn], name); err != nil || ok != want.ok {
			t.Fatalf("connection %d: %t, %v", want.conn, ok, err)
		}
	}
	_ = conns[0].Raw(func(any) error { return driver.ErrBadConn })
	conns[0].Close()
	for range 50 {
		if ok, err := dialect.TryLock(t.Context(), conns[1], name); err != nil {
			t.Fatal(err)
		} else if ok {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the lock outlived its connection")
}

// TestLiveValuesRoundTrip loads each value and reads it back.
func TestLiveValuesRoundTrip(t *testing.T) {
	c := live(t, 1)[0]
	drop(t, c, "TABLE ASHLAR_T_VALUES PURGE")
	run(t, c, "CREATE TABLE ASHLAR_T_VALUES (K NUMBER(9) PRIMARY KEY, N NUMBER, P NUMBER(10,2), BF BINARY_FLOAT, BD BINARY_DOUBLE, T VARCHAR2(1000 CHAR), C CHAR(5 CHAR), NV NVARCHAR2(100),\n"+
		"CL CLOB, NCL NCLOB, R RAW(100), BL BLOB, D DATE, TS TIMESTAMP(9), TZ TIMESTAMP(9) WITH TIME ZONE, LTZ TIMESTAMP(6) WITH LOCAL TIME ZONE, YM INTERVAL YEAR TO MONTH, DS INTERVAL DAY TO SECOND)")
	t.Cleanup(func() { drop(t, c, "TABLE ASHLAR_T_VALUES PURGE") })
	l, err := dialect.Describe(t.Context(), c, "ashlar_t_values")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("long \U0001F600 ", 2000)
	rows := [][][]byte{
		values("1", "0", "0", "0", "0", "a", "a", "a", "", "", "\x00", "", "0001-01-01 00:00:00", "0001-01-01 00:00:00", "0001-01-01 00:00:00+00", "2000-01-01 00:00:00+00", "+00-00", "+00 00:00:00.000000"),
		values("2", "-"+strings.Repeat("9", 38), "-99999999.99", "-Infinity", "NaN", "tab\t nl\n \\N '' \U0001F600", "ä", "\U0001F600", long, long, "\xff\x00", strings.Repeat("\x00\xff", 20000), "9999-12-31 23:59:59", "9999-12-31 23:59:59.999999999", "2024-02-29 23:59:59.5+00", "2024-02-29 23:59:59.123456+00", "-01-02", "-01 02:03:04.500000"),
		values("3", "0."+strings.Repeat("3", 38), "0.01", "3.4028235e+38", "1.7976931348623157e+308", "x", "x", "x", "x", "x", "x", "x", "1582-10-15 00:00:00", "1969-12-31 23:59:59.000000001", "1970-01-01 00:00:00+00", "1970-01-01 00:00:00+00", "+99-11", "+99 23:59:59.999999"),
		append(values("4"), make([][]byte, len(l.Columns)-1)...),
	}
	tx, err := dialect.Begin(t.Context(), c, Write)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := dialect.Load(t.Context(), c, l.Name, l.Columns, rowsOf(rows...)); err != nil || n != int64(len(rows)) {
		t.Fatal(n, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	source := SourceTable{Name: l.Name, Columns: l.Columns, Key: []int{0}}
	for _, q := range []string{dialect.Select(source, nil, 0), dialect.Select(source, values("0"), 100), dialect.Lookup(source, [][][]byte{values("1"), values("2"), values("3"), values("4")})} {
		seen := 0
		err = dialect.Stream(t.Context(), c, q, l.Columns, func(row [][]byte) error {
			k, err := strconv.Atoi(string(row[0]))
			if err != nil || k < 1 || k > len(rows) {
				return errors.New("unknown row " + string(row[0]))
			}
			seen++
			for i, v := range row {
				if want := rows[k-1][i]; (v == nil) != (want == nil) || string(v) != string(want) {
					t.Errorf("row %d, %s: %.60q, want %.60q", k, l.Columns[i].Name, v, want)
				}
			}
			return nil
		})
		if err != nil || seen != len(rows) {
			t.Errorf("%d rows, %v", seen, err)
		}
	}
}

// TestLiveStagingBringsATableUpToDate, and flips nothing else.
func TestLiveStagingBringsATableUpToDate(t *testing.T) {
	c := live(t, 1)[0]
	drop(t, c, "TABLE ASHLAR_T_STAGING PURGE")
	run(t, c, "CREATE TABLE ASHLAR_T_STAGING (ID NUMBER(9) PRIMARY KEY, U VARCHAR2(10 CHAR) UNIQUE, CL CLOB)",
		"INSERT INTO ASHLAR_T_STAGING VALUES (1, 'a', 'x')", "INSERT INTO ASHLAR_T_STAGING VALUES (2, 'b', NULL)", "INSERT INTO ASHLAR_T_STAGING VALUES (3, 'c', 'z')")
	t.Cleanup(func() { drop(t, c, "TABLE ASHLAR_T_STAGING PURGE") })
	l, err := dialect.Describe(t.Context(), c, "ASHLAR_T_STAGING")
	if err != nil {
		t.Fatal(err)
	}
	target := TargetTable{ID: "t_staging", Name: l.Name, Columns: l.Columns, Key: []int{0}, Unique: l.Unique}
	st := dialect.Staging(target)
	run(t, c, st.Create...)
	run(t, c, st.Create...)
	t.Cleanup(func() { drop(t, c, "TABLE "+dialect.Quote(st.Table)) })
	columns := append([]Column{{Name: StageNumber, Kind: Int, Native: "bigint"}, {Name: StageExists, Kind: Int, Native: "bigint"}}, l.Columns...)
	tx, err := dialect.Begin(t.Context(), c, Write)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := dialect.Relax(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := dialect.Load(t.Context(), c, st.Table, columns, rowsOf(
		append(values("0", "0", "1"), nil, nil), values("1", "1", "2", "B", "now"), append(values("2", "1", "4", "c"), nil))); err != nil {
		t.Fatal(err)
	}
	run(t, c, st.DeleteGone)
	run(t, c, st.DeleteRivals...) // 3 has 4's c
	run(t, c, st.Update, st.Insert)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = dialect.Stream(t.Context(), c, dialect.Select(SourceTable{Name: l.Name, Columns: l.Columns, Key: []int{0}}, nil, 0), l.Columns, func(row [][]byte) error {
		got = append(got, string(row[0])+string(row[1])+string(row[2]))
		return nil
	})
	if want := []string{"2Bnow", "4c"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestLiveFlipShowsTheOtherCopy(t *testing.T) {
	c := live(t, 1)[0]
	target := TargetTable{ID: "t_flip", Name: Name{Table: "ashlar_t_flip"}, Columns: []Column{{Name: "id", Kind: Int, Native: "bigint"}}, Key: []int{0}}
	p := dialect.Publish(target)
	t.Cleanup(func() {
		drop(t, c, "VIEW ASHLAR_T_FLIP")
		drop(t, c, "TABLE "+dialect.Quote(p.Copies(0)))
		drop(t, c, "TABLE "+dialect.Quote(p.Copies(1)))
	})
	run(t, c, p.Create...)
	run(t, c, p.Create...)
	var public int
	if err := c.QueryRowContext(t.Context(), p.Public).Scan(&public); err != nil {
		t.Fatal(err)
	}
	run(t, c, p.Clear(1-public)...)
	if _, err := dialect.Load(t.Context(), c, p.Copies(1-public), target.Columns, rowsOf(values("7"))); err != nil {
		t.Fatal(err)
	}
	run(t, c, p.Ready(1-public)...)
	run(t, c, dialect.Flip([]TargetTable{target}, []int{1 - public})...)
	l, err := dialect.Describe(t.Context(), c, "ashlar_t_flip")
	if err != nil || !l.View || l.Columns[0].Native != "NUMBER(19,0)" {
		t.Errorf("%+v, %v", l, err)
	}
	var id int
	if err := c.QueryRowContext(t.Context(), "SELECT ID FROM ASHLAR_T_FLIP").Scan(&id); err != nil || id != 7 {
		t.Error(id, err)
	}
}
