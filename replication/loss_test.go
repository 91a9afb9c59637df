package replication

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func charCol(size int) Column            { return Column{Name: "c", Kind: Text, Size: size, Fixed: true} }
func textCol(size int) Column            { return Column{Name: "c", Kind: Text, Size: size} }
func decCol(p, s int) Column             { return Column{Name: "c", Kind: Decimal, Precision: p, Scale: s} }
func kindCol(k Kind) Column              { return Column{Name: "c", Kind: k} }
func floatCol(bits int) Column           { return Column{Name: "c", Kind: Float, Size: bits} }
func binCol(size int) Column             { return Column{Name: "c", Kind: Bytes, Size: size} }
func scaledCol(k Kind, scale int) Column { return Column{Name: "c", Kind: k, Scale: scale} }
func nativeCol(n string) Column          { return Column{Name: "c", Kind: Native, Native: n} }

func (v verdict) String() string { return [...]string{"lossless", "checked", "refused"}[v] }

func TestWhatWouldBeLostSilentlyIsRefused(t *testing.T) {
	for _, tt := range []struct {
		from, to Column
		same     bool
		want     verdict
	}{
		{textCol(0), textCol(0), false, lossless},
		{textCol(10), textCol(20), false, lossless},
		{textCol(10), textCol(10), false, lossless},
		{textCol(0), textCol(100), false, checked},
		{textCol(20), textCol(10), false, checked},
		{charCol(10), textCol(10), false, lossless},
		{charCol(10), charCol(12), false, lossless},
		{charCol(10), charCol(5), false, checked},
		{textCol(10), charCol(10), false, refused}, // blanks at the end
		{textCol(10), binCol(40), false, lossless},
		{textCol(10), binCol(39), false, checked},
		{textCol(0), binCol(10), false, checked},
		{textCol(0), binCol(0), false, lossless},
		{binCol(0), textCol(0), false, refused},
		{binCol(0), binCol(0), false, lossless},
		{binCol(20), binCol(10), false, checked},

		{decCol(10, 2), decCol(12, 2), false, lossless},
		{decCol(10, 2), decCol(10, 2), false, lossless},
		{decCol(10, 2), decCol(8, 2), false, checked},
		{decCol(10, 2), decCol(12, 4), false, lossless},
		{decCol(10, 2), decCol(10, 4), false, checked},
		{decCol(10, 4), decCol(10, 2), false, refused}, // rounds
		{decCol(10, 4), decCol(20, 2), false, refused},
		{decCol(5, -2), decCol(7, 0), false, lossless},
		{decCol(7, 0), decCol(5, -2), false, refused},
		{decCol(0, 0), decCol(0, 0), false, lossless},
		{decCol(10, 2), decCol(0, 0), false, lossless},
		{decCol(0, 0), decCol(65, 30), false, refused}, // rounds
		{decCol(10, 2), floatCol(64), false, refused},
		{kindCol(Int), floatCol(64), false, refused},
		{kindCol(Int), kindCol(Int), false, checked},
		{kindCol(Int), decCol(0, 0), false, lossless},
		{kindCol(Int), decCol(19, 0), false, lossless},
		{kindCol(Int), decCol(20, 2), false, checked},
		{kindCol(Int), decCol(30, -2), false, refused},
		{kindCol(Bool), decCol(3, -1), false, refused},
		{decCol(10, 0), kindCol(Int), false, checked},
		{decCol(20, 0), kindCol(Int), false, checked},
		{decCol(10, 2), kindCol(Int), false, refused},
		{decCol(0, 0), kindCol(Int), false, refused},
		{floatCol(32), floatCol(64), false, lossless},
		{floatCol(64), floatCol(64), false, lossless},
		{floatCol(64), floatCol(32), false, refused},
		{floatCol(64), decCol(0, 0), false, checked},
		{floatCol(64), decCol(65, 30), false, refused},
		{floatCol(64), kindCol(Int), false, refused},

		{kindCol(Bool), kindCol(Bool), false, lossless},
		{kindCol(Bool), kindCol(Int), false, lossless},
		{kindCol(Bool), decCol(1, 0), false, lossless},
		{kindCol(Bool), decCol(2, 2), false, refused},
		{kindCol(Int), kindCol(Bool), false, checked},
		{decCol(1, 0), kindCol(Bool), false, checked},
		{decCol(2, 1), kindCol(Bool), false, refused},
		{kindCol(Bool), textCol(1), false, lossless},

		{scaledCol(Timestamp, 6), scaledCol(Timestamp, 6), false, lossless},
		{scaledCol(Timestamp, 0), scaledCol(Timestamp, 6), false, lossless},
		{scaledCol(Timestamp, 6), scaledCol(Timestamp, 0), false, refused}, // rounds
		{scaledCol(Timestamp, 9), scaledCol(Timestamp, 6), false, refused},
		{scaledCol(Instant, 6), scaledCol(Instant, 3), false, refused},
		{scaledCol(Time, 6), scaledCol(Time, 0), false, refused},
		{scaledCol(Time, 0), scaledCol(Time, 6), false, lossless},
		{scaledCol(Instant, 6), scaledCol(Timestamp, 6), false, lossless},
		{scaledCol(Instant, 6), scaledCol(Timestamp, 3), false, refused},
		{scaledCol(Timestamp, 6), scaledCol(Instant, 6), false, refused}, // guesses a zone
		{scaledCol(Instant, 6), kindCol(Date), false, refused},
		{scaledCol(Timestamp, 6), kindCol(Date), false, refused},
		{scaledCol(Timestamp, 0), scaledCol(Time, 0), false, refused},
		{kindCol(Date), scaledCol(Timestamp, 0), false, lossless},
		{kindCol(Date), scaledCol(Instant, 0), false, refused},
		{kindCol(Date), kindCol(Date), false, lossless},

		{kindCol(UUID), kindCol(UUID), false, lossless},
		{kindCol(UUID), charCol(36), false, lossless},
		{kindCol(UUID), textCol(35), false, checked},
		{kindCol(UUID), binCol(16), false, refused},
		{kindCol(JSON), kindCol(JSON), false, lossless},
		{kindCol(JSON), textCol(0), false, lossless},
		{kindCol(JSON), textCol(100), false, checked},
		{textCol(0), kindCol(JSON), false, refused},
		{textCol(0), kindCol(UUID), false, refused},
		{textCol(0), kindCol(Int), false, refused},
		{kindCol(Int), textCol(20), false, lossless},
		{kindCol(Int), textCol(19), false, checked},
		{decCol(10, 2), textCol(13), false, lossless},
		{decCol(10, 2), textCol(12), false, checked},
		{decCol(0, 0), textCol(100), false, checked},
		{floatCol(64), textCol(24), false, lossless},
		{scaledCol(Instant, 6), textCol(32), false, lossless},

		{nativeCol("int4range"), nativeCol("int4range"), true, lossless},
		{nativeCol("int4range"), nativeCol("int4range"), false, refused},
		{nativeCol("int4range"), nativeCol("int8range"), true, refused},
		{nativeCol("int4range"), textCol(0), true, refused},
		{nativeCol("int4range"), textCol(0), false, refused},
		{textCol(0), nativeCol("tsvector"), true, refused},
		{textCol(0), kindCol(200), false, refused},
		{kindCol(200), textCol(0), false, refused},
	} {
		got, reason := lossOf(tt.from, tt.to, tt.same)
		if got != tt.want {
			t.Errorf("%+v to %+v is %s (%s), want %s", tt.from, tt.to, got, reason, tt.want)
		}
		if got != lossless && reason == "" {
			t.Errorf("%+v to %+v is %s without a reason", tt.from, tt.to, got)
		}
		if strings.ContainsAny(reason, "%!\n") || strings.HasSuffix(reason, ".") {
			t.Errorf("reason %q", reason)
		}
	}
}

func TestEveryPairOfKindsHasAVerdict(t *testing.T) {
	for from := range JSON + 1 {
		for to := range JSON + 1 {
			v, reason := lossOf(kindCol(from), kindCol(to), false)
			if v != lossless && reason == "" {
				t.Errorf("%s to %s is %s without a reason", from, to, v)
			}
			if from == to && from != Native && v == refused {
				t.Errorf("%s to itself is refused: %s", from, reason)
			}
		}
	}
}

func TestTheSameTypeOfTheSameVendorIsLossless(t *testing.T) {
	for k := range JSON + 1 {
		c := Column{Name: "c", Kind: k, Native: "sometype(3)", Size: 3, Scale: 3, Folds: true, Fixed: true}
		if v, reason := lossOf(c, c, true); v != lossless {
			t.Errorf("%s is %s: %s", k, v, reason)
		}
	}
}

func TestComputedAndNotNullColumnsOfTheReplica(t *testing.T) {
	generated := kindCol(Int)
	generated.Generated = true
	if v, _ := lossOf(kindCol(Int), generated, true); v != refused {
		t.Errorf("a computed column is %s", v)
	}
	nullable := kindCol(Date)
	nullable.Nullable = true
	if v, _ := lossOf(nullable, kindCol(Date), false); v != checked {
		t.Errorf("NULL into NOT NULL is %s", v)
	}
	if v, _ := lossOf(nullable, nullable, false); v != lossless {
		t.Errorf("NULL into NULL is %s", v)
	}
}

func TestKeysThatTheReplicaTakesForEqualAreRefused(t *testing.T) {
	folds := func(c Column, native string) Column {
		c.Folds, c.Native = true, native
		return c
	}
	for _, tt := range []struct {
		from, to Column
		same     bool
		want     verdict
	}{
		{textCol(10), textCol(10), false, lossless},
		{textCol(10), folds(textCol(10), "varchar(10)"), false, refused},
		{folds(textCol(10), "varchar(10)"), textCol(10), false, lossless},
		{folds(textCol(10), "varchar(10)"), folds(textCol(10), "varchar(10)"), true, checked},
		{folds(textCol(10), "varchar(10)"), folds(textCol(20), "varchar(20)"), true, refused},
		{folds(textCol(10), "varchar(10)"), folds(textCol(10), "varchar(10)"), false, refused},
		{kindCol(Int), textCol(0), false, refused}, // 10 before 9
		{decCol(10, 2), textCol(0), false, refused},
		{kindCol(Int), decCol(20, 0), false, lossless},
		{kindCol(Bool), kindCol(Int), false, lossless},
		{kindCol(UUID), charCol(36), false, lossless},
		{kindCol(Date), scaledCol(Timestamp, 0), false, lossless},
		{scaledCol(Timestamp, 6), scaledCol(Timestamp, 0), false, refused},
	} {
		if got, reason := keyLossOf(tt.from, tt.to, tt.same); got != tt.want {
			t.Errorf("%+v to %+v is %s (%s), want %s", tt.from, tt.to, got, reason, tt.want)
		}
	}
}

func TestCarrierSpellsForTheReplica(t *testing.T) {
	for _, tt := range []struct {
		from, to Column
		in, want string // want "" is an error
	}{
		{kindCol(Bool), kindCol(Int), "t", "1"},
		{kindCol(Bool), decCol(1, 0), "f", "0"},
		{kindCol(Bool), kindCol(Int), "2", ""},
		{kindCol(Int), kindCol(Bool), "1", "t"},
		{kindCol(Int), kindCol(Bool), "00", "f"},
		{kindCol(Int), kindCol(Bool), "2", ""},
		{kindCol(Int), kindCol(Bool), "x", ""},
		{decCol(1, 0), kindCol(Bool), "1", "t"},
		{kindCol(Date), scaledCol(Timestamp, 0), "2024-02-29", "2024-02-29 00:00:00"},
		{scaledCol(Instant, 6), scaledCol(Timestamp, 6), "2024-02-29 01:02:03.5+00", "2024-02-29 01:02:03.5"},
		{scaledCol(Timestamp, 3), scaledCol(Timestamp, 3), "2024-02-29 01:02:03.120000", "2024-02-29 01:02:03.120000"},
		{scaledCol(Timestamp, 3), scaledCol(Timestamp, 3), "2024-02-29 01:02:03.1201", ""}, // SQLite holds what it is given
		{scaledCol(Instant, 0), scaledCol(Timestamp, 0), "2024-02-29 01:02:03.1+00", ""},
		{charCol(5), textCol(5), "ab   ", "ab"},
		{charCol(5), charCol(3), "ab   ", "ab   "},
		{charCol(5), charCol(3), "abcd ", ""},
		{textCol(0), textCol(3), "äöü", "äöü"},
		{textCol(0), textCol(3), "äöüß", ""},
		{textCol(0), textCol(3), "abc ", ""}, // which databases cut without an error
		{textCol(0), binCol(3), "äö", ""},
		{textCol(0), binCol(4), "äö", "äö"},
		{binCol(0), binCol(2), "\xff\x00", "\xff\x00"},
		{binCol(0), binCol(2), "\xff\x00\x00", ""},
		{kindCol(UUID), textCol(35), "01234567-89ab-cdef-0123-456789abcdef", ""},
		{decCol(10, 2), decCol(8, 2), "123456.78", "123456.78"},
		{decCol(10, 2), decCol(8, 2), "1234567.80", ""},
		{decCol(10, 2), decCol(8, 2), "-000123456.780", "-000123456.780"},
		{decCol(10, 2), decCol(10, 2), "1.234", ""}, // SQLite again
		{decCol(10, 2), decCol(10, 2), "NaN", "NaN"},
		{decCol(10, 2), decCol(10, 2), "x", ""},
		{decCol(0, 0), decCol(0, 0), "1.23456789", "1.23456789"},
		{decCol(4, -2), decCol(4, -2), "123400", "123400"},
		{decCol(4, -2), decCol(4, -2), "0", "0"},
		{decCol(4, -2), decCol(4, -2), "123450", ""},
		{decCol(4, -2), decCol(4, -2), "50", ""},
		{decCol(2, 4), decCol(2, 4), "0.0012", "0.0012"},
		{decCol(2, 4), decCol(2, 4), "0.0112", ""},
		{decCol(2, 4), decCol(2, 4), "0.5", ""},
		{decCol(2, 4), decCol(2, 4), "0", "0"},
		{scaledCol(Timestamp, 6), kindCol(Date), "2024-02-29 00:00:00.000", "2024-02-29"}, // a key on its way back
		{scaledCol(Timestamp, 6), kindCol(Date), "2024-02-29 00:00:01", ""},
		{decCol(20, 0), kindCol(Int), "9223372036854775807", "9223372036854775807"},
		{decCol(20, 0), kindCol(Int), "9223372036854775808", ""},
		{decCol(20, 0), kindCol(Int), "1.5", ""},
		{decCol(20, 0), kindCol(Int), "-07.00", "-7"},
		{decCol(20, 0), kindCol(Int), "NaN", ""},
		{kindCol(Int), decCol(3, 0), "999", "999"},
		{kindCol(Int), decCol(3, 0), "1000", ""},
		{floatCol(64), decCol(0, 0), "1e+06", "1000000"},
		{floatCol(64), decCol(0, 0), "1.5e-07", "0.00000015"},
		{floatCol(32), decCol(0, 0), "0.1", "0.1"},
		{floatCol(64), decCol(0, 0), "NaN", "NaN"},
		{floatCol(64), decCol(0, 0), "z", ""},
	} {
		c := newCarrier(tt.from, tt.to, false)
		for range 2 {
			got, err := c.carry([]byte(tt.in))
			if (err != nil) != (tt.want == "") || err == nil && string(got) != tt.want {
				t.Errorf("%s %q to %s: %q, %v, want %q", tt.from.Kind, tt.in, tt.to.Kind, got, err, tt.want)
			}
			if loss, ok := errors.AsType[*TypeLossError](err); err != nil && (!ok || loss.Column != "c" || loss.Value != tt.in) {
				t.Errorf("error is %#v", err)
			}
		}
		if got, err := c.carry(nil); got != nil || err != nil {
			t.Errorf("NULL becomes %q, %v", got, err)
		}
	}
	same := Column{Kind: Text, Native: "varchar(3)", Size: 3}
	c := newCarrier(same, same, true)
	if got, err := c.carry([]byte("as it is")); string(got) != "as it is" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestNothingIsLostThatIsNotRefused writes values of many columns through a
// carrier into a database that rounds and cuts whatever it can: what comes out
// must be what went in.
func TestNothingIsLostThatIsNotRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	columns := []Column{kindCol(Bool), kindCol(Int), decCol(0, 0), decCol(1, 0), decCol(4, 2), decCol(6, 2), decCol(3, -1), decCol(2, 3), floatCol(32), floatCol(64), textCol(0), textCol(3), textCol(8), charCol(3), charCol(8), binCol(0), binCol(4),
		kindCol(Date), scaledCol(Time, 0), scaledCol(Time, 3), scaledCol(Timestamp, 0), scaledCol(Timestamp, 3), scaledCol(Timestamp, 9), scaledCol(Instant, 0), scaledCol(Instant, 6), kindCol(UUID), kindCol(JSON)}
	values := map[Kind][]string{
		Bool:      {"t", "f"},
		Int:       {"0", "1", "-1", "007", "123456", "9223372036854775807"},
		Decimal:   {"0", "1", "1.00", "-0.5", "12.34", "1234.5", "12345.678", "120", "0.012", "99999999999999999999", "NaN"},
		Float:     {"0", "-0", "1.5", "0.1", "1e+20", "1e-20", "Infinity", "NaN"},
		Text:      {"", "a", "a ", "   ", "abc", "abc ", "äöü", "äöüß", "0123456789"},
		Bytes:     {"", "a", "\x00", "\xff\xff\xff\xff", "12345"},
		Date:      {"2024-02-29"},
		Time:      {"01:02:03", "01:02:03.5", "01:02:03.500000", "01:02:03.1234"},
		Timestamp: {"2024-02-29 01:02:03", "2024-02-29 01:02:03.500", "2024-02-29 01:02:03.123456789"},
		Instant:   {"2024-02-29 01:02:03+00", "2024-02-29 01:02:03.500+00", "2024-02-29 01:02:03.123456789+00"},
		UUID:      {"01234567-89ab-cdef-0123-456789abcdef"},
		JSON:      {`{"b": 1.0, "a": []}`, "1", `"x "`},
	}
	carried, refusals, errs := 0, 0, 0
	for _, from := range columns {
		for _, to := range columns {
			v, _ := lossOf(from, to, false)
			if v == refused {
				refusals++
				continue
			}
			c := newCarrier(from, to, false)
			for _, text := range values[from.Kind] {
				in := lax(from, text)
				out, err := c.carry([]byte(in))
				if err != nil {
					if v == lossless {
						t.Errorf("%+v to %+v is lossless, but %v", from, to, err)
					}
					errs++
					continue
				}
				carried++
				if err := to.Kind.Check(out); err != nil {
					t.Errorf("%+v to %+v: %q is carried as %q: %v", from, to, in, out, err)
				}
				stored := lax(to, string(out))
				if _, equal := EqualRows([]Column{to}, [][]byte{out}, rowOf(stored)); !equal {
					t.Errorf("%+v to %+v: %q is carried as %q and stored as %q", from, to, in, out, stored)
				}
				// Another value of the master must not become the same one.
				other := lax(from, values[from.Kind][r.IntN(len(values[from.Kind]))])
				one := string(out)
				if two, err := c.carry([]byte(other)); err == nil && from.Kind != JSON {
					_, before := EqualRows([]Column{from}, rowOf(in), rowOf(other))
					_, after := EqualRows([]Column{to}, rowOf(one), [][]byte{two})
					if after && !before {
						t.Errorf("%+v to %+v: %q and %q become equal", from, to, in, other)
					}
				}
			}
		}
	}
	if carried < 500 || refusals < 100 || errs < 50 {
		t.Errorf("proves little: %d values carried, %d columns refused, %d values refused", carried, refusals, errs)
	}
}

// lax is what a column makes of a text, without ever complaining.
func lax(c Column, text string) string {
	switch c.Kind {
	case Text:
		runes := []rune(text)
		if c.Size > 0 && len(runes) > c.Size {
			runes = runes[:c.Size]
		}
		if c.Fixed {
			return strings.TrimRight(string(runes), " ") + strings.Repeat(" ", max(0, c.Size-len(runes)))
		}
		return string(runes)
	case Bytes:
		if c.Size > 0 && len(text) > c.Size {
			return text[:c.Size]
		}
	case Decimal:
		if !c.limited() || text == "NaN" {
			return text
		}
		n, _ := parseNumber([]byte(text))
		before, after := c.Precision-c.Scale, c.Scale
		whole, fraction := string(n.whole), string(n.fraction)
		if len(whole) > max(0, before) {
			whole = strings.Repeat("9", max(0, before))
		}
		if after < 0 {
			keep := max(0, len(whole)+after)
			whole = whole[:keep] + strings.Repeat("0", len(whole)-keep)
		}
		if len(fraction) > max(0, after) {
			fraction = fraction[:max(0, after)]
		}
		if before < 0 {
			lead := min(-before, len(fraction))
			fraction = strings.Repeat("0", lead) + fraction[lead:]
		}
		sign := ""
		if n.neg {
			sign = "-"
		}
		return strings.TrimSuffix(fmt.Sprintf("%s0%s.%s", sign, whole, fraction), ".")
	case Float:
		f, _ := parseFloat([]byte(text), c.bits())
		return string(appendFloat(nil, f, c.bits()))
	case Time, Timestamp, Instant:
		rest, zoned := strings.CutSuffix(text, "+00")
		if before, fraction, ok := strings.Cut(rest, "."); ok {
			rest = strings.TrimSuffix(before+"."+fraction[:min(len(fraction), c.Scale)], ".")
		}
		if zoned {
			rest += "+00"
		}
		return rest
	}
	return text
}

func TestCarryingUsualValuesDoesNotAllocate(t *testing.T) {
	for _, tt := range []struct {
		from, to Column
		in       string
	}{
		{kindCol(Int), kindCol(Int), "123"}, {textCol(0), textCol(10), "ä"}, {charCol(5), textCol(5), "a  "}, {decCol(10, 2), decCol(8, 2), "1.50"}, {kindCol(Bool), kindCol(Int), "t"},
		{kindCol(Int), kindCol(Bool), "1"}, {kindCol(Date), scaledCol(Timestamp, 0), "2024-02-29"}, {scaledCol(Instant, 6), scaledCol(Timestamp, 6), "2024-02-29 01:02:03.5+00"}, {floatCol(64), decCol(0, 0), "1.5"},
	} {
		c, in := newCarrier(tt.from, tt.to, false), []byte(tt.in)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.carry(in); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s to %s allocates %v times", tt.from.Kind, tt.to.Kind, n)
		}
	}
}

func BenchmarkCarry(b *testing.B) {
	for _, bb := range []struct {
		name     string
		from, to Column
		in       string
	}{
		{"int", kindCol(Int), kindCol(Int), "1234567890"},
		{"text", textCol(0), textCol(100), "Some text of a usual length, with an é"},
		{"decimal", decCol(10, 2), decCol(12, 4), "12345.67"},
		{"timestamp", scaledCol(Timestamp, 6), scaledCol(Timestamp, 6), "2024-02-29 12:34:56.789"},
		{"bool", kindCol(Bool), kindCol(Int), "t"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			c, in := newCarrier(bb.from, bb.to, false), []byte(bb.in)
			for b.Loop() {
				if _, err := c.carry(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
