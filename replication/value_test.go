package replication_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// kinds has all kinds, to see that none is forgotten.
var kinds = []replication.Kind{
	replication.Native, replication.Bool, replication.Int, replication.Decimal, replication.Float,
	replication.Text, replication.Bytes, replication.Date, replication.Time, replication.Timestamp,
	replication.Instant, replication.UUID, replication.JSON,
}

func TestCheckTakesTheSpellingOfEachKindAndNoOther(t *testing.T) {
	long := strings.Repeat("9", 5000)
	for _, tt := range []struct {
		kind replication.Kind
		good []string
		bad  []string
	}{
		{replication.Native, []string{"", "{1,2}", "\xff"}, nil},
		{replication.Bool, []string{"t", "f"}, []string{"", "T", "true", "1", "0", "tt"}},
		{replication.Int,
			[]string{"0", "-1", "007", "-0", "9223372036854775807", "-9223372036854775808", "0000000000000000000000001"},
			[]string{"", "-", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "9223372036854775808", "-9223372036854775809", "1_0", "NaN", "12345678901234567890"}},
		{replication.Decimal,
			[]string{"0", "-0.00", "1.50", "00.1", long, "-0." + long, "NaN", "Infinity", "-Infinity"},
			[]string{"", ".", ".5", "5.", "+1", "1e3", "1.2.3", "nan", "inf", "--1", "1,5", "-NaN"}},
		{replication.Float,
			[]string{"0", "-0", "1.5", "1e300", "1e+06", "5E-324", "1e-999", "NaN", "Infinity", "-Infinity"},
			[]string{"", "1e999", "0x1p4", "1_000", "inf", "nan", "+Inf", "+1", "1e", "-", "infinity"}},
		{replication.Text, []string{"", "a b", "\x00", "\U0001f600", `\N`}, []string{"\xff", "a\xc3", "\xed\xa0\x80"}},
		{replication.Bytes, []string{"", "\xff\x00"}, nil},
		{replication.Date,
			[]string{"0001-01-01", "9999-12-31", "2024-02-29", "2000-02-29"},
			[]string{"", "0000-01-01", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "2024-04-31", "infinity", "2024-1-01", "10000-01-01", "2024-01-01 BC", "2024/01/01", "2024-01-01 00:00:00", "20240-1-01"}},
		{replication.Time,
			[]string{"00:00:00", "23:59:59.999999", "01:02:03.5", "01:02:03.500000"},
			[]string{"", "24:00:00", "-01:00:00", "838:59:59", "12:60:00", "12:00:60", "12:00", "12:00:00.", "12:00:00.1234567", "12:00:00,5", "12:00:00+00"}},
		{replication.Timestamp,
			[]string{"0001-01-01 00:00:00", "9999-12-31 23:59:59.999999999", "2024-02-29 12:00:00.10"},
			[]string{"", "2024-02-29", "2024-02-29T12:00:00", "2024-02-29 12:00:00+00", "0000-00-00 00:00:00", "2024-02-29 12:00:00.1234567890", "infinity", "2024-02-30 12:00:00", "2024-02-29 12:00:00 BC"}},
		{replication.Instant,
			[]string{"0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999999+00"},
			[]string{"", "+00", "2024-02-29 12:00:00", "2024-02-29 12:00:00Z", "2024-02-29 12:00:00+01", "2024-02-29 12:00:00+00:00", "-infinity"}},
		{replication.UUID,
			[]string{"01234567-89ab-cdef-0123-456789abcdef"},
			[]string{"", "01234567-89AB-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdef", "{01234567-89ab-cdef-0123-456789abcdef}", "01234567-89ab-cdef-0123-456789abcdeg", "01234567-89ab-cdef-01234-56789abcdef"}},
		{replication.JSON,
			[]string{"0", " null ", `"a"`, "[]", "{}", `{"a":[1,-2.5e+3,{"b":true}],"a":false}`, `"\ud800\u0000"`, "1e99999999999999999999"},
			[]string{"", " ", "nul", "[1,]", "{,}", `{"a"}`, `{"a":}`, `{a:1}`, "01", "-", "1.", ".5", "1e", "+1", `"`, `"\x"`, `"\u12g4"`, "\"\n\"", "\"\xff\"", "[1 2]", "1 2", "[", "{", "]", "\ufeff1", "NaN", `{"a":1`}},
	} {
		for _, text := range tt.good {
			if err := tt.kind.Check([]byte(text)); err != nil {
				t.Errorf("%s: %v", tt.kind, err)
			}
		}
		for _, text := range tt.bad {
			err := tt.kind.Check([]byte(text))
			if err == nil {
				t.Errorf("%s takes %q", tt.kind, text)
			} else if !strings.HasPrefix(err.Error(), "replication: ") {
				t.Errorf("%s: error %q does not say whose it is", tt.kind, err)
			}
		}
	}
	if err := replication.Kind(200).Check([]byte("x")); err == nil {
		t.Error("a kind that there is not takes a value")
	}
}

func TestErrorsShowNoMoreThanTheBeginningOfAValue(t *testing.T) {
	value := bytes.Repeat([]byte("x"), 1<<20)
	for _, k := range kinds {
		if err := k.Check(value); err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: error of %d bytes", k, len(err.Error()))
		}
	}
}

// normal returns the normal form, which must be there.
func normal(t *testing.T, c replication.Column, text string) string {
	t.Helper()
	got, err := replication.AppendNormal(nil, c, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestNormalFormOfEachKind(t *testing.T) {
	col := func(k replication.Kind) replication.Column { return replication.Column{Kind: k} }
	f32, fixed := replication.Column{Kind: replication.Float, Size: 32}, replication.Column{Kind: replication.Text, Fixed: true}
	for _, tt := range []struct {
		column   replication.Column
		in, want string
	}{
		{col(replication.Native), " {1} ", " {1} "},
		{col(replication.Bool), "t", "t"},
		{col(replication.Int), "-007", "-7"},
		{col(replication.Int), "+0", "0"},
		{col(replication.Int), "-0", "0"},
		{col(replication.Decimal), "-00.00", "0"},
		{col(replication.Decimal), "+0012.3400", "12.34"},
		{col(replication.Decimal), "-0.50", "-0.5"},
		{col(replication.Decimal), "1000", "1000"},
		{col(replication.Decimal), "-Infinity", "-Infinity"},
		{col(replication.Float), "1000000", "1e+06"},
		{col(replication.Float), "-0.0", "0"},
		{col(replication.Float), "0.10", "0.1"},
		{col(replication.Float), "1E22", "1e+22"},
		{col(replication.Float), "0.30000000000000004", "0.30000000000000004"},
		{col(replication.Float), "Infinity", "Infinity"},
		{f32, "0.100000001490116", "0.1"},
		{f32, "16777216", "1.6777216e+07"},
		{f32, "NaN", "NaN"},
		{col(replication.Text), "a ", "a "},
		{fixed, "a  ", "a"},
		{fixed, "  ", ""},
		{fixed, "a\t", "a\t"},
		{col(replication.Bytes), "\xff ", "\xff "},
		{col(replication.Time), "01:02:03.500000", "01:02:03.5"},
		{col(replication.Time), "01:02:03.000", "01:02:03"},
		{col(replication.Timestamp), "2024-02-29 01:02:03.000000", "2024-02-29 01:02:03"},
		{col(replication.Timestamp), "2024-02-29 01:02:00", "2024-02-29 01:02:00"},
		{col(replication.Instant), "2024-02-29 01:02:03.120+00", "2024-02-29 01:02:03.12+00"},
		{col(replication.UUID), "01234567-89AB-CDEF-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"},
		{col(replication.JSON), ` { "b" : [ 1.0 , 1e2, 0.15, -0, 0e999999999999999999999, 1500 ] , "a" : null } `, `{"a":null,"b":[1,1e2,15e-2,0,0,15e2]}`},
		{col(replication.JSON), `"\u0061\/\n\u00e9\ud83d\ude00\ud800x\udc00\""`, `"a/\u000aé😀\ud800x\udc00\""`},
		{col(replication.JSON), `{"\u0062":1,"a":2,"":{}}`, `{"":{},"a":2,"b":1}`},
		{col(replication.JSON), `[{"b":{"z":1,"y":[{"q":1,"p":2}]},"a":0},{"d":1,"c":2}]`, `[{"a":0,"b":{"y":[{"p":2,"q":1}],"z":1}},{"c":2,"d":1}]`},
	} {
		if got := normal(t, tt.column, tt.in); got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.column.Kind, tt.in, got, tt.want)
		}
		if got := normal(t, tt.column, tt.want); got != tt.want {
			t.Errorf("%s: the normal form %q becomes %q", tt.column.Kind, tt.want, got)
		}
	}
}

func TestNormalFormIsAppended(t *testing.T) {
	for _, text := range []string{`{"b":1,"a":0.001}`, "12", `"x"`} {
		got, err := replication.AppendNormal([]byte("000"), replication.Column{Kind: replication.JSON}, []byte(text))
		if want := "000" + normal(t, replication.Column{Kind: replication.JSON}, text); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, k := range kinds {
		got, err := replication.AppendNormal([]byte("dst"), replication.Column{Kind: k}, []byte("01-no spelling of most"))
		if err != nil && string(got) != "dst" {
			t.Errorf("%s: an error leaves %q", k, got)
		}
	}
}

func TestDecimalsAreExactAtAnyLength(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := replication.Column{Kind: replication.Decimal}
	for range 5000 {
		text := randomDecimal(r)
		a, _ := new(big.Rat).SetString(text)
		got := normal(t, c, text)
		b, ok := new(big.Rat).SetString(got)
		if !ok || a.Cmp(b) != 0 {
			t.Fatalf("%s becomes %s", text, got)
		}
		if again := a.FloatString(60); normal(t, c, again) != got {
			t.Fatalf("%s and %s are not equal", text, again)
		}
	}
}

// randomDecimal has up to 40 digits before the point and 50 behind, zeros often.
func randomDecimal(r *rand.Rand) string {
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "000123456789"[r.IntN(12)]
		}
		return string(b)
	}
	s := []string{"", "-"}[r.IntN(2)] + digits(1+r.IntN(40))
	if r.IntN(3) > 0 {
		s += "." + digits(1+r.IntN(50))
	}
	return s
}

func TestFloatsOfAllSpellingsAreEqualIfTheirBitsAre(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		for bits, f := range map[int]float64{
			32: float64(math.Float32frombits(r.Uint32())),
			64: math.Float64frombits(r.Uint64()),
		} {
			if math.IsNaN(f) || math.IsInf(f, 0) {
				continue
			}
			c := replication.Column{Kind: replication.Float, Size: bits}
			want := normal(t, c, strconv.FormatFloat(f, 'g', -1, bits))
			for _, other := range []string{
				strconv.FormatFloat(f, 'e', 17, 64), strconv.FormatFloat(f, 'f', -1, bits), strconv.FormatFloat(f, 'E', -1, bits),
			} {
				if got := normal(t, c, other); got != want {
					t.Fatalf("%d bits: %s is %s, want %s", bits, other, got, want)
				}
			}
			if back, err := strconv.ParseFloat(want, bits); err != nil || back != f {
				t.Fatalf("%d bits: %s reads back as %v, want %v", bits, want, back, f)
			}
		}
	}
}

func TestDatesAreThoseOfTheCalendar(t *testing.T) {
	for year := 1; year <= 9999; year += 1 + year%7 {
		for month := 1; month <= 12; month++ {
			for day := 27; day <= 32; day++ {
				text := fmt.Sprintf("%04d-%02d-%02d", year, month, day)
				_, err := time.Parse(time.DateOnly, text)
				if got := replication.Date.Check([]byte(text)); (got == nil) != (err == nil) {
					t.Fatalf("%s: %v, and package time says %v", text, got, err)
				}
			}
		}
	}
}

func TestJSONWithTheSameKeyTwiceIsEqualToNothingElse(t *testing.T) {
	c := replication.Column{Kind: replication.JSON}
	for _, text := range []string{`{"a":1,"a":1}`, `{"a":1,"\u0061":2}`, `[{"x":{"b":0,"a":1,"b":0}}]`} {
		if _, err := replication.AppendNormal(nil, c, []byte(text)); err == nil {
			t.Errorf("%s has a normal form", text)
		}
		row, other := [][]byte{[]byte(text)}, [][]byte{[]byte(text + " ")}
		if _, equal := replication.EqualRows([]replication.Column{c}, row, [][]byte{[]byte(text)}); !equal {
			t.Errorf("%s is not equal to itself", text)
		}
		if _, equal := replication.EqualRows([]replication.Column{c}, row, other); equal {
			t.Errorf("%s is equal to another text", text)
		}
	}
	if got := normal(t, c, `[{"a":1},{"a":1},{"b":{"a":1},"a":{"a":1}}]`); got != `[{"a":1},{"a":1},{"a":{"a":1},"b":{"a":1}}]` {
		t.Error(got)
	}
}

func TestHostileJSONTakesTimeAndMemoryInProportion(t *testing.T) {
	c := replication.Column{Kind: replication.JSON}
	deep := func(n int) string {
		return strings.Repeat(`{"b":0,"a":`, n) + "0" + strings.Repeat("}", n)
	}
	const limit = 1000
	if _, err := replication.AppendNormal(nil, c, []byte(deep(limit))); err != nil {
		t.Error(err)
	}
	for _, text := range []string{
		deep(limit + 1), strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<20), strings.Repeat(" ", 64<<20+1) + "1",
		"1e1000000000000000000", "-0.1E-1000000000000000000",
	} {
		if got, err := replication.AppendNormal(nil, c, []byte(text)); err == nil {
			t.Errorf("%.20s of %d bytes becomes %d bytes", text, len(text), len(got))
		} else if len(err.Error()) > 400 {
			t.Errorf("error of %d bytes", len(err.Error()))
		}
	}
	// Objects in objects, each to be sorted, with a large value at the bottom:
	// what is copied at each level would be copied a thousand times.
	big := strings.Replace(deep(limit-1), "0}", `"`+strings.Repeat("x", 1<<20)+`"}`, 1)
	start := time.Now()
	if got := normal(t, c, big); len(got) != len(big) {
		t.Errorf("%d bytes become %d", len(big), len(got))
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
	// Exponents are not written out.
	if got := normal(t, c, "[1e999999999999999999,0.0000e5,10000000e-999999999999999999]"); len(got) > 100 {
		t.Error(got)
	}
}

func TestJSONKeepsItsValue(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	c := replication.Column{Kind: replication.JSON}
	for range 3000 {
		value := randomJSON(r, 4)
		a, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		got := normal(t, c, string(a))
		if !json.Valid([]byte(got)) {
			t.Fatalf("%s becomes %s, which is no JSON", a, got)
		}
		indented, _ := json.MarshalIndent(value, " ", "\t")
		if other := normal(t, c, string(indented)); other != got {
			t.Fatalf("%s becomes %s, and with blanks %s", a, got, other)
		}
		var back any
		if err := json.Unmarshal([]byte(got), &back); err != nil {
			t.Fatal(err)
		}
		if b, _ := json.Marshal(back); !bytes.Equal(a, b) {
			t.Fatalf("%s becomes %s, which is %s", a, got, b)
		}
	}
}

func randomJSON(r *rand.Rand, depth int) any {
	text := func() string {
		return []string{"", "a", "b", "é", "\n", "\x00", "<&>", `"\`, "\u2028", "😀", "ab", "B"}[r.IntN(12)]
	}
	n := 5
	if depth > 0 {
		n = 7
	}
	switch r.IntN(n) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return float64(r.IntN(2000)-1000)*[]float64{1, 0.001, 1e30, 0}[r.IntN(4)] + 0
	case 3:
		return r.NormFloat64()
	case 4:
		return text()
	case 5:
		list := make([]any, r.IntN(4))
		for i := range list {
			list[i] = randomJSON(r, depth-1)
		}
		return list
	}
	object := map[string]any{}
	for range r.IntN(5) {
		object[text()+text()] = randomJSON(r, depth-1)
	}
	return object
}

// samples are usual values, for what has to be quick.
var samples = []struct {
	column replication.Column
	text   string
}{
	{replication.Column{Kind: replication.Native}, "{1,2}"},
	{replication.Column{Kind: replication.Bool}, "t"},
	{replication.Column{Kind: replication.Int}, "1234567890"},
	{replication.Column{Kind: replication.Decimal}, "12345.6700"},
	{replication.Column{Kind: replication.Float, Size: 64}, "0.30000000000000004"},
	{replication.Column{Kind: replication.Text}, "Some text of a usual length, with an é"},
	{replication.Column{Kind: replication.Text, Fixed: true}, "DE        "},
	{replication.Column{Kind: replication.Bytes}, "\x00\x01\x02\x03"},
	{replication.Column{Kind: replication.Date}, "2024-02-29"},
	{replication.Column{Kind: replication.Time}, "12:34:56.789000"},
	{replication.Column{Kind: replication.Timestamp}, "2024-02-29 12:34:56.789000"},
	{replication.Column{Kind: replication.Instant}, "2024-02-29 12:34:56.789+00"},
	{replication.Column{Kind: replication.UUID}, "01234567-89ab-cdef-0123-456789abcdef"},
	{replication.Column{Kind: replication.JSON}, `{"name": "x", "id": 17, "tags": ["a", "b"]}`},
}

func TestUsualValuesDoNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 1024)
	for _, s := range samples {
		text := []byte(s.text)
		if s.column.Kind == replication.JSON {
			continue // takes its memory from a pool, which the race detector empties at random
		}
		if n := testing.AllocsPerRun(100, func() {
			if s.column.Kind.Check(text) != nil {
				t.Fatal(s.text)
			}
		}); n != 0 {
			t.Errorf("%s: Check allocates %v times", s.column.Kind, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := replication.AppendNormal(dst, s.column, text); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: AppendNormal allocates %v times", s.column.Kind, n)
		}
	}
}

func BenchmarkAppendNormal(b *testing.B) {
	for _, s := range samples {
		b.Run(s.column.Kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			dst, text := make([]byte, 0, 1024), []byte(s.text)
			for b.Loop() {
				if _, err := replication.AppendNormal(dst, s.column, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, s := range samples {
		b.Run(s.column.Kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			text := []byte(s.text)
			for b.Loop() {
				if s.column.Kind.Check(text) != nil {
					b.Fatal(s.text)
				}
			}
		})
	}
}
