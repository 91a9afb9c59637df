package replication

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func rowOf(values ...string) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		if v != "NULL" {
			out[i] = []byte(v)
		}
	}
	return out
}

func TestKeysSortAsTheirKindSays(t *testing.T) {
	for _, tt := range []struct {
		column Column
		values []string // ascending
	}{
		{Column{Kind: Int}, []string{"NULL", "-9223372036854775808", "-10", "-9", "0", "1", "9", "10", "9223372036854775807", "", "x"}},
		{Column{Kind: Decimal}, []string{"-Infinity", "-10.5", "-10.25", "-1", "-0.1", "-0.01", "0", "0.01", "0.1", "0.10001", "1", "2", "10",
			"12345678901234567890.1", "12345678901234567890.2", "123456789012345678901", "Infinity", "NaN", ".", "1e5"}},
		{Column{Kind: Float, Size: 64}, []string{"-Infinity", "-1e300", "-1", "-5e-324", "0", "5e-324", "1", "9", "1e1", "1e300", "Infinity", "NaN", "", "z"}},
		{Column{Kind: Float, Size: 32}, []string{"0.1", "0.10000001", "1e38", "1e39"}},
		{Column{Kind: Text}, []string{"", " ", "A", "B", "a", "a\x01", "a ", "ab", "z", "é", "\uffff", "\U0001f600"}},
		{Column{Kind: Text, Fixed: true}, []string{"", "A", "a", "a\x01", "a b"}},
		{Column{Kind: Text, Folds: true}, []string{"A", "B", "a", "b"}},
		{Column{Kind: Bytes}, []string{"", "\x00", "\x00\x00", "\x01", "\xff"}},
		{Column{Kind: Bool}, []string{"f", "t", "?"}},
		{Column{Kind: Date}, []string{"0001-01-01", "1999-12-31", "9999-12-31"}},
		{Column{Kind: Time}, []string{"00:00:00", "00:00:00.000001", "23:59:59"}},
		{Column{Kind: Timestamp}, []string{"2024-02-29 12:00:00", "2024-02-29 12:00:00.000001", "2024-02-29 12:00:00.1", "2024-02-29 12:00:01", "2024"}},
		{Column{Kind: Instant}, []string{"2024-02-29 12:00:00+00", "2024-02-29 12:00:00.000001+00", "2024-02-29 12:00:00.1+00", "2024-02-29 12:00:01+00"}},
		{Column{Kind: UUID}, []string{"00000000-0000-0000-0000-000000000000", "0FFFFFFF-0000-0000-0000-000000000000", "10000000-0000-0000-0000-000000000000"}},
	} {
		key := []Column{tt.column}
		for i, a := range tt.values {
			for j, b := range tt.values {
				if got, want := CompareKeys(key, rowOf(a), rowOf(b)), cmp.Compare(i, j); got != want {
					t.Errorf("%s: %q against %q is %d, want %d", tt.column.Kind, a, b, got, want)
				}
			}
		}
	}
}

func TestSpellingsOfOneKeyAreOneKey(t *testing.T) {
	for _, tt := range []struct {
		column Column
		values []string
	}{
		{Column{Kind: Int}, []string{"7", "007", "+7"}},
		{Column{Kind: Int}, []string{"0", "-0", "00"}},
		{Column{Kind: Decimal}, []string{"-1.5", "-01.50", "-1.5000"}},
		{Column{Kind: Decimal}, []string{"0", "-0.00", "0.0"}},
		{Column{Kind: Float}, []string{"1e3", "1000", "1000.0"}},
		{Column{Kind: Float}, []string{"0", "-0", "0e5"}},
		{Column{Kind: Float, Size: 32}, []string{"0.1", "0.100000001490116"}},
		{Column{Kind: Text, Fixed: true}, []string{"a", "a ", "a   "}},
		{Column{Kind: Timestamp}, []string{"2024-02-29 12:00:00.1", "2024-02-29 12:00:00.100000"}},
		{Column{Kind: UUID}, []string{"0000000A-0000-0000-0000-000000000000", "0000000a-0000-0000-0000-000000000000"}},
		{Column{Kind: JSON}, []string{`{"a":1,"b":2}`, `{"b":2.0, "a":1}`}},
	} {
		columns := []Column{tt.column}
		var d digester
		for _, a := range tt.values {
			for _, b := range tt.values {
				if got := CompareKeys(columns, rowOf(a), rowOf(b)); got != 0 {
					t.Errorf("%s: %q against %q is %d", tt.column.Kind, a, b, got)
				}
				if n, equal := EqualRows(columns, rowOf(a), rowOf(b)); !equal || n != -1 {
					t.Errorf("%s: %q and %q differ in column %d", tt.column.Kind, a, b, n)
				}
				if d.sum(columns, rowOf(a)) != d.sum(columns, rowOf(b)) {
					t.Errorf("%s: %q and %q have different digests", tt.column.Kind, a, b)
				}
			}
		}
	}
}

func TestTheFirstColumnsOfAKeyCountMost(t *testing.T) {
	key := []Column{{Kind: Int}, {Kind: Text}}
	rows := [][][]byte{rowOf("2", "z"), rowOf("10", "a"), rowOf("10", "b"), rowOf("11", "")}
	for i := range rows {
		for j := range rows {
			if got := CompareKeys(key, rows[i], rows[j]); got != cmp.Compare(i, j) {
				t.Errorf("%q against %q is %d", rows[i], rows[j], got)
			}
		}
	}
}

func TestEqualRowsNamesTheFirstColumnThatDiffers(t *testing.T) {
	columns := []Column{{Kind: Int}, {Kind: Text}, {Kind: Decimal}}
	for _, tt := range []struct {
		a, b [][]byte
		want int
	}{
		{rowOf("1", "a", "1.0"), rowOf("1", "a", "1"), -1},
		{rowOf("1", "a", "NULL"), rowOf("1", "a", "NULL"), -1},
		{rowOf("1", "a", "1"), rowOf("1", "b", "2"), 1},
		{rowOf("1", "a", "1"), rowOf("1", "a", "NULL"), 2},
		{rowOf("1", "NULL", "1"), rowOf("1", "", "1"), 1},
		{rowOf("1", "a", "1"), rowOf("2", "a", "1"), 0},
		{rowOf("1", "a", "x"), rowOf("1", "a", "x"), -1},
		{rowOf("1", "a", "1"), rowOf("1", "a", "x"), 2},
	} {
		for range 2 {
			if got, equal := EqualRows(columns, tt.a, tt.b); got != tt.want || equal != (tt.want < 0) {
				t.Errorf("%q and %q: %d, %v, want %d", tt.a, tt.b, got, equal, tt.want)
			}
			tt.a, tt.b = tt.b, tt.a
		}
	}
}

func TestDecimalKeysCompareAsBigNumbersDo(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	key := []Column{{Kind: Decimal}}
	for range 20000 {
		a, b := decimalText(r), decimalText(r)
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		if got := CompareKeys(key, rowOf(a), rowOf(b)); got != x.Cmp(y) {
			t.Fatalf("%s against %s is %d, want %d", a, b, got, x.Cmp(y))
		}
	}
}

// decimalText returns numbers that are often close to each other.
func decimalText(r *rand.Rand) string {
	b := []byte{"+-"[r.IntN(2)]}
	if b[0] == '+' {
		b = b[:0]
	}
	for range 1 + r.IntN(3) {
		b = append(b, "01239"[r.IntN(5)])
	}
	if r.IntN(2) == 0 {
		b = append(b, '.')
		for range 1 + r.IntN(3) {
			b = append(b, "01239"[r.IntN(5)])
		}
	}
	return string(b)
}

// anything returns values of all kinds, and some of none.
func anything(r *rand.Rand) []byte {
	pool := []string{"NULL", "", "0", "-0", "1", "1.0", "+1", "01", "-1", "1e0", "10", "9", "NaN", "Infinity", "-Infinity", "t", "f", "a", "a ", "A", "\xff", "[1]", "[1.0]", "{}",
		"2024-02-29", "12:00:00", "12:00:00.0", "2024-02-29 12:00:00", "2024-02-29 12:00:00.10", "2024-02-29 12:00:00.1", "2024-02-29 12:00:00+00", "2024-02-29 12:00:00.000+00",
		"0000000A-0000-0000-0000-000000000000", "0000000a-0000-0000-0000-000000000000", "0.1", "0.100000001", "99999999999999999999"}
	return rowOf(pool[r.IntN(len(pool))])[0]
}

// everyColumn has all that values can be compared by.
var everyColumn = []Column{
	{Kind: Native}, {Kind: Bool}, {Kind: Int}, {Kind: Decimal}, {Kind: Float, Size: 32}, {Kind: Float, Size: 64}, {Kind: Text}, {Kind: Text, Fixed: true},
	{Kind: Bytes}, {Kind: Date}, {Kind: Time}, {Kind: Timestamp}, {Kind: Instant}, {Kind: UUID}, {Kind: JSON}, {Kind: 99},
}

func TestOrderOfKeysIsTotalWhateverTheyHold(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var d digester
	for range 30000 {
		c := everyColumn[r.IntN(len(everyColumn))]
		checkOrder(t, c, anything(r), anything(r), anything(r), &d)
	}
}

// checkOrder checks all laws of the order for three values.
func checkOrder(t *testing.T, c Column, x, y, z []byte, d *digester) {
	t.Helper()
	key := []Column{c}
	compare := func(a, b []byte) int { return CompareKeys(key, [][]byte{a}, [][]byte{b}) }
	for _, p := range [][2][]byte{{x, y}, {y, z}, {x, z}, {x, x}} {
		a, b := p[0], p[1]
		n := compare(a, b)
		if n != -compare(b, a) {
			t.Fatalf("%s: %q and %q are ordered both ways", c.Kind, a, b)
		}
		if _, equal := EqualRows(key, [][]byte{a}, [][]byte{b}); equal != (n == 0) {
			t.Fatalf("%s: %q against %q is %d, but EqualRows says %v", c.Kind, a, b, n, equal)
		}
		if same := d.sum(key, [][]byte{a}) == d.sum(key, [][]byte{b}); same != (n == 0) {
			t.Fatalf("%s: %q against %q is %d, but same digest is %v", c.Kind, a, b, n, same)
		}
	}
	values := [][]byte{x, y, z}
	slices.SortFunc(values, compare)
	if compare(values[0], values[1]) > 0 || compare(values[1], values[2]) > 0 || compare(values[0], values[2]) > 0 {
		t.Fatalf("%s: %q, %q and %q have no order", c.Kind, x, y, z)
	}
}

func TestDigestsTellRowsApart(t *testing.T) {
	columns := []Column{{Kind: Text}, {Kind: Text}, {Kind: Decimal}}
	rows := [][][]byte{
		rowOf("a", "b", "1"), rowOf("ab", "", "1"), rowOf("", "ab", "1"), rowOf("b", "a", "1"), rowOf("NULL", "b", "1"), rowOf("a", "NULL", "1"),
		rowOf("", "b", "1"), rowOf("a", "b", "NULL"), rowOf("a", "b", "1.1"), rowOf("a", "b", "x"), rowOf("a", "b", "x "), rowOf("NULL", "NULL", "NULL"),
		rowOf("a\x00", "b", "1"), rowOf("a\x01\x00\x00\x00\x01b", "", "1"), rowOf("", "", "NULL"),
	}
	var d digester
	seen := map[digest]int{}
	for i, r := range rows {
		sum := d.sum(columns, r)
		if j, ok := seen[sum]; ok {
			t.Errorf("%q and %q have the same digest", rows[j], r)
		}
		seen[sum] = i
	}
}

// A digest may be kept, and compared with one of another process.
func TestDigestIsTheSameEverywhereAndAlways(t *testing.T) {
	columns := []Column{{Kind: Int}, {Kind: Text}, {Kind: Decimal}, {Kind: Timestamp}, {Kind: Bool}}
	var d digester
	sum := d.sum(columns, rowOf("1", "é", "1.50", "2024-02-29 12:00:00.10", "NULL"))
	if got, want := hex.EncodeToString(sum[:]), "83d177b719e7a01cc44f0bdaa8de3ca3"; got != want {
		t.Errorf("digest is %s, want %s", got, want)
	}
}

func TestDigesterKeepsNoLargeValue(t *testing.T) {
	var d digester
	d.sum([]Column{{Kind: Bytes}}, [][]byte{bytes.Repeat([]byte("x"), 4<<20)})
	if cap(d.buf) > 1<<20 {
		t.Errorf("keeps %d bytes", cap(d.buf))
	}
}

// wide is a row of about 100 bytes.
var (
	wideColumns = []Column{{Kind: Int}, {Kind: Text}, {Kind: Text}, {Kind: Decimal}, {Kind: Timestamp}, {Kind: Bool}}
	wideRow     = rowOf("123456", "somebody@example.com", "A name of usual length", "1234.50", "2024-02-29 12:34:56.789", "t")
)

func TestComparingUsualRowsDoesNotAllocate(t *testing.T) {
	other := rowOf("123456", "somebody@example.com", "A name of usual length", "1234.5", "2024-02-29 12:34:56.789000", "t")
	var d digester
	for name, f := range map[string]func(){
		"CompareKeys": func() { CompareKeys(wideColumns, wideRow, other) },
		"EqualRows":   func() { EqualRows(wideColumns, wideRow, other) },
		"digest":      func() { d.sum(wideColumns, wideRow) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	b.ReportAllocs()
	var d digester
	for b.Loop() {
		d.sum(wideColumns, wideRow)
	}
}

func BenchmarkEqualRows(b *testing.B) {
	b.ReportAllocs()
	other := rowOf("123456", "somebody@example.com", "A name of usual length", "1234.5", "2024-02-29 12:34:56.789000", "t")
	for b.Loop() {
		EqualRows(wideColumns, wideRow, other)
	}
}

func BenchmarkCompareKeys(b *testing.B) {
	for _, bb := range []struct {
		column Column
		x, y   string
	}{
		{Column{Kind: Int}, "1234567890", "1234567891"},
		{Column{Kind: Decimal}, "12345.6789", "12345.679"},
		{Column{Kind: Float}, "0.25", "0.5"},
		{Column{Kind: Text}, "somebody@example.com", "somebody@example.org"},
		{Column{Kind: Timestamp}, "2024-02-29 12:34:56.789", "2024-02-29 12:34:56.79"},
		{Column{Kind: UUID}, "01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdee"},
	} {
		b.Run(bb.column.Kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			key, x, y := []Column{bb.column}, rowOf(bb.x), rowOf(bb.y)
			for b.Loop() {
				CompareKeys(key, x, y)
			}
		})
	}
}
