package oracle_test

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/oracle"
)

func col(kind Kind, native string) Column {
	c := Column{Name: "X", Kind: kind, Native: native, Nullable: true}
	if native == "BINARY_FLOAT" {
		c.Size = 32
	}
	return c
}

// TestValuesAreSpelledAsTheirKinds: what the driver returns, and the kind's text.
func TestValuesAreSpelledAsTheirKinds(t *testing.T) {
	for _, v := range []struct {
		column Column
		driver any
		want   string // <null>, or ! for an error
	}{
		{col(Decimal, "NUMBER"), ".5", "0.5"},
		{col(Decimal, "NUMBER"), "-.5", "-0.5"},
		{col(Decimal, "NUMBER"), "1E+100", "1" + strings.Repeat("0", 100)},
		{col(Decimal, "NUMBER"), "1.2345E-70", "0." + strings.Repeat("0", 69) + "12345"},
		{col(Decimal, "NUMBER(10,2)"), "100", "100"},
		{col(Decimal, "NUMBER"), "~", "!"}, // an infinity of old tools
		{col(Decimal, "NUMBER"), "", "<null>"},
		{col(Int, "NUMBER(9)"), int64(-7), "-7"},
		{col(Bool, "NUMBER(1)"), "1", "t"},
		{col(Bool, "NUMBER(1)"), "0", "f"},
		{col(Bool, "NUMBER(1)"), "2", "!"},
		{col(Float, "BINARY_DOUBLE"), 0.1, "0.1"},
		{col(Float, "BINARY_DOUBLE"), math.NaN(), "NaN"},
		{col(Float, "BINARY_DOUBLE"), math.Inf(-1), "-Infinity"},
		{col(Float, "BINARY_DOUBLE"), math.MaxFloat64, "1.7976931348623157e+308"},
		{col(Float, "BINARY_FLOAT"), float32(0.1), "0.1"},
		{col(Float, "BINARY_FLOAT"), float32(math.Inf(1)), "Infinity"},
		{col(Text, "VARCHAR2(10 CHAR)"), "a ", "a "},
		{col(Text, "VARCHAR2(10 CHAR)"), "", "<null>"},
		{col(Text, "VARCHAR2(10 CHAR)"), "\xff", "!"},
		{col(Text, "CHAR(3 CHAR)"), "a  ", "a"},
		{col(Text, "CHAR(3 CHAR)"), "   ", ""},
		{col(Text, "CLOB"), strings.NewReader(""), ""},
		{col(Text, "CLOB"), strings.NewReader("tab\t, NUL\x00, \U0001F600"), "tab\t, NUL\x00, \U0001F600"},
		{col(Text, "CLOB"), nil, "<null>"},
		{col(Bytes, "RAW(3)"), []byte{0, 255}, "\x00\xff"},
		{col(Bytes, "BLOB"), strings.NewReader(""), ""},
		{col(UUID, "RAW(16)"), []byte("0123456789abcdef"), "30313233-3435-3637-3839-616263646566"},
		{col(UUID, "RAW(16)"), []byte("short"), "!"},
		{col(Timestamp, "DATE"), " 2024-02-29 23:59:59", "2024-02-29 23:59:59"},
		{col(Timestamp, "DATE"), " 9999-12-31 00:00:00", "9999-12-31 00:00:00"},
		{col(Timestamp, "DATE"), "-0044-03-15 00:00:00", "!"},
		{col(Timestamp, "DATE"), " 1500-02-29 00:00:00", "!"}, // a leap year of Caesar's
		{col(Date, "DATE"), " 2024-02-29 00:00:00", "2024-02-29"},
		{col(Date, "DATE"), " 2024-02-29 00:00:01", "!"},
		{col(Timestamp, "TIMESTAMP(9)"), " 2024-01-01 00:00:00.120000000", "2024-01-01 00:00:00.12"},
		{col(Timestamp, "TIMESTAMP(6)"), " 2024-01-01 00:00:00.000000000", "2024-01-01 00:00:00"},
		{col(Instant, "TIMESTAMP(6) WITH TIME ZONE"), " 2024-01-01 00:00:00.500000000", "2024-01-01 00:00:00.5+00"},
		{col(Native, "INTERVAL DAY(2) TO SECOND(6)"), "+01 02:03:04.000000", "+01 02:03:04.000000"},
		{col(Native, "ROWID"), "AAAR3sAAEAAAACXAAA", "AAAR3sAAEAAAACXAAA"},
		{col(Native, "SDO_GEOMETRY"), "x", "!"},
		{col(Native, "XMLTYPE"), struct{}{}, "!"},
		{col(Bool, "BOOLEAN"), "t", "t"},
	} {
		got, err := oracle.Decode(v.column, v.driver)
		switch {
		case v.want == "!":
			if !errors.Is(err, ErrTypeLoss) {
				t.Errorf("%s %v: %q, %v; want ErrTypeLoss", v.column.Native, v.driver, got, err)
			}
		case err != nil:
			t.Errorf("%s %v: %v", v.column.Native, v.driver, err)
		case v.want == "<null>" && got == nil, v.want != "<null>" && got != nil && string(got) == v.want:
		default:
			t.Errorf("%s %v: %q, want %q", v.column.Native, v.driver, got, v.want)
		}
	}
}

// TestColumnsRefuseWhatTheyWouldChange: Oracle rounds, folds and drops without a
// word; here that is an error.
func TestColumnsRefuseWhatTheyWouldChange(t *testing.T) {
	required := func(c Column) Column { c.Nullable = false; return c }
	for _, v := range []struct {
		column Column
		value  string
		want   string // what is bound; ! for an error
	}{
		{col(Decimal, "NUMBER(5,2)"), "123.45", "123.45"},
		{col(Decimal, "NUMBER(5,2)"), "123.4500", "123.45"},
		{col(Decimal, "NUMBER(5,2)"), "123.456", "!"},
		{col(Decimal, "NUMBER(5,2)"), "1234", "!"},
		{col(Decimal, "NUMBER(5,-2)"), "1234500", "1234500"},
		{col(Decimal, "NUMBER(5,-2)"), "1234550", "!"},
		{col(Decimal, "NUMBER(9)"), "1.5", "!"},
		{col(Decimal, "NUMBER"), "NaN", "!"},
		{col(Decimal, "NUMBER"), "Infinity", "!"},
		{col(Decimal, "NUMBER"), strings.Repeat("9", 40), strings.Repeat("9", 40)},
		{col(Decimal, "NUMBER"), strings.Repeat("9", 41), "!"},
		{col(Decimal, "NUMBER"), strings.Repeat("9", 39) + ".5", "!"}, // 40 digits, but not to the base of 100
		{col(Decimal, "NUMBER"), "0." + strings.Repeat("3", 40), "0." + strings.Repeat("3", 40)},
		{col(Decimal, "NUMBER"), "1" + strings.Repeat("0", 125), "1E125"},
		{col(Decimal, "NUMBER"), "1" + strings.Repeat("0", 126), "!"},
		{col(Decimal, "FLOAT(10)"), "1234", "1234"},
		{col(Decimal, "FLOAT(10)"), "12345", "!"},
		{col(Bool, "NUMBER(1)"), "t", "1"},
		{col(Int, "NUMBER(1)"), "f", "0"}, // of a column described as a number
		{col(Float, "BINARY_DOUBLE"), "NaN", "NaN"},
		{col(Float, "BINARY_DOUBLE"), "-Infinity", "-Infinity"},
		{col(Float, "BINARY_DOUBLE"), "1e400", "!"},
		{col(Float, "BINARY_DOUBLE"), "0x1p4", "!"},
		{col(Float, "BINARY_FLOAT"), "0.1", "0.1"},
		{col(Float, "BINARY_FLOAT"), "0.1000000001", "!"},
		{col(Text, "VARCHAR2(3 CHAR)"), "äöü", "äöü"},
		{col(Text, "VARCHAR2(3 BYTE)"), "äö", "!"},
		{col(Text, "VARCHAR2(3 CHAR)"), "abcd", "!"},
		{col(Text, "VARCHAR2(3 CHAR)"), "", ""}, // NULL, as Type says
		{required(col(Text, "VARCHAR2(3 CHAR)")), "", "!"},
		{required(col(Text, "CHAR(3 CHAR)")), "", " "},
		{required(col(Text, "CLOB")), "", ""},
		{required(col(Bytes, "RAW(3)")), "", "!"},
		{col(Bytes, "RAW(3)"), "abcd", "!"},
		{col(Text, "CLOB"), "\xff", "!"},
		{col(UUID, "RAW(16)"), "30313233-3435-3637-3839-616263646566", "0123456789abcdef"},
		{col(Timestamp, "DATE"), "2024-02-29 23:59:59", "2024-02-29 23:59:59"},
		{col(Timestamp, "DATE"), "2024-02-29 23:59:59.5", "!"},
		{col(Date, "DATE"), "2024-02-29", "2024-02-29 00:00:00"},
		{col(Date, "DATE"), "1582-10-10", "!"},
		{col(Date, "DATE"), "1582-10-15", "1582-10-15 00:00:00"},
		{col(Timestamp, "TIMESTAMP(3)"), "2024-01-01 00:00:00.123", "2024-01-01 00:00:00.123000000"},
		{col(Timestamp, "TIMESTAMP(3)"), "2024-01-01 00:00:00.1234", "!"},
		{col(Instant, "TIMESTAMP(6) WITH TIME ZONE"), "2024-01-01 00:00:00.5+00", "2024-01-01 00:00:00.500000000"},
		{col(Timestamp, "TIMESTAMP(6)"), "infinity", "!"},
		{col(Native, "INTERVAL YEAR(2) TO MONTH"), "+01-02", "+01-02"},
		{col(Native, "XMLTYPE"), "<a/>", "!"},
		{col(Bool, "BOOLEAN"), "t", "true"},
	} {
		got, err := oracle.Encode(v.column, []byte(v.value))
		switch {
		case v.want == "!":
			if !errors.Is(err, ErrTypeLoss) {
				t.Errorf("%s %q: %q, %v; want ErrTypeLoss", v.column.Native, v.value, got, err)
			}
		case err != nil || string(got) != v.want:
			t.Errorf("%s %q: %q, %v; want %q", v.column.Native, v.value, got, err, v.want)
		}
		if null, err := oracle.Encode(v.column, nil); v.column.Native != "XMLTYPE" && (null != nil || err != nil) {
			t.Errorf("%s NULL: %q, %v", v.column.Native, null, err)
		}
	}
}

// TestEveryKindHasAType: what Create makes of a kind, and what it says is lost.
func TestEveryKindHasAType(t *testing.T) {
	for _, v := range []struct {
		column Column
		want   string
		loses  bool
	}{
		{Column{Kind: Bool, Native: "boolean"}, "NUMBER(1)", false},
		{Column{Kind: Int}, "NUMBER(19)", false},
		{Column{Kind: Decimal, Precision: 12, Scale: 3}, "NUMBER(12,3)", false},
		{Column{Kind: Decimal}, "NUMBER", true},
		{Column{Kind: Decimal, Precision: 40}, "NUMBER", true},
		{Column{Kind: Float, Size: 32}, "BINARY_FLOAT", false},
		{Column{Kind: Float, Size: 64}, "BINARY_DOUBLE", false},
		{Column{Kind: Text, Size: 20}, "VARCHAR2(20 CHAR)", true},
		{Column{Kind: Text, Size: 1001}, "CLOB", false},
		{Column{Kind: Text, Native: "text"}, "CLOB", false},
		{Column{Kind: Bytes, Size: 16}, "RAW(16)", true},
		{Column{Kind: Bytes}, "BLOB", false},
		{Column{Kind: Date, Native: "date"}, "DATE", false},
		{Column{Kind: Time}, "VARCHAR2(18 CHAR)", false},
		{Column{Kind: Timestamp, Scale: 6}, "TIMESTAMP(6)", false},
		{Column{Kind: Instant, Scale: 9}, "TIMESTAMP(9) WITH TIME ZONE", false},
		{Column{Kind: UUID}, "VARCHAR2(36 CHAR)", false},
		{Column{Kind: JSON}, "CLOB", false},
		{Column{Kind: Native, Native: "tsvector"}, "", false},
		{Column{Kind: Native, Native: "SDO_GEOMETRY"}, "", false},
		{Column{Kind: Native, Native: "INTERVAL DAY(2) TO SECOND(6)"}, "INTERVAL DAY(2) TO SECOND(6)", false},
		{Column{Kind: Text, Native: "NVARCHAR2(10)"}, "NVARCHAR2(10)", false},
	} {
		if ddl, loss := dialect.Type(v.column); ddl != v.want || (loss != "") != v.loses {
			t.Errorf("%s %s: %q, loss %q; want %q, loss %t", v.column.Kind, v.column.Native, ddl, loss, v.want, v.loses)
		}
	}
}

func TestCatalogueIsRead(t *testing.T) {
	for _, v := range []struct {
		dataType, length, chars, used, precision, scale string
		want                                            Column
	}{
		{"NUMBER", "22", "0", "", "", "", Column{Kind: Decimal, Native: "NUMBER"}},
		{"NUMBER", "22", "0", "", "", "0", Column{Kind: Decimal, Native: "NUMBER(38,0)", Precision: 38}},
		{"NUMBER", "22", "0", "", "18", "0", Column{Kind: Int, Native: "NUMBER(18)"}},
		{"NUMBER", "22", "0", "", "19", "0", Column{Kind: Decimal, Native: "NUMBER(19,0)", Precision: 19}},
		{"NUMBER", "22", "0", "", "5", "-2", Column{Kind: Decimal, Native: "NUMBER(5,-2)", Precision: 5, Scale: -2}},
		{"FLOAT", "22", "0", "", "126", "", Column{Kind: Decimal, Native: "FLOAT(126)"}},
		{"BINARY_FLOAT", "4", "0", "", "", "", Column{Kind: Float, Size: 32, Native: "BINARY_FLOAT"}},
		{"VARCHAR2", "40", "10", "C", "", "", Column{Kind: Text, Size: 10, Native: "VARCHAR2(10 CHAR)"}},
		{"VARCHAR2", "10", "10", "B", "", "", Column{Kind: Text, Size: 10, Native: "VARCHAR2(10 BYTE)"}},
		{"NCHAR", "20", "10", "C", "", "", Column{Kind: Text, Size: 10, Native: "NCHAR(10)", Fixed: true}},
		{"RAW", "16", "0", "", "", "", Column{Kind: Bytes, Size: 16, Native: "RAW(16)"}},
		{"DATE", "7", "0", "", "", "", Column{Kind: Timestamp, Native: "DATE"}},
		{"TIMESTAMP(9)", "11", "0", "", "", "9", Column{Kind: Timestamp, Scale: 9, Native: "TIMESTAMP(9)"}},
		{"TIMESTAMP(3) WITH LOCAL TIME ZONE", "11", "0", "", "", "3", Column{Kind: Instant, Scale: 3, Native: "TIMESTAMP(3) WITH LOCAL TIME ZONE"}},
		{"INTERVAL YEAR(4) TO MONTH", "5", "0", "", "4", "0", Column{Kind: Native, Native: "INTERVAL YEAR(4) TO MONTH"}},
		{"LONG", "0", "0", "", "", "", Column{Kind: Native, Native: "LONG"}},
		{"XMLTYPE", "2000", "0", "", "", "", Column{Kind: Native, Native: "XMLTYPE"}},
	} {
		v.want.Name = "X"
		if got := oracle.Catalogued("X", v.dataType, v.length, v.chars, v.used, v.precision, v.scale, false); got != v.want {
			t.Errorf("%s: %+v, want %+v", v.dataType, got, v.want)
		}
	}
}

// TestNamesFitAndDiffer: 30 bytes are what Oracle took up to 12.1.
func TestNamesFitAndDiffer(t *testing.T) {
	ids := []string{"a", "articles", "a_table_with_a_long_name", "a_table_with_a_long_namf", "A", "ä", "a b", "a_b", "", "grp 1", strings.Repeat("x", 500)}
	names := make(map[string]string)
	for _, id := range ids {
		name := oracle.Object("ASHLAR$LOG_", id)
		if len(name) > 30 {
			t.Errorf("%q: %s has %d bytes", id, name, len(name))
		}
		if other, ok := names[name]; ok {
			t.Errorf("%q and %q are both %s", id, other, name)
		}
		names[name] = id
	}
}

func TestBindCountsOnlyWhatIsNotQuoted(t *testing.T) {
	const query = `UPDATE "a?b" SET x = ?, y = 'it''s ?' WHERE z = ? AND "q""?" = ?`
	const want = `UPDATE "a?b" SET x = :1, y = 'it''s ?' WHERE z = :2 AND "q""?" = :3`
	if got := dialect.Bind(query); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestQuoteNeverEndsTheName: no name on Oracle has a double quote.
func TestQuoteNeverEndsTheName(t *testing.T) {
	for _, name := range []string{`a"b`, `" OR 1=1 --`, "\x00", `"`} {
		got := dialect.Quote(Name{Schema: name, Table: name})
		if strings.Count(got, `"`) != 4 || strings.Contains(got, "\x00") {
			t.Errorf("%q: %s", name, got)
		}
	}
}

func TestOnlyALaterBatchCovers(t *testing.T) {
	for _, v := range []struct {
		a, b string
		want bool
	}{{"18", "17", true}, {"17", "17", false}, {"9", "17", false}, {"x", "17", false}, {"18", "", false}, {"018", "17", false}} {
		if got := dialect.Covers(v.a, v.b); got != v.want {
			t.Errorf("Covers(%q, %q) = %t", v.a, v.b, got)
		}
	}
}

// TestSeeksKeysOnlyWhereAnIndexSortsAlike: CHAR sorts with its blanks, and NCHAR
// as UTF-16.
func TestSeeksKeysOnlyWhereAnIndexSortsAlike(t *testing.T) {
	for native, want := range map[string]bool{
		"NUMBER(9)": true, "VARCHAR2(10 CHAR)": true, "RAW(16)": true, "DATE": true, "TIMESTAMP(6)": true, "BINARY_DOUBLE": true,
		"CHAR(3 CHAR)": false, "NVARCHAR2(10)": false, "NCHAR(3)": false, "INTERVAL DAY(2) TO SECOND(6)": false,
	} {
		table := SourceTable{Columns: []Column{{Name: "K", Native: native}}, Key: []int{0}}
		if got := dialect.SeeksKeys(table); got != want {
			t.Errorf("%s: %t", native, got)
		}
	}
	folds := SourceTable{Columns: []Column{{Name: "K", Native: "VARCHAR2(10 CHAR)", Folds: true}}, Key: []int{0}}
	if dialect.SeeksKeys(folds) || dialect.SeeksKeys(SourceTable{}) {
		t.Error("a folding collation, or no key, has no such index")
	}
}

// TestBrokenPositionIsNeverAQuery: it makes the server fail, instead of
// selecting nothing or more.
func TestBrokenPositionIsNeverAQuery(t *testing.T) {
	q := dialect.Changes("g", samples[0].source, "1 OR 1 = 1", "2", SomeKeys)
	if !strings.Contains(q, "BATCH > TO_NUMBER('not a position: 1 OR 1 = 1')") {
		t.Error(q)
	}
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "-0.0", ".5", "1E+100", "12.3400", "9e-130", "-", "1e999999", strings.Repeat("9", 45)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		long, short, exceeds, ok := oracle.Decimal(s)
		if !ok || exceeds != "" {
			return
		}
		want, ok := new(big.Rat).SetString(strings.TrimSuffix(s, "."))
		if !ok {
			// Rat does not read "1.e5"; both spell the same number then.
			want, _ = new(big.Rat).SetString(long)
		}
		for _, text := range []string{long, short} {
			if got, ok := new(big.Rat).SetString(text); !ok || got.Cmp(want) != 0 {
				t.Fatalf("%q became %q", s, text)
			}
		}
		if len(short) > 172 {
			t.Fatalf("%q: the driver takes 172 characters, not %d", s, len(short))
		}
		if again, _, _, ok := oracle.Decimal(long); !ok || again != long {
			t.Fatalf("%q is spelled %q and then %q", s, long, again)
		}
		if err := Decimal.Check([]byte(long)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzMoment(f *testing.F) {
	for _, s := range []string{" 2024-02-29 23:59:59.123456789", "-0044-03-15 00:00:00", "2024-01-01", "2024-01-01 00:00:00+00", "10000-01-01", " 1582-10-10 24:00:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain, nano, reason := oracle.Moment(s)
		if reason != "" {
			return
		}
		a, errA := time.Parse("2006-01-02 15:04:05.999999999", plain)
		b, errB := time.Parse("2006-01-02 15:04:05.999999999", nano)
		if errA != nil || errB != nil || !a.Equal(b) || len(nano) != len("2006-01-02 15:04:05.999999999") {
			t.Fatalf("%q became %q and %q", s, plain, nano)
		}
		if err := Timestamp.Check([]byte(plain)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzType(f *testing.F) {
	for _, s := range []string{"NUMBER(10,2)", "TIMESTAMP(6) WITH TIME ZONE", "VARCHAR2(10 BYTE)", "NUMBER(*,0)", "(", "x(1", "INTERVAL DAY(2) TO SECOND(6)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, native string) {
		args, ok := oracle.ParseType(native)
		if !ok {
			return
		}
		for _, n := range args {
			if !strings.Contains(native, strconv.Itoa(max(n, -n))) {
				t.Fatalf("%q has %v", native, args)
			}
		}
		if _, err := oracle.Encode(Column{Native: native, Nullable: true}, []byte("x")); err != nil && !errors.Is(err, ErrTypeLoss) {
			t.Fatal(err)
		}
	})
}

// FuzzDecode: whatever a driver returns is spelled as the kind, or refused.
func FuzzDecode(f *testing.F) {
	natives := []string{"NUMBER", "VARCHAR2(9 CHAR)", "CHAR(9 CHAR)", "CLOB", "RAW(9)", "DATE", "TIMESTAMP(9)", "TIMESTAMP(6) WITH TIME ZONE", "NUMBER(1)"}
	kinds := []Kind{Decimal, Text, Text, Text, Bytes, Timestamp, Timestamp, Instant, Bool}
	f.Add("1E5", 0)
	f.Add(" 2024-01-01 00:00:00.5", 6)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = max(n, -(n+1)) % len(natives)
		got, err := oracle.Decode(col(kinds[n], natives[n]), s)
		if err != nil {
			if !errors.Is(err, ErrTypeLoss) {
				t.Fatal(err)
			}
			return
		}
		if got == nil {
			return
		}
		if err := kinds[n].Check(got); err != nil {
			t.Fatalf("%s: %q became %q: %v", natives[n], s, got, err)
		}
		// What was read can be written.
		back, err := oracle.Encode(col(kinds[n], natives[n]), got)
		if err != nil && !slices.Contains([]string{"VARCHAR2(9 CHAR)", "CHAR(9 CHAR)", "RAW(9)", "DATE", "TIMESTAMP(6) WITH TIME ZONE"}, natives[n]) && !strings.Contains(string(got), "1582-10") {
			t.Fatalf("%s: %q became %q and then %q: %v", natives[n], s, got, back, err)
		}
	})
}
