package oracle_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	. "github.com/ashlar-go/ashlar/replication"
)

var articles = []SourceTable{samples[0].source}

func row(values ...any) [][]any { return [][]any{values} }

// words of a sequencing, in its order
var sequencing = []string{"BEGIN", "ROLLBACK", "SERIALIZABLE", "FOR UPDATE NOWAIT", "MERGE", "DELETE", "SET p.SIG", "SET BATCH", "COMMIT", "UNDONE"}

func TestSequenceIsOneSerializableTransaction(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "DUE", rows: row("1")}, &rule{words: "FOR UPDATE", rows: row("17")}, &rule{words: "MERGE", affected: 2})
	if err := dialect.Sequence(t.Context(), c, "g", articles); err != nil {
		t.Fatal(err)
	}
	if got, want := s.said(sequencing...), strings.Join(sequencing[:9], ", "); got != want {
		t.Errorf("ran %s\nwant %s", got, want)
	}
	for i, q := range s.log {
		if strings.Contains(q, "MERGE") && !reflect.DeepEqual(s.args[i], []any{int64(18), int64(18)}) {
			t.Errorf("the batch after 17 is %v", s.args[i])
		}
	}
}

func TestSequenceDoesNothingWhenNothingIsDue(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "DUE", rows: row("0")})
	if err := dialect.Sequence(t.Context(), c, "g", articles); err != nil || len(s.log) != 1 {
		t.Errorf("%v after %q", err, s.log)
	}
}

func TestSequenceLeavesTheWorkToWhoDoesIt(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "DUE", rows: row("1")}, &rule{words: "FOR UPDATE", err: oraError(54)})
	if err := dialect.Sequence(t.Context(), c, "g", articles); err != nil {
		t.Fatal(err)
	}
	if got := s.said(sequencing...); got != "BEGIN, ROLLBACK, SERIALIZABLE, FOR UPDATE NOWAIT, UNDONE" {
		t.Error(got)
	}
}

func TestSequenceTriesAgainAfterOthersWrote(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "DUE", rows: row("1")}, &rule{words: "FOR UPDATE", n: -1, rows: row("17")},
		&rule{words: "MERGE", n: 2, err: oraError(8177)}, &rule{words: "MERGE", affected: 1})
	if err := dialect.Sequence(t.Context(), c, "g", articles); err != nil {
		t.Fatal(err)
	}
	if got := s.said("MERGE", "DELETE", "COMMIT", "UNDONE"); got != "MERGE, UNDONE, MERGE, UNDONE, MERGE, DELETE, COMMIT" {
		t.Error(got)
	}
	s = new(server)
	c = s.conn(t, &rule{words: "DUE", rows: row("1")}, &rule{words: "FOR UPDATE", n: -1, rows: row("17")}, &rule{words: "MERGE", n: -1, err: oraError(8177)})
	if err := dialect.Sequence(t.Context(), c, "g", articles); dialect.Fault(err) != Transient {
		t.Errorf("for ever: %v", err)
	}
}

// TestSequenceDeletesOnlyWhatItMerged: a log that looks empty is not emptied.
func TestSequenceDeletesOnlyWhatItMerged(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "DUE", rows: row("1")}, &rule{words: "FOR UPDATE", rows: row("17")})
	if err := dialect.Sequence(t.Context(), c, "g", articles); err != nil || s.said("DELETE") != "" {
		t.Errorf("%v, %q", err, s.log)
	}
}

// TestSnapshotIsReadOnlyInsideOfTheTransaction: the driver would set it in
// another, and commit that.
func TestSnapshotIsReadOnlyInsideOfTheTransaction(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "SELECT", rows: row("42")})
	for range 2 {
		s.log = nil
		tx, err := dialect.Begin(t.Context(), c, ReadSnapshot)
		if err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		s.rules = []*rule{{words: "SELECT", n: 1, rows: row("42")}}
		s.mu.Unlock()
		if at, err := dialect.Now(t.Context(), c, "g"); err != nil || at != "42" {
			t.Fatal(at, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err == nil {
			t.Error("Rollback after Commit says nothing")
		}
		if got := s.said("BEGIN", "ROLLBACK", "SET TRANSACTION READ ONLY", "SELECT", "COMMIT"); got != "BEGIN, ROLLBACK, SET TRANSACTION READ ONLY, SELECT, COMMIT" {
			t.Error(got)
		}
	}
}

func TestBeginThatFailsLeavesNoTransaction(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "READ ONLY", err: oraError(1453)})
	if _, err := dialect.Begin(t.Context(), c, ReadSnapshot); err == nil || s.said("BEGIN", "UNDONE") != "BEGIN, UNDONE" {
		t.Errorf("%v, %q", err, s.log)
	}
}

func TestChangedRefusesPositionsOfTheFuture(t *testing.T) {
	s := new(server)
	c := s.conn(t)
	if _, err := dialect.Changed(t.Context(), c, "g", articles, "18", "17"); !errors.Is(err, ErrForeignPosition) {
		t.Error(err)
	}
	if _, err := dialect.Changed(t.Context(), c, "g", articles, "x", "17"); err == nil {
		t.Error("x is a position")
	}
	if len(s.log) > 0 {
		t.Errorf("asked %q", s.log)
	}
}

func TestChangedTellsTruncatedFromChanged(t *testing.T) {
	tables := []SourceTable{samples[0].source, samples[1].source, samples[2].source}
	s := new(server)
	c := s.conn(t, &rule{words: "UNION ALL", rows: [][]any{{"0", "0"}, {"2", "2"}, {"1", "1"}}})
	got, err := dialect.Changed(t.Context(), c, "g", tables, "17", "17")
	if err != nil || !reflect.DeepEqual(got, []Change{Nothing, SomeKeys, AllRows}) {
		t.Error(got, err)
	}
	c = s.conn(t, &rule{words: "UNION ALL", rows: [][]any{{"0", "0"}}})
	if _, err := dialect.Changed(t.Context(), c, "g", tables, "17", "17"); !errors.Is(err, ErrDrift) {
		t.Errorf("two tables are not known to the log: %v", err)
	}
	c = s.conn(t, &rule{words: "UNION ALL", rows: [][]any{{"9", "1"}}})
	if _, err := dialect.Changed(t.Context(), c, "g", tables, "17", "17"); err == nil {
		t.Error("took an answer about a tenth table")
	}
}

// TestLockIsATransactionThatNobodyEnds, and closing the connection does not wait
// for its end.
func TestLockIsATransactionThatNobodyEnds(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "COUNT(*)", err: oraError(942)}, &rule{words: "COUNT(*)", rows: row("0")},
		&rule{words: "INSERT", err: oraError(1)}, &rule{words: "FOR UPDATE NOWAIT", n: -1, rows: row("n")})
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 { // a second time is a look whether it is still held
		if ok, err := dialect.TryLock(ctx, c, "n"); err != nil || !ok {
			t.Fatal(ok, err)
		}
		s.mu.Lock()
		s.rules = append(s.rules, &rule{words: "COUNT(*)", n: 1, rows: row("1")})
		s.mu.Unlock()
	}
	cancel()
	if got := s.said("CREATE TABLE", "INSERT", "BEGIN\n", "BEGIN", "COMMIT", "UNDONE", "FOR UPDATE"); got != "CREATE TABLE, INSERT, BEGIN, FOR UPDATE, FOR UPDATE" {
		t.Error(got)
	}
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("closing the connection waits for the lock")
	}
}

func TestLockThatIsTakenIsFalseAtOnce(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "COUNT(*)", rows: row("1")}, &rule{words: "FOR UPDATE NOWAIT", err: oraError(54)})
	if ok, err := dialect.TryLock(t.Context(), c, "n"); ok || err != nil {
		t.Fatal(ok, err)
	}
	if got := s.said("BEGIN", "UNDONE"); got != "BEGIN, UNDONE" {
		t.Error(got)
	}
}

func TestTrimKeepsWhatTheSlowestNeeds(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "FOR UPDATE WAIT", n: -1, rows: row("20")},
		&rule{words: "DELETE", affected: 5000}, &rule{words: "DELETE", affected: 3},
		&rule{words: "COUNT(*)", rows: row("7")},
		&rule{words: "USER_SEGMENTS", rows: row("1")}, &rule{words: "SHRINK", err: oraError(54)})
	n, err := dialect.Trim(t.Context(), c, "g", articles, []string{"12", "9", "15"})
	if err != nil || n != 7 {
		t.Fatal(n, err)
	}
	if got := s.said("BEGIN", "FOR UPDATE", "DELETE", "COMMIT", "SHRINK"); got != "BEGIN, FOR UPDATE, DELETE, COMMIT, BEGIN, FOR UPDATE, DELETE, COMMIT, SHRINK" {
		t.Error(got)
	}
	for i, q := range s.log {
		if strings.Contains(q, "DELETE") && (!strings.Contains(q, "BATCH <= :1") || !reflect.DeepEqual(s.args[i], []any{int64(9)})) {
			t.Errorf("%s with %v", q, s.args[i])
		}
	}
	if _, err := dialect.Trim(t.Context(), c, "g", articles, []string{"12", "?"}); err == nil {
		t.Error("a needed position that is none was taken for nothing needed")
	}
}

func TestFingerprintIsEmptyUnlessAllIsThere(t *testing.T) {
	whole := [][]any{{"L", "log", "1"}, {"L", "keys", "2"}, {"P", "pos", "3"}, {"T", "trg", "4 20240101"},
		{"C", "ID", "a"}, {"C", "TITLE", "b"}, {"C", "BODY", "c"}, {"C", "OTHER", "d"}, {"K", "ID", "pk"}}
	print := func(rows [][]any) string {
		s := new(server)
		c := s.conn(t, &rule{words: "ALL_TRIGGERS", rows: rows})
		prints, err := dialect.Fingerprint(t.Context(), c, "g", articles)
		if err != nil || len(prints) != 1 {
			t.Fatal(prints, err)
		}
		return prints[0]
	}
	full := print(whole)
	if full == "" {
		t.Fatal("none")
	}
	reversed := make([][]any, 0, len(whole))
	for _, r := range whole {
		reversed = append([][]any{r}, reversed...)
	}
	if print(reversed) != full {
		t.Error("depends on the order of rows")
	}
	for i, r := range whole {
		without := print(append(append([][]any{}, whole[:i]...), whole[i+1:]...))
		switch {
		case r[1] == "OTHER":
			if without != full {
				t.Error("depends on a column that is not sent")
			}
		case r[0] == "K":
			if without == full {
				t.Error("does not depend on the key")
			}
		case without != "":
			t.Errorf("is whole without %v", r)
		}
		changed := append([][]any{}, whole...)
		changed[i] = []any{r[0], r[1], "new"}
		if got := print(changed); (got != full) != (r[1] != "OTHER") {
			t.Errorf("after %v changed: same %t", r, got == full)
		}
	}
}

func TestIdentityFallsBackToNames(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "V$DATABASE", n: 2, err: oraError(942)}, &rule{words: "CON_NAME", err: oraError(2003)}, &rule{words: "GLOBAL_NAME", rows: row("name.ORCL x.2024")})
	if id, err := dialect.Identity(t.Context(), c); err != nil || id != "name.ORCL_x.2024" {
		t.Error(id, err)
	}
	c = s.conn(t, &rule{words: "V$DATABASE", err: oraError(3113)})
	if _, err := dialect.Identity(t.Context(), c); dialect.Fault(err) != Transient {
		t.Errorf("a lost connection passes for a missing grant: %v", err)
	}
}

func TestDescribeFindsTheNameThatWasMeant(t *testing.T) {
	columns := rule{words: "ALL_TAB_COLS ... DATA_TYPE", n: -1, rows: [][]any{
		{"ID", "NUMBER", "22", "0", nil, "9", "0", "N", "NO"}, {"MAIL", "VARCHAR2", "40", "10", "C", nil, nil, "N", "NO"}, {"V", "NUMBER", "22", "0", nil, nil, nil, "Y", "YES"}}}
	for _, v := range []struct {
		asked string
		found [][]any
		want  Name
	}{
		{"articles", [][]any{{"APP", "ARTICLES", "TABLE"}}, Name{Schema: "APP", Table: "ARTICLES"}},
		{"articles", [][]any{{"APP", "ARTICLES", "TABLE"}, {"APP", "articles", "TABLE"}}, Name{Schema: "APP", Table: "articles"}},
		{"Articles", [][]any{{"APP", "ARTICLES", "TABLE"}, {"APP", "articles", "TABLE"}}, Name{}},
		{"app.articles", [][]any{{"APP", "ARTICLES", "TABLE"}}, Name{Schema: "APP", Table: "ARTICLES"}},
		{"APP.articles", [][]any{{"APP", "ARTICLES", "TABLE"}, {"app", "ARTICLES", "TABLE"}}, Name{Schema: "APP", Table: "ARTICLES"}},
		{"nothing", nil, Name{}},
	} {
		s := new(server)
		columns := columns
		c := s.conn(t, &rule{words: "GROUP BY o.OWNER", rows: v.found}, &columns, &rule{words: "COLLATION", err: oraError(904)},
			&rule{words: "'P', 'U'", rows: [][]any{{"2", "U1", "V", "1"}, {"2", "U2", "ID", "1"}, {"2", "U2", "MAIL", "2"}}},
			&rule{words: "R_OWNER", rows: row("APP", "SECTIONS")}, &rule{words: "NUM_ROWS", rows: row(nil)})
		l, err := dialect.Describe(t.Context(), c, v.asked)
		if v.want == (Name{}) {
			if !errors.Is(err, ErrNoTable) {
				t.Errorf("%s: %v, %v", v.asked, l.Name, err)
			}
			continue
		}
		want := Layout{Name: v.want, Key: []string{"ID", "MAIL"}, Unique: [][]string{{"V"}}, References: []Name{{Schema: "APP", Table: "SECTIONS"}}, Rows: -1,
			Columns: []Column{{Name: "ID", Kind: Int, Native: "NUMBER(9)"}, {Name: "MAIL", Kind: Text, Size: 10, Native: "VARCHAR2(10 CHAR)"},
				{Name: "V", Kind: Decimal, Native: "NUMBER", Nullable: true, Generated: true}}}
		if err != nil || !reflect.DeepEqual(l, want) {
			t.Errorf("%s: %+v, %v\nwant %+v", v.asked, l, err, want)
		}
	}
}

func TestRelaxDefersConstraints(t *testing.T) {
	s := new(server)
	c := s.conn(t)
	if ordered, err := dialect.Relax(t.Context(), c); err != nil || !ordered || s.said("SET CONSTRAINTS ALL DEFERRED") == "" {
		t.Error(ordered, err, s.log)
	}
}

func TestPrepareRefusesOtherDrivers(t *testing.T) {
	s := new(server)
	c := s.conn(t)
	if err := dialect.Prepare(t.Context(), c); err == nil || !strings.Contains(err.Error(), "godror") || len(s.log) > 0 {
		t.Errorf("%v after %q", err, s.log)
	}
}

func TestFaultsGoByTheirCode(t *testing.T) {
	for codes, want := range map[string]Fault{
		"1": Unique,
		"54 60 1555 3113 3114 8177 12170 12514 12541 30006 1033 8103 1466": Transient,
		"1400 1438 2290 2291 2292 12899 2091":                              Integrity,
		"942 904 4098":                                                     Missing,
		"1017 1031 28000":                                                  Denied,
		"600 1013000 933":                                                  Other,
	} {
		for text := range strings.FieldsSeq(codes) {
			n := 0
			for _, d := range text {
				n = 10*n + int(d-'0')
			}
			if got := dialect.Fault(errors.Join(errors.New("wrapped"), oraError(n))); got != want {
				t.Errorf("ORA-%05d is %d, want %d", n, got, want)
			}
		}
	}
	for err, want := range map[error]Fault{
		errors.New("x: ORA-06512: at line 1\nORA-00942: no table"): Missing,
		errors.New("ORA-"):             Other,
		errors.New("DPI-1080: closed"): Transient,
		sql.ErrConnDone:                Transient,
		context.Canceled:               Other,
		io.EOF:                         Other,
	} {
		if got := dialect.Fault(err); got != want {
			t.Errorf("%v is %d, want %d", err, got, want)
		}
	}
	if dialect.Fault(nil) != Other {
		t.Error("nil")
	}
}
