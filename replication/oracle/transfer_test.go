package oracle_test

import (
	"database/sql"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	. "github.com/ashlar-go/ashlar/replication"
)

func rowsOf(rows ...[][]byte) func() ([][]byte, error) {
	return func() ([][]byte, error) {
		if len(rows) == 0 {
			return nil, io.EOF
		}
		r := rows[0]
		rows = rows[1:]
		return r, nil
	}
}

func TestLoadBindsArrays(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "INSERT", n: -1, affected: 2})
	columns := []Column{{Name: "D", Kind: Float, Size: 64, Native: "BINARY_DOUBLE", Nullable: true}, {Name: "R", Kind: Bytes, Native: "RAW(9)", Nullable: true}, {Name: "T", Kind: Text, Native: "VARCHAR2(9 CHAR)", Nullable: true}}
	n, err := dialect.Load(t.Context(), c, Name{Table: "T"}, columns, rowsOf([][]byte{[]byte("1.5"), {0}, []byte("a")}, [][]byte{nil, nil, nil}))
	if err != nil || n != 2 {
		t.Fatal(n, err)
	}
	want := []any{[]sql.NullFloat64{{Float64: 1.5, Valid: true}, {}}, [][]byte{{0}, nil}, []string{"a", ""}}
	if !reflect.DeepEqual(s.args[0], want) {
		t.Errorf("%#v, want %#v", s.args[0], want)
	}
}

// TestLoadCutsAtRowsAndBytes: the driver has a buffer of the longest value for
// each row.
func TestLoadCutsAtRowsAndBytes(t *testing.T) {
	s := new(server)
	c := s.conn(t, &rule{words: "INSERT", n: -1, affected: 1})
	columns := []Column{{Name: "T", Kind: Text, Native: "VARCHAR2(32767 BYTE)", Nullable: true}}
	rows := make([][][]byte, 4500)
	for i := range rows {
		rows[i] = [][]byte{[]byte("x")}
	}
	rows[100][0] = []byte(strings.Repeat("y", 32767))
	if _, err := dialect.Load(t.Context(), c, Name{Table: "T"}, columns, rowsOf(rows...)); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, args := range s.args {
		a := args[0].([]string)
		longest := 0
		for _, v := range a {
			longest = max(longest, len(v))
		}
		if len(a) > 2000 || len(a)*longest*4 > 17<<20 {
			t.Errorf("an array of %d times %d bytes", len(a), longest)
		}
		total += len(a)
	}
	if total != 4500 {
		t.Errorf("%d rows", total)
	}
}

func TestLoadNamesTheValueThatIsLost(t *testing.T) {
	s := new(server)
	columns := []Column{{Name: "N", Kind: Int, Native: "NUMBER(3)"}, {Name: "T", Kind: Text, Native: "VARCHAR2(4000 CHAR)", Nullable: true}}
	c := s.conn(t)
	_, err := dialect.Load(t.Context(), c, Name{Schema: "S", Table: "T"}, columns, rowsOf([][]byte{[]byte("1234"), nil}))
	lost, ok := errors.AsType[*TypeLossError](err)
	if !ok || lost.Table != "S.T" || lost.Column != "N" || lost.Value != "1234" {
		t.Error(err)
	}
	c = s.conn(t, &rule{words: "INSERT", err: errors.New(`ORA-12899: value too large for column "S"."T"."T" (actual: 4004, maximum: 4000)`)})
	_, err = dialect.Load(t.Context(), c, Name{Schema: "S", Table: "T"}, columns, rowsOf([][]byte{[]byte("1"), []byte("x")}))
	if lost, ok := errors.AsType[*TypeLossError](err); !ok || lost.Column != "T" {
		t.Error(err)
	}
	boom := errors.New("boom")
	if _, err := dialect.Load(t.Context(), c, Name{Table: "T"}, columns, func() ([][]byte, error) { return nil, boom }); err != boom {
		t.Error(err)
	}
}

// TestLoadOfACopyUsesTheNamesItWasMadeWith: names in lower case became upper.
func TestLoadOfACopyUsesTheNamesItWasMadeWith(t *testing.T) {
	target := samples[4].target()
	s := new(server)
	c := s.conn(t)
	copies := dialect.Publish(target).Copies
	if _, err := dialect.Load(t.Context(), c, copies(1), target.Columns[:1], rowsOf(values("x"))); err != nil {
		t.Fatal(err)
	}
	if want := `INSERT INTO ` + dialect.Quote(copies(1)) + ` ("NAME")`; !strings.HasPrefix(s.log[0], want) {
		t.Errorf("%s, want %s", s.log[0], want)
	}
}

func TestStreamHandsOverRows(t *testing.T) {
	s := new(server)
	columns := []Column{{Name: "E", Kind: Int}, {Name: "N", Kind: Decimal, Native: "NUMBER"}, {Name: "C", Kind: Text, Native: "CLOB"}}
	answer := [][]any{{"1", ".5", strings.NewReader("text")}, {"0", "", nil}}
	c := s.conn(t, &rule{words: "SELECT", rows: answer})
	var got []string
	err := dialect.Stream(t.Context(), c, "SELECT", columns, func(row [][]byte) error {
		for _, v := range row {
			if v == nil {
				got = append(got, "NULL")
			} else {
				got = append(got, string(v))
			}
		}
		return nil
	})
	if want := "1 0.5 text 0 NULL NULL"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%q, %v; want %s", got, err, want)
	}
	boom := errors.New("boom")
	c = s.conn(t, &rule{words: "SELECT", rows: [][]any{{"1", "1", nil}}})
	if err := dialect.Stream(t.Context(), c, "SELECT", columns, func([][]byte) error { return boom }); err != boom {
		t.Errorf("the function's error came back as %v", err)
	}
	c = s.conn(t, &rule{words: "SELECT", rows: [][]any{{"1"}}})
	if err := dialect.Stream(t.Context(), c, "SELECT", columns, nil); err == nil {
		t.Error("one column passed for three")
	}
}
