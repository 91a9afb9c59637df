package cookiecache

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"time"
)

// decoder reads the bytes of one value. After the first mistake it is bad, and
// reads zeros.
type decoder struct {
	b    []byte
	text string // copy of the input from which all strings are cut
	base int    // len(b) when text was made
	bad  bool
}

func (d *decoder) fail() { d.bad, d.b = true, nil }

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) uvarint() uint64 {
	n, rest, ok := uvarint(d.b)
	if !ok {
		d.fail()
		return 0
	}
	d.b = rest
	return n
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// length reads a number of things of at least least bytes each.
func (d *decoder) length(least int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/max(1, least)) {
		d.fail()
		return 0
	}
	return int(n)
}

// count reads the length of something that can be nil: 0, else length+1.
func (d *decoder) count(least int) (n int, isNil bool) {
	u := d.uvarint()
	if u == 0 {
		return 0, true
	}
	if u-1 > uint64(len(d.b)/max(1, least)) {
		d.fail()
		return 0, true
	}
	return int(u - 1), false
}

// flag reads a byte that is 0 or 1.
func (d *decoder) flag() bool {
	b := d.take(1)
	if d.bad || b[0] > 1 {
		d.fail()
		return false
	}
	return b[0] == 1
}

func (d *decoder) string() string {
	n := d.length(1)
	if n == 0 {
		return ""
	}
	if d.text == "" {
		d.text, d.base = string(d.b), len(d.b)
	}
	at := d.base - len(d.b)
	d.take(n)
	return d.text[at : at+n]
}

// decode sets v, which is zero, from d.
func (p *plan) decode(d *decoder, v reflect.Value) {
	if d.bad {
		return
	}
	switch p.op {
	case opBool:
		v.SetBool(d.flag())
	case opInt:
		if n := d.varint(); v.OverflowInt(n) {
			d.fail()
		} else {
			v.SetInt(n)
		}
	case opUint:
		if n := d.uvarint(); v.OverflowUint(n) {
			d.fail()
		} else {
			v.SetUint(n)
		}
	case opFloat32:
		if b := d.take(4); b != nil {
			bits := binary.LittleEndian.Uint32(b)
			f := float64(math.Float32frombits(bits))
			if math.Float32bits(float32(f)) != bits { // a signalling NaN, which reflect does not keep
				d.fail()
				return
			}
			v.SetFloat(f)
		}
	case opFloat64:
		if b := d.take(8); b != nil {
			v.SetFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	case opString:
		v.SetString(d.string())
	case opBytes:
		if n, isNil := d.count(1); !isNil {
			v.SetBytes(append(make([]byte, 0, n), d.take(n)...))
		}
	case opSlice:
		if n, isNil := d.count(p.elem.least); !isNil {
			v.Set(reflect.MakeSlice(p.typ, n, n))
			p.decodeElems(d, v)
		}
	case opArray:
		p.decodeElems(d, v)
	case opMap:
		p.decodeMap(d, v)
	case opStruct:
		for _, f := range p.fields {
			f.plan.decode(d, v.Field(f.index))
		}
	case opPointer:
		if d.flag() {
			e := reflect.New(p.elem.typ)
			p.elem.decode(d, e.Elem())
			v.Set(e)
		}
	case opTime:
		sec, nano := d.varint(), d.uvarint()
		if nano >= uint64(time.Second) {
			d.fail()
			return
		}
		v.Set(reflect.ValueOf(time.Unix(sec, int64(nano)).UTC()))
	}
}

func (p *plan) decodeElems(d *decoder, v reflect.Value) {
	for i := 0; i < v.Len() && !d.bad; i++ {
		p.elem.decode(d, v.Index(i))
	}
}

func timeOf(v reflect.Value) time.Time {
	t, _ := v.Interface().(time.Time) // the plan says so
	return t
}

// appendMap writes the entries in the order of their encoded keys.
func (p *plan) appendMap(b []byte, v reflect.Value) []byte {
	if v.IsNil() {
		return append(b, 0)
	}
	type entry struct {
		key []byte
		val reflect.Value
	}
	entries := make([]entry, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		entries = append(entries, entry{p.key.append(nil, it.Key()), it.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	b = binary.AppendUvarint(b, uint64(len(entries))+1)
	for _, e := range entries {
		b = p.elem.append(append(b, e.key...), e.val)
	}
	return b
}

// decodeMap accepts the entries in ascending order only, so that no key comes
// twice.
func (p *plan) decodeMap(d *decoder, v reflect.Value) {
	n, isNil := d.count(p.key.least + p.elem.least)
	if isNil {
		return
	}
	m := reflect.MakeMapWithSize(p.typ, n)
	var last []byte
	for i := 0; i < n && !d.bad; i++ {
		before := d.b
		key := reflect.New(p.key.typ).Elem()
		p.key.decode(d, key)
		if d.bad {
			return
		}
		now := before[:len(before)-len(d.b)]
		if i > 0 && bytes.Compare(last, now) >= 0 {
			d.fail()
			return
		}
		last = now
		val := reflect.New(p.elem.typ).Elem()
		p.elem.decode(d, val)
		m.SetMapIndex(key, val)
	}
	v.Set(m)
}
