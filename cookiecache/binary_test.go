package cookiecache_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

type small int8

// everything has a field of each kind that Binary takes.
type everything struct {
	B   bool
	I   int
	I8  int8
	I16 int16
	I32 int32
	I64 int64
	U   uint
	U8  uint8
	U16 uint16
	U32 uint32
	U64 uint64
	F32 float32
	F64 float64
	S   string
	By  []byte
	Sl  []string
	Arr [3]uint16
	M   map[string]int
	MI  map[small][]bool
	MB  map[bool]string
	MU  map[uint64]*string
	N   struct {
		X, Y  int
		Inner []item
	}
	P    *item
	PP   **int
	T    time.Time
	D    time.Duration
	Skip func() `cookie:"-"`
	_    int
	item
}

var binaryEverything = must(cookiecache.Binary[everything](300))

func fullEverything() everything {
	s, n := "pointed at", -5
	np := &n
	e := everything{
		B: true, I: math.MinInt, I8: -128, I16: math.MaxInt16, I32: -1, I64: math.MaxInt64,
		U: math.MaxUint, U8: 255, U16: 1, U32: math.MaxUint32, U64: 1 << 63, F32: -0.5, F64: math.Inf(-1),
		S: "Zoë \x00\xff", By: []byte{}, Sl: []string{"", "a", "a"}, Arr: [3]uint16{1, 2, 65535},
		M: map[string]int{"": 0, "b": 2, "a": -1}, MI: map[small][]bool{-3: nil, 3: {true, false}, 0: {}}, MB: map[bool]string{false: "f", true: "t"},
		MU: map[uint64]*string{1: nil, 300: &s},
		P:  &item{"l", "p", 3}, PP: &np, T: time.Date(2026, 11, 24, 3, 4, 5, 678, time.UTC), D: -time.Hour,
	}
	e.N.Inner = []item{{}, {"x", "y", 1}}
	e.Count = 8
	return e
}

func TestBinaryReturnsWhatItWasGiven(t *testing.T) {
	for name, v := range map[string]everything{
		"zero": {}, "full": fullEverything(),
		"empty":    {By: []byte{}, Sl: []string{}, M: map[string]int{}, T: time.Unix(0, 0).UTC()},
		"far away": {T: time.Unix(math.MaxInt64/2, 999_999_999).UTC(), F64: math.SmallestNonzeroFloat64},
	} {
		b := must(binaryEverything.Append([]byte("kept"), v))
		if string(b[:4]) != "kept" {
			t.Errorf("%s: not appended", name)
		}
		var got everything
		if err := binaryEverything.Decode(b[4:], &got); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got, v)
		}
	}
}

func TestBinaryDoesNotKeepTheInput(t *testing.T) {
	b := must(binaryEverything.Append(nil, fullEverything()))
	var got everything
	if err := binaryEverything.Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 0xff
	}
	if !reflect.DeepEqual(got, fullEverything()) {
		t.Errorf("changed with its input: %+v", got)
	}
}

func TestBinaryKeepsTheMomentOfATime(t *testing.T) {
	c := must(cookiecache.Binary[time.Time](0))
	there := time.Date(2026, 7, 1, 12, 0, 0, 5, time.FixedZone("there", 3600))
	var got time.Time
	if err := c.Decode(must(c.Append(nil, there)), &got); err != nil || !got.Equal(there) || got.Location() != time.UTC {
		t.Errorf("%v became %v, %v", there, got, err)
	}
}

func TestBinaryIsTheSameForEqualMaps(t *testing.T) {
	c := must(cookiecache.Binary[map[int]string](1))
	want := ""
	for range 20 {
		m := map[int]string{}
		for i := range 50 {
			m[i*i-300] = "x"
		}
		b := must(c.Append(nil, m))
		if want == "" {
			want = string(b)
		}
		if string(b) != want {
			t.Fatal("two spellings of one map")
		}
	}
}

// Each encoding has one spelling, cut or prolonged it has none, and no input
// makes the decoder panic or leaves half a value behind.
func TestBinaryRefusesEverythingElse(t *testing.T) {
	b := must(binaryEverything.Append(nil, fullEverything()))
	try := func(b []byte) {
		var got everything
		err := binaryEverything.Decode(b, &got)
		if err != nil {
			if !reflect.DeepEqual(got, everything{}) {
				t.Errorf("%x: %v, but a value: %+v", b, err, got)
			}
			return
		}
		if again := must(binaryEverything.Append(nil, got)); !bytes.Equal(again, b) {
			t.Errorf("%x is another spelling of %x", b, again)
		}
	}
	for i := range b {
		var got everything
		if binaryEverything.Decode(b[:i], &got) == nil {
			t.Errorf("cut at %d: accepted", i)
		}
		for _, x := range []byte{0, 1, 2, 0x7f, 0x80, 0xff, b[i] + 1, b[i] - 1} {
			changed := bytes.Clone(b)
			changed[i] = x
			try(changed)
			try(append(bytes.Clone(b[:i]), append([]byte{x}, b[i:]...)...))
		}
	}
	try(append(bytes.Clone(b), 0))
	for name, in := range map[string][]byte{
		"nothing":             {},
		"long form of schema": {0xac, 0x82, 0x00},
		"another schema":      {0x01},
	} {
		var got everything
		if err := binaryEverything.Decode(in, &got); !errors.Is(err, cookiecache.ErrSchema) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"bool of 2":             decode[bool]([]byte{1, 2}),
		"int8 of 128":           decode[int8]([]byte{1, 0x80, 0x02}),
		"uint8 of 256":          decode[uint8]([]byte{1, 0x80, 0x02}),
		"string longer than is": decode[string]([]byte{1, 5, 'a'}),
		"huge slice":            decode[[]int64]([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}),
		"huge bytes":            decode[[]byte]([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f}),
		"keys out of order":     decode[map[uint8]uint8]([]byte{1, 3, 2, 0, 1, 0}),
		"one key twice":         decode[map[uint8]uint8]([]byte{1, 3, 1, 0, 1, 0}),
		"nanoseconds beyond":    decode[time.Time]([]byte{1, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03}),
		"overlong number":       decode[uint64]([]byte{1, 0x81, 0x80, 0x00}),
		"number beyond 64 bits": decode[uint64]([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}),
		"more than the value":   decode[bool]([]byte{1, 1, 0}),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func decode[T any](b []byte) error {
	var v T
	return must(cookiecache.Binary[T](1)).Decode(b, &v)
}

type recursive struct{ Next *recursive }

func TestBinaryRefusesTypesThatItCannotKeep(t *testing.T) {
	type hidden struct{ x int }
	_ = hidden{}.x
	for want, err := range map[string]error{
		"the type contains itself":      second(cookiecache.Binary[recursive](1)),
		"field x is not exported":       second(cookiecache.Binary[struct{ A []hidden }](1)),
		"(interface {})":                second(cookiecache.Binary[any](1)),
		".C (chan int)":                 second(cookiecache.Binary[struct{ C chan int }](1)),
		".F (func())":                   second(cookiecache.Binary[struct{ F func() }](1)),
		"(complex128)":                  second(cookiecache.Binary[complex128](1)),
		"(uintptr)":                     second(cookiecache.Binary[uintptr](1)),
		"elements have no bytes":        second(cookiecache.Binary[[]struct{}](1)),
		"its elements have no bytes":    second(cookiecache.Binary[[1 << 30]struct{}](1)),
		"keys may be bool, integers":    second(cookiecache.Binary[map[float64]int](1)),
		"keys may be bool, integers an": second(cookiecache.Binary[map[[1]int]int](1)),
		"(error)":                       second(cookiecache.Binary[map[string]error](1)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestBinaryMemoryIsInProportionToTheInput(t *testing.T) {
	type wide struct{ A, B, C, D []string }
	c := must(cookiecache.Binary[[]wide](1))
	in := append([]byte{1, 0x81, 0x08}, make([]byte, 4096)...) // 1024 elements of 4 bytes
	var got []wide
	if err := c.Decode(in, &got); err != nil || len(got) != 1024 {
		t.Fatalf("%d elements, %v", len(got), err)
	}
	if err := c.Decode(in[:len(in)-1], &got); err == nil {
		t.Error("a byte less was accepted")
	}
}

func TestBinaryIsAboutHalfOfJSON(t *testing.T) {
	js := must(json.Marshal(someNav))
	b := must(binaryNav.Append(nil, someNav))
	if len(b) > len(js)*60/100 {
		t.Errorf("%d bytes, JSON %d", len(b), len(js))
	}
	// And what the browser gets of it is not longer than the JSON.
	br := browser{}
	set(t, br, mustNew(t, cookiecache.Config[nav]{}), someNav)
	t.Logf("JSON %d bytes, Binary %d, sealed and in base64 %d", len(js), len(b), len(br["__Host-nav"]))
}

func TestJSONChecksTheSchema(t *testing.T) {
	one, two := cookiecache.JSON[nav](1), cookiecache.JSON[nav](2)
	b := must(one.Append(nil, someNav))
	var got nav
	if err := one.Decode(b, &got); err != nil || !reflect.DeepEqual(got, someNav) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := two.Decode(b, &got); !errors.Is(err, cookiecache.ErrSchema) {
		t.Errorf("another schema: %v", err)
	}
	if err := one.Decode(append(b, '!'), &got); err == nil {
		t.Error("accepted with something after it")
	}
	if _, err := cookiecache.JSON[float64](1).Append(nil, math.NaN()); err == nil {
		t.Error("NaN was encoded")
	}
}
