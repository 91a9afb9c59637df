package cookiecache

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

type op byte

const (
	opBool op = iota
	opInt
	opUint
	opFloat32
	opFloat64
	opString
	opBytes
	opSlice
	opArray
	opMap
	opStruct
	opPointer
	opTime
)

// plan says how to encode a type; it is built once and then read only.
type plan struct {
	op     op
	typ    reflect.Type
	elem   *plan       // of slice, array, map, pointer
	key    *plan       // of map
	fields []planField // of struct
	least  int         // bytes that the smallest value has, encoded; capped at maxLeast
}

type planField struct {
	index int
	plan  *plan
}

const maxLeast = 1 << 20

// newPlan builds the plan of t; path says where t is, and above are the types
// around it.
func newPlan(t reflect.Type, path string, above []reflect.Type) (*plan, error) {
	refuse := func(why string) (*plan, error) {
		return nil, fmt.Errorf("cookiecache: Binary cannot encode %s (%v): %s", path, t, why)
	}
	if slices.Contains(above, t) {
		return refuse("the type contains itself")
	}
	above = append(slices.Clip(above), t)
	p := &plan{typ: t, least: 1}
	var err error
	switch t.Kind() {
	case reflect.Bool:
		p.op = opBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.op = opInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.op = opUint
	case reflect.Float32:
		p.op, p.least = opFloat32, 4
	case reflect.Float64:
		p.op, p.least = opFloat64, 8
	case reflect.String:
		p.op = opString
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			p.op = opBytes
			break
		}
		p.op = opSlice
		if p.elem, err = newPlan(t.Elem(), path+"[]", above); err != nil {
			return nil, err
		}
		if p.elem.least == 0 {
			return refuse("its elements have no bytes")
		}
	case reflect.Array:
		p.op = opArray
		if p.elem, err = newPlan(t.Elem(), path+"[]", above); err != nil {
			return nil, err
		}
		if p.elem.least == 0 && t.Len() > 0 {
			return refuse("its elements have no bytes")
		}
		p.least = min(maxLeast, min(maxLeast, t.Len())*p.elem.least)
	case reflect.Map:
		p.op = opMap
		if p.key, err = newPlan(t.Key(), path+" key", above); err != nil {
			return nil, err
		}
		switch p.key.op {
		case opBool, opInt, opUint, opString:
		default:
			return refuse("keys may be bool, integers and string")
		}
		if p.elem, err = newPlan(t.Elem(), path+"[]", above); err != nil {
			return nil, err
		}
	case reflect.Pointer:
		p.op = opPointer
		if p.elem, err = newPlan(t.Elem(), "*"+path, above); err != nil {
			return nil, err
		}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			p.op, p.least = opTime, 2
			break
		}
		p.op, p.least = opStruct, 0
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Tag.Get("cookie") == "-" || f.Name == "_" {
				continue
			}
			if !f.IsExported() && !(f.Anonymous && f.Type.Kind() == reflect.Struct) {
				return refuse(fmt.Sprintf("field %s is not exported and would be lost: export it, or tag it `cookie:\"-\"`", f.Name))
			}
			fp, err := newPlan(f.Type, path+"."+f.Name, above)
			if err != nil {
				return nil, err
			}
			p.fields = append(p.fields, planField{i, fp})
			p.least = min(maxLeast, p.least+fp.least)
		}
	default:
		return refuse("no such values in cookies")
	}
	return p, nil
}
