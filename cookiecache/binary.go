package cookiecache

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
)

// Binary returns a codec that writes the schema number and then the exported
// fields of T in their order, without names: about half of JSON or less. Raise
// the number with every change of T's fields: values of another number are a
// miss.
//
// T may consist of bool, all sizes of int and uint, floats, string, []byte,
// slices, arrays, maps with keys of bool, integers or string, structs, pointers
// and time.Time (kept to the nanosecond, as UTC). nil and empty slices and maps
// stay apart. A field with the tag `cookie:"-"` is left out. Anything else is
// refused here: unexported fields, interfaces, channels, functions, complex
// numbers, types that contain themselves.
//
// Decoding never panics, accepts only what Append makes of the same value, and
// allocates in proportion to the input. Strings of one value share memory.
func Binary[T any](schema uint32) (Codec[T], error) {
	t := reflect.TypeFor[T]()
	p, err := newPlan(t, t.String(), nil)
	if err != nil {
		return nil, err
	}
	return &binaryCodec[T]{schema: schema, plan: p}, nil
}

type binaryCodec[T any] struct {
	schema uint32
	plan   *plan
}

func (c *binaryCodec[T]) Append(dst []byte, v T) ([]byte, error) {
	dst = binary.AppendUvarint(dst, uint64(c.schema))
	return c.plan.append(dst, reflect.ValueOf(&v).Elem()), nil
}

func (c *binaryCodec[T]) Decode(b []byte, v *T) error {
	b, err := cutSchema(b, c.schema)
	if err != nil {
		return err
	}
	d := decoder{b: b}
	c.plan.decode(&d, reflect.ValueOf(v).Elem())
	if d.bad || len(d.b) != 0 {
		var zero T
		*v = zero
		return errMalformed
	}
	return nil
}

// append encodes what v holds.
func (p *plan) append(b []byte, v reflect.Value) []byte {
	switch p.op {
	case opBool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case opInt:
		return binary.AppendVarint(b, v.Int())
	case opUint:
		return binary.AppendUvarint(b, v.Uint())
	case opFloat32:
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v.Float())))
	case opFloat64:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Float()))
	case opString:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		return append(b, v.String()...)
	case opBytes:
		if v.IsNil() {
			return append(b, 0)
		}
		b = binary.AppendUvarint(b, uint64(v.Len())+1)
		return append(b, v.Bytes()...)
	case opSlice:
		if v.IsNil() {
			return append(b, 0)
		}
		b = binary.AppendUvarint(b, uint64(v.Len())+1)
		fallthrough
	case opArray:
		for i := range v.Len() {
			b = p.elem.append(b, v.Index(i))
		}
	case opMap:
		return p.appendMap(b, v)
	case opStruct:
		for _, f := range p.fields {
			b = f.plan.append(b, v.Field(f.index))
		}
	case opPointer:
		if v.IsNil() {
			return append(b, 0)
		}
		return p.elem.append(append(b, 1), v.Elem())
	case opTime:
		t := timeOf(v)
		b = binary.AppendVarint(b, t.Unix())
		return binary.AppendUvarint(b, uint64(t.Nanosecond()))
	default:
		panic(fmt.Sprintf("cookiecache: operation %d", p.op)) // newPlan makes no other
	}
	return b
}
