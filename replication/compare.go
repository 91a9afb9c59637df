package replication

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// CompareKeys returns -1, 0 or 1 as the key a is before, equal to or after b, in
// the order that a [Replica]'s Select has:
//
//   - Int, Decimal and Float by their number, exactly, then Infinity, then NaN;
//   - Text and Bytes by their bytes; of a Fixed column without blanks at the end;
//   - the others by the bytes of their normal form (see [AppendNormal]), which
//     for dates and times is their order in time.
//
// It is a total order of whatever may come: what is not in its kind's spelling
// is after all that is, by its bytes, and nil is before everything. Keys are
// equal exactly if [EqualRows] says so.
func CompareKeys(key []Column, a, b [][]byte) int {
	for i := range key {
		if n := compareValues(&key[i], a[i], b[i]); n != 0 {
			return n
		}
	}
	return 0
}

func compareValues(c *Column, a, b []byte) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(present(a), present(b))
	case c.Kind == Text && c.Fixed:
		return bytes.Compare(trimBlanks(a), trimBlanks(b))
	case c.Kind == Text || c.Kind == Bytes || c.Kind == Native || bytes.Equal(a, b):
		return bytes.Compare(a, b)
	}
	var order int
	var aOK, bOK bool
	switch c.Kind {
	case Int:
		var x, y number
		x, aOK = parseInt(a)
		y, bOK = parseInt(b)
		order = compareNumbers(x, y)
	case Decimal:
		var x, y number
		x, aOK = parseNumber(a)
		y, bOK = parseNumber(b)
		order = compareNumbers(x, y)
	case Float:
		x, errA := parseFloat(a, c.bits())
		y, errB := parseFloat(b, c.bits())
		aOK, bOK = errA == nil, errB == nil
		order = compareFloats(x, y)
	default:
		var bufA, bufB [64]byte // enough for all but JSON
		x, errA := AppendNormal(bufA[:0], *c, a)
		y, errB := AppendNormal(bufB[:0], *c, b)
		aOK, bOK = errA == nil, errB == nil
		order = bytes.Compare(x, y)
	}
	switch {
	case aOK && bOK:
		return order
	case aOK:
		return -1
	case bOK:
		return 1
	}
	return bytes.Compare(a, b)
}

func present(value []byte) int {
	if value == nil {
		return 0
	}
	return 1
}

func compareNumbers(a, b number) int {
	if a.class != finite || b.class != finite {
		return cmp.Compare(a.class, b.class)
	}
	switch {
	case a.neg && b.neg:
		a, b = b, a
	case a.neg:
		return -1
	case b.neg:
		return 1
	}
	return cmp.Or(
		cmp.Compare(len(a.whole), len(b.whole)),
		bytes.Compare(a.whole, b.whole),
		bytes.Compare(a.fraction, b.fraction), // without zeros at the end, the shorter is the smaller
	)
}

// compareFloats has NaN after everything, where cmp.Compare has it before.
func compareFloats(a, b float64) int {
	switch aNaN, bNaN := math.IsNaN(a), math.IsNaN(b); {
	case aNaN && bNaN:
		return 0
	case aNaN:
		return 1
	case bNaN:
		return -1
	}
	return cmp.Compare(a, b)
}

// EqualRows reports whether two rows of the columns are equal: both values NULL,
// or of the same normal form. Values that have no normal form are equal if they
// are the same bytes. If the rows differ, column is the first that does; else it
// is -1.
func EqualRows(columns []Column, a, b [][]byte) (column int, equal bool) {
	var scratch [256]byte
	buf := scratch[:0]
	for i := range columns {
		var same bool
		if buf, same = equalValues(buf, &columns[i], a[i], b[i]); !same {
			return i, false
		}
	}
	return -1, true
}

// equalValues uses and returns buf, so that it grows once for all columns.
func equalValues(buf []byte, c *Column, a, b []byte) ([]byte, bool) {
	switch {
	case a == nil || b == nil:
		return buf, a == nil && b == nil
	case bytes.Equal(a, b):
		return buf, true
	case c.Kind == Native || c.Kind == Bytes || c.Kind == Bool || c.Kind == Date:
		return buf, false // the spelling is the normal form
	case c.Kind == Text:
		return buf, c.Fixed && bytes.Equal(trimBlanks(a), trimBlanks(b))
	}
	buf, err := AppendNormal(buf[:0], *c, a)
	if err != nil {
		return buf, false
	}
	n := len(buf)
	buf, err = AppendNormal(buf, *c, b)
	return buf, err == nil && bytes.Equal(buf[:n], buf[n:])
}

// digest is a row in 128 bits: equal rows, as [EqualRows] has it, have equal
// digests in every process and on every machine, and others do not, even if
// somebody chose their values to that end.
type digest [16]byte

// digester makes digests. Its zero value is ready; it is for one goroutine.
type digester struct{ buf []byte }

// What comes before each value, so that no two rows give the same bytes.
const (
	digestNull   = iota
	digestNormal // then four bytes of length
	digestRaw    // the same, for a value without normal form
)

// sum returns the digest of a row. It is SHA-256 cut short: FNV-1a takes as long
// for a row of 100 bytes, and its collisions are easy to make; maphash is
// another one in every process.
func (d *digester) sum(columns []Column, row [][]byte) digest {
	const header = 5
	buf := d.buf[:0]
	for i, value := range row {
		if value == nil {
			buf = append(buf, digestNull)
			continue
		}
		at := len(buf)
		buf = append(buf, digestNormal, 0, 0, 0, 0)
		var err error
		if buf, err = AppendNormal(buf, columns[i], value); err != nil {
			buf[at] = digestRaw
			buf = append(buf, value...)
		}
		binary.BigEndian.PutUint32(buf[at+1:], uint32(len(buf)-at-header))
	}
	sum := sha256.Sum256(buf)
	const most = 1 << 20
	if d.buf = buf; cap(buf) > most {
		d.buf = nil // one large value does not stay in memory
	}
	return digest(sum[:16])
}
