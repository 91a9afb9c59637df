package postgres_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// staged applies rows as the engine does: values are "1|id|..." or "0|id".
func staged(t *testing.T, c *sql.Conn, tt replication.TargetTable, replace bool, rows ...[][]byte) error {
	t.Helper()
	st := d.Staging(tt)
	do(t, c, st.Create...)
	do(t, c, st.Create...) // again, for the next batch
	do(t, c, st.Clear...)
	tx, err := d.Begin(t.Context(), c, replication.Write)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := d.Relax(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		rows[i] = append([][]byte{fmt.Append(nil, i)}, rows[i]...)
		for len(rows[i]) < 2+len(tt.Columns) {
			rows[i] = append(rows[i], nil)
		}
	}
	columns := append([]replication.Column{{Name: replication.StageNumber, Kind: replication.Int}, {Name: replication.StageExists, Kind: replication.Int}}, tt.Columns...)
	if _, err := d.Load(t.Context(), c, st.Table, columns, rowsOf(rows...)); err != nil {
		return err
	}
	do(t, c, st.Ready...)
	statements := []string{st.DeleteGone, st.Update, st.Insert}
	if replace {
		statements = []string{st.DeleteStaged, st.Insert}
	}
	for _, q := range statements {
		if q == "" {
			continue
		}
		if _, err := c.ExecContext(t.Context(), q); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func targetOf(t *testing.T, c *sql.Conn, name string) replication.TargetTable {
	t.Helper()
	l, err := d.Describe(t.Context(), c, name)
	if err != nil {
		t.Fatal(err)
	}
	return target(source(t, "t", l), l)
}

func contents(t *testing.T, c *sql.Conn, name string) string {
	t.Helper()
	return one[string](t, c, "SELECT COALESCE(string_agg(r::text, ' ' ORDER BY r::text COLLATE \"C\"), '') FROM "+name+" r")
}

func TestApplyDeletesUpdatesAndInserts(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text, w numeric)", "INSERT INTO t VALUES (1, 'a', 1.0), (2, 'b', 2), (3, 'c', 3)")
	tt := targetOf(t, c, "t")
	if err := staged(t, c, tt, false, values("1", "1", "a", "1.00"), values("0", "2"), values("1", "4", "NULL", "NaN"), values("0", "9")); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, c, "t"), "(1,a,1.00) (3,c,3) (4,,NaN)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUnchangedRowsAreNotWritten(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TYPE pair AS (a int, b int)", "CREATE TABLE t (id int PRIMARY KEY, a text, b json, c jsonb, d point, e float8, f numeric, g interval, h xml, i pair, j bytea, k int[])")
	tt := targetOf(t, c, "t")
	row := func() [][]byte {
		return values("1", "1", "x", `{ "a": 1 }`, `{"a": 1}`, "(1,2)", "0", "1.0", "24:00:00", "<a/>", "(1,)", "\x00\x01", "{1}")
	}
	empty := func() [][]byte { return values("1", "2") }
	if err := staged(t, c, tt, false, row(), empty()); err != nil {
		t.Fatal(err)
	}
	before := one[string](t, c, "SELECT string_agg(ctid::text || xmin, ' ') FROM t")
	if err := staged(t, c, tt, false, row(), empty()); err != nil {
		t.Fatal(err)
	}
	if after := one[string](t, c, "SELECT string_agg(ctid::text || xmin, ' ') FROM t"); after != before {
		t.Errorf("rows were written: %s, before %s", after, before)
	}
	// What is equal to the database, but not the same text, is written.
	other := values("1", "1", "x", `{"a": 1}`, `{"a": 1}`, "(1,2)", "-0", "1.00", "1 day", "<a/>", "(1,)", "\x00\x01", "{1}")
	if err := staged(t, c, tt, false, other); err != nil {
		t.Fatal(err)
	}
	if got := one[string](t, c, "SELECT concat_ws(' ', b, e, f, g) FROM t WHERE id = 1"); got != `{"a": 1} -0 1.00 1 day` {
		t.Errorf("the row has %s", got)
	}
}

func TestApplyReachesColumnsThatDatabasesMakeDifficult(t *testing.T) {
	c := session(t, open(t))
	for _, tc := range []struct {
		ddl  string
		want string
	}{
		{"id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text", "(1,x) (3,z)"},
		{"id int PRIMARY KEY, v int GENERATED ALWAYS AS IDENTITY", "(1,7) (3,9)"},
		{"id int PRIMARY KEY, v any_base NOT NULL", "(1,7) (3,9)"},
		{"id any_base PRIMARY KEY, v int, c int GENERATED ALWAYS AS (v * 2) STORED", "(1,7,14) (3,9,18)"},
	} {
		do(t, c, "DROP TABLE IF EXISTS t CASCADE", "DROP DOMAIN IF EXISTS any_base", "DROP DOMAIN IF EXISTS base", "CREATE DOMAIN base AS int NOT NULL", "CREATE DOMAIN any_base AS base CHECK (VALUE < 100)",
			"CREATE TABLE t ("+tc.ddl+")", "INSERT INTO t (id, v) OVERRIDING SYSTEM VALUE VALUES (1, '1'), (2, '2')")
		tt := targetOf(t, c, "t")
		one, three := "7", "9"
		if strings.Contains(tc.ddl, "text") {
			one, three = "x", "z"
		}
		if err := staged(t, c, tt, false, values("1", "1", one), values("0", "2"), values("1", "3", three)); err != nil {
			t.Errorf("%s: %v", tc.ddl, err)
			continue
		}
		if got := contents(t, c, "t"); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.ddl, got, tc.want)
		}
	}
}

func TestUniqueValuesMoveByDeleteAndInsert(t *testing.T) {
	c := session(t, open(t))
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY, seat int UNIQUE, a int, b int, UNIQUE (a, b))", "INSERT INTO t SELECT i, i, i, i FROM generate_series(1, 5) i")
	tt := targetOf(t, c, "t")
	swap := func() [][][]byte {
		return [][][]byte{values("1", "1", "2", "1", "1"), values("1", "2", "1", "2", "2")}
	}
	err := staged(t, c, tt, false, swap()...)
	if d.Fault(err) != replication.Unique {
		t.Fatalf("a swap by Update = %v, want a unique violation", err)
	}
	if err := staged(t, c, tt, true, swap()...); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, c, "t"); !strings.HasPrefix(got, "(1,2,1,1) (2,1,2,2)") {
		t.Errorf("%s", got)
	}
	// Rivals: rows 3 and 4 hold values that the master gives to row 6.
	st := d.Staging(tt)
	tx, err := d.Begin(t.Context(), c, replication.Write)
	if err != nil {
		t.Fatal(err)
	}
	columns := append([]replication.Column{{Name: replication.StageNumber, Kind: replication.Int}, {Name: replication.StageExists, Kind: replication.Int}}, tt.Columns...)
	if _, err := d.Load(t.Context(), c, st.Table, columns, rowsOf(values("0", "1", "6", "3", "4", "4"), values("1", "1", "5", "5", "5", "5"))); err != nil {
		t.Fatal(err)
	}
	do(t, c, st.DeleteRivals...)
	do(t, c, st.Update, st.Insert)
	if got := contents(t, c, "t"); got != "(1,2,1,1) (2,1,2,2) (5,5,5,5) (6,3,4,4)" {
		t.Errorf("%s", got)
	}
	if _, err := c.ExecContext(t.Context(), d.Bind(st.Keep), 1, 2); err != nil {
		t.Fatal(err)
	}
	do(t, c, st.DeleteOthers)
	if got := contents(t, c, "t"); got != "(5,5,5,5)" {
		t.Errorf("after DeleteOthers: %s", got)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := one[int](t, c, "SELECT count(*) FROM "+d.Quote(st.Table)); n != 0 {
		t.Errorf("%d staged rows outlive their transaction", n)
	}
}

// Cascades of the master arrive as changes; the replica's own do not run, and
// order does not matter, if the role may turn them off.
func TestRelaxAllowsAnyOrder(t *testing.T) {
	db := open(t)
	c := session(t, db)
	do(t, c, "CREATE TABLE parent (id int PRIMARY KEY)", "CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE)",
		"CREATE TABLE later (id int PRIMARY KEY, p int REFERENCES parent DEFERRABLE)", "INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (1, 1)")
	role := one[string](t, c, "SELECT 'plain_' || oid FROM pg_database WHERE datname = current_database()")
	do(t, c, "CREATE ROLE "+role, "GRANT ALL ON parent, child, later TO "+role)
	t.Cleanup(func() { _, _ = db.Exec("DROP OWNED BY " + role + "; DROP ROLE " + role) })
	for _, plain := range []bool{false, true} {
		if plain {
			do(t, c, "SET ROLE "+role)
		}
		tx, err := d.Begin(t.Context(), c, replication.Write)
		if err != nil {
			t.Fatal(err)
		}
		ordered, err := d.Relax(t.Context(), c)
		if err != nil || ordered != plain {
			t.Fatalf("Relax of a plain role (%v) = %v, %v", plain, ordered, err)
		}
		do(t, c, "INSERT INTO later VALUES (1, 7)") // before its parent
		if !plain {
			do(t, c, "INSERT INTO child VALUES (2, 7)", "DELETE FROM parent WHERE id = 1", "INSERT INTO parent VALUES (1)")
		}
		do(t, c, "INSERT INTO parent VALUES (7)")
		if n := one[int](t, c, "SELECT count(*) FROM child WHERE p = 1"); n != 1 {
			t.Error("the replica's cascade ran")
		}
		if plain {
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		} else if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// Select's order is that of CompareKeys, whatever the columns' collations, and
// its pages are whole.
func TestSelectPagesAreInOrderOfBytes(t *testing.T) {
	c := session(t, open(t))
	texts := []string{"", " ", "a", "A", "B", "b", "ä", "Z", "z", "aa", "a a", "a-a", "🜂", "~", "\u00e9", "e", "'", `\`, "é2"}
	do(t, c, explainer, "CREATE TYPE e AS ENUM ('z', 'A', 'b', 'B', 'a')")
	for _, tc := range []struct {
		ddl    string
		seeks  bool
		values []string
	}{
		{`text COLLATE "und-x-icu"`, false, texts}, {`text COLLATE "C"`, true, texts}, {`text`, false, texts}, {`varchar(20) COLLATE "POSIX"`, true, texts},
		{`char(3) COLLATE "C"`, true, []string{"", "a", "b", "ab", "a\t"}},
		{"int", true, []string{"-5", "10", "9", "0"}}, {"numeric", true, []string{"1e5", "10", "9.5", "-3", "NaN", "Infinity"}}, {"bytea", true, []string{`\x`, `\x00`, `\xff`, `\x00ff`, `\x7f`}},
		{"uuid", true, []string{"00000000-0000-0000-0000-000000000001", "f0000000-0000-0000-0000-000000000000"}}, {"date", true, []string{"2020-01-01", "0500-01-01"}},
		{"timestamptz", true, []string{"2020-01-01 00:00:00.5+00", "2020-01-01 00:00:00+00", "2020-01-01 00:00:00.45+00"}}, {"e", false, []string{"z", "A", "b", "B", "a"}},
		{"boolean", true, []string{"t", "f"}}, {"float8", true, []string{"1e20", "2", "-1e-5", "NaN"}}, {"inet", false, []string{"10.0.0.1", "9.0.0.1", "::1"}}, {"jsonb", false, []string{"1", `"a"`, "[]"}},
	} {
		do(t, c, "DROP TABLE IF EXISTS t", "CREATE TABLE t (n int, k "+tc.ddl+", v text, PRIMARY KEY (k, n))")
		for _, v := range tc.values {
			for n := range 2 {
				if _, err := c.ExecContext(t.Context(), "INSERT INTO t VALUES ("+fmt.Sprint(n)+", '"+strings.ReplaceAll(v, "'", "''")+"', 'x')"); err != nil {
					t.Fatal(err)
				}
			}
		}
		src := table(t, c, "t", "t")
		if got := d.SeeksKeys(src); got != tc.seeks {
			t.Errorf("%s: SeeksKeys = %v", tc.ddl, got)
		}
		var keys [][][]byte
		read := func(after [][]byte, limit int) (page [][][]byte) {
			err := d.Stream(t.Context(), c, d.Select(src, after, limit), src.Columns, func(row [][]byte) error {
				page = append(page, [][]byte{slices.Clone(row[1]), slices.Clone(row[0])})
				return nil
			})
			if err != nil {
				t.Fatalf("%s: %v", tc.ddl, err)
			}
			return page
		}
		for page := read(nil, 3); len(page) > 0; page = read(keys[len(keys)-1], 3) {
			if keys = append(keys, page...); len(keys) > 100 {
				t.Fatalf("%s: the pages have no end: %q", tc.ddl, keys[:20])
			}
		}
		if len(keys) != 2*len(tc.values) {
			t.Fatalf("%s: %d rows on the pages, want %d", tc.ddl, len(keys), 2*len(tc.values))
		}
		columns := src.KeyColumns()
		for i := 1; i < len(keys); i++ {
			if replication.CompareKeys(columns, keys[i-1], keys[i]) >= 0 {
				t.Errorf("%s: %q comes before %q", tc.ddl, keys[i-1], keys[i])
			}
		}
		found := 0
		if err := d.Stream(t.Context(), c, d.Lookup(src, append(keys[:4:4], keys[1])), src.Columns, func([][]byte) error { found++; return nil }); err != nil || found != 4 {
			t.Errorf("%s: Lookup finds %d of 4: %v", tc.ddl, found, err)
		}
		if tc.seeks {
			do(t, c, "SET enable_seqscan = off", "SET enable_sort = off")
			if plan := explain(t, c, d.Select(src, keys[0], 3)); strings.Contains(plan, "Sort") || !strings.Contains(plan, "Index Cond") {
				t.Errorf("%s: does not seek:\n%s", tc.ddl, plan)
			}
			do(t, c, "RESET enable_seqscan", "RESET enable_sort")
		}
	}
}

func TestLookupUsesTheIndexAndTellsApartTexts(t *testing.T) {
	c := session(t, open(t))
	do(t, c, explainer, "CREATE TABLE t (a int, b text, v text, PRIMARY KEY (a, b))", "INSERT INTO t SELECT i, 'b' || i, 'x' FROM generate_series(1, 50000) i", "ANALYZE t",
		"CREATE COLLATION folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false)", "CREATE TABLE f (k text COLLATE folds PRIMARY KEY)", "INSERT INTO f VALUES ('A')")
	src := table(t, c, "t", "t")
	var keys [][][]byte
	for i := range 1000 {
		keys = append(keys, values(fmt.Sprint(i*40+1), fmt.Sprintf("b%d", i*40+1)))
	}
	if plan := explain(t, c, d.Lookup(src, keys)); strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "rows=1000") {
		t.Errorf("Lookup of 1000 keys:\n%.2000s", plan)
	}
	if plan := explain(t, c, d.Lookup(src, nil)); !strings.Contains(plan, "rows=0") {
		t.Errorf("Lookup of no key:\n%s", plan)
	}
	f := table(t, c, "f", "f")
	for key, want := range map[string]int{"A": 1, "a": 0} {
		n := 0
		if err := d.Stream(t.Context(), c, d.Lookup(f, [][][]byte{values(key)}), f.Columns, func([][]byte) error { n++; return nil }); err != nil || n != want {
			t.Errorf("Lookup of %s finds %d: %v", key, n, err)
		}
	}
}

func TestCreatedTableHoldsWhatItsColumnsSay(t *testing.T) {
	c := session(t, open(t))
	tt := replication.TargetTable{ID: "t", Name: replication.Name{Schema: `new "schema"`, Table: "T"}, Key: []int{1, 0}}
	for i, k := range []replication.Column{{Kind: replication.Text, Size: 40}, {Kind: replication.Int}, {Kind: replication.Text, Folds: true}, {Kind: replication.Bool}, {Kind: replication.Decimal, Precision: 10, Scale: 2},
		{Kind: replication.Decimal}, {Kind: replication.Float, Size: 32}, {Kind: replication.Float, Size: 64}, {Kind: replication.Text, Size: 5, Fixed: true}, {Kind: replication.Bytes, Size: 16}, {Kind: replication.Date},
		{Kind: replication.Time, Scale: 3}, {Kind: replication.Timestamp, Scale: 6}, {Kind: replication.Instant}, {Kind: replication.UUID}, {Kind: replication.JSON}, {Kind: replication.Native, Native: "interval"}, {Kind: replication.Int, Size: 16}} {
		k.Name, k.Nullable = fmt.Sprintf("C %d", i), i > 1
		ddl, loss := d.Type(k)
		if ddl == "" || loss != "" {
			t.Errorf("%v: type %q, loss %q", k, ddl, loss)
		}
		k.Native = ddl
		tt.Columns = append(tt.Columns, k)
	}
	do(t, c, d.Create(tt)...)
	l, err := d.Describe(t.Context(), c, `new "schema".T`)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(l.Key, []string{"C 1", "C 0"}) || !d.SeeksKeys(source(t, "t", l)) {
		t.Errorf("key %v, seeks %v", l.Key, d.SeeksKeys(source(t, "t", l)))
	}
	for i, got := range l.Columns {
		want := tt.Columns[i]
		if want.Kind == replication.Int && want.Size == 0 {
			want.Size = 64
		}
		want.Folds, want.Native = false, got.Native
		if want.Kind == replication.Bytes {
			want.Size = 0
		}
		if got != want {
			t.Errorf("column %d is %+v, want %+v", i, got, want)
		}
	}
	if _, loss := d.Type(replication.Column{Kind: replication.Timestamp, Scale: 9}); loss == "" {
		t.Error("nine digits of seconds are no loss")
	}
}
