package replication

import (
	"bytes"
	"math/big"
	"testing"
)

// columnOf makes a column of any kind out of two bytes.
func columnOf(kind, flags byte) Column {
	return Column{Name: "c", Kind: Kind(kind) % (JSON + 2), Size: int(flags>>2) % 5 * 16, Fixed: flags&1 != 0, Nullable: flags&2 != 0,
		Precision: int(flags) % 7, Scale: int(flags)%5 - 1}
}

func FuzzNormalFormIsOneAndStays(f *testing.F) {
	for _, s := range []string{"", "t", "-00.50", "+1", "1e-7", "a  ", "2024-02-29", "12:00:00.10", "2024-02-29 12:00:00.10+00", "0000000A-0000-0000-0000-000000000000",
		`{"b":[1.0,{}],"\u0061":"\ud83d\ude00\ud800"}`, `[[[[`, "1e99999999999999999999", `{"a":1,"a":2}`} {
		for k := range byte(JSON + 2) {
			f.Add(k, byte(1), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, kind, flags byte, value []byte) {
		c := columnOf(kind, flags)
		prefix := []byte("before")
		before := bytes.Clone(value)
		got, err := AppendNormal(prefix, c, value)
		if !bytes.Equal(value, before) {
			t.Fatalf("%s: changed %q to %q", c.Kind, before, value)
		}
		if !bytes.HasPrefix(got, prefix) {
			t.Fatalf("%s: %q became %q", c.Kind, prefix, got)
		}
		checked := c.Kind.Check(value)
		if err != nil {
			if len(got) != len(prefix) {
				t.Fatalf("%s: an error leaves %q", c.Kind, got)
			}
			// A right spelling without normal form: one that the column's size or the bounds of JSON rule out.
			if checked == nil && c.Kind != JSON && c.Kind != Float {
				t.Fatalf("%s: Check takes %q, but %v", c.Kind, value, err)
			}
			return
		}
		normal := got[len(prefix):]
		if len(normal) > 6*len(value)+25 {
			t.Fatalf("%s: %d bytes became %d", c.Kind, len(value), len(normal))
		}
		if c.Kind != Text {
			if err := c.Kind.Check(normal); err != nil {
				t.Fatalf("%s: the normal form of %q is misspelled: %v", c.Kind, value, err)
			}
		}
		again, err := AppendNormal(nil, c, normal)
		if err != nil || !bytes.Equal(again, normal) {
			t.Fatalf("%s: %q became %q, and that %q, %v", c.Kind, value, normal, again, err)
		}
		columns := []Column{c}
		if _, equal := EqualRows(columns, [][]byte{notNil(value)}, [][]byte{notNil(normal)}); !equal || CompareKeys(columns, [][]byte{notNil(value)}, [][]byte{notNil(normal)}) != 0 {
			t.Fatalf("%s: %q is not equal to its normal form %q", c.Kind, value, normal)
		}
	})
}

func notNil(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

func FuzzOrderOfKeysIsTotal(f *testing.F) {
	f.Add(byte(2), byte(0), []byte("1"), []byte("01"), []byte("x"))
	f.Add(byte(3), byte(0), []byte("-1.50"), []byte("NaN"), []byte("-1.5"))
	f.Add(byte(4), byte(8), []byte("0.1"), []byte("0.100000001"), []byte("1e400"))
	f.Add(byte(5), byte(1), []byte("a "), []byte("a"), []byte("a\x01"))
	f.Add(byte(9), byte(0), []byte("2024-02-29 12:00:00.1"), []byte("2024-02-29 12:00:00.10"), []byte("2024-02-29 12:00:00"))
	f.Add(byte(12), byte(0), []byte("[1]"), []byte("[1.0]"), []byte("["))
	f.Fuzz(func(t *testing.T, kind, flags byte, x, y, z []byte) {
		var d digester
		checkOrder(t, columnOf(kind, flags), x, y, z, &d)
	})
}

func FuzzDecimalsCompareAsBigNumbersDo(f *testing.F) {
	f.Add("-1.50", "-1.5")
	f.Add("0", "-0.00")
	f.Add("12345678901234567890", "12345678901234567890.000000001")
	f.Fuzz(func(t *testing.T, a, b string) {
		if Decimal.Check([]byte(a)) != nil || Decimal.Check([]byte(b)) != nil {
			return
		}
		x, ok := new(big.Rat).SetString(a)
		y, okB := new(big.Rat).SetString(b)
		if !ok || !okB {
			return // NaN and Infinity
		}
		if got := CompareKeys([]Column{{Kind: Decimal}}, rowOf(a), rowOf(b)); got != x.Cmp(y) {
			t.Fatalf("%s against %s is %d, want %d", a, b, got, x.Cmp(y))
		}
	})
}

func FuzzCarrierLosesNothing(f *testing.F) {
	f.Add(byte(3), byte(5), byte(3), byte(9), []byte("12.34"))
	f.Add(byte(5), byte(0), byte(5), byte(4), []byte("0123456789abcdef "))
	f.Add(byte(10), byte(4), byte(9), byte(4), []byte("2024-02-29 12:00:00.5+00"))
	f.Fuzz(func(t *testing.T, kindA, flagsA, kindB, flagsB byte, value []byte) {
		from, to := columnOf(kindA, flagsA), columnOf(kindB, flagsB)
		v, _ := lossOf(from, to, false)
		if v == refused || value == nil || from.Kind.Check(value) != nil {
			return
		}
		c := newCarrier(from, to, false)
		out, err := c.carry(value)
		if err != nil {
			return
		}
		if err := to.Kind.Check(out); err != nil && !(from.Kind == Float && to.Kind == Float) {
			t.Fatalf("%+v to %+v: %q became %q: %v", from, to, value, out, err)
		}
		// The database that cuts and rounds silently finds nothing to do. Only
		// numbers that are no numbers are its own affair, and those beyond 64 bits
		// of a Float.
		if to.Kind == Decimal && bytes.ContainsAny(out, "NI") || to.Kind == Float {
			return
		}
		if stored := lax(to, string(out)); !equalTexts(to, string(out), stored) {
			t.Fatalf("%+v to %+v: %q became %q, and is stored as %q", from, to, value, out, stored)
		}
	})
}

func equalTexts(c Column, a, b string) bool {
	_, equal := EqualRows([]Column{c}, [][]byte{[]byte(a)}, [][]byte{[]byte(b)})
	return equal
}
