package ha

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
)

func randomHeartbeat(rnd *rand.Rand) *Heartbeat {
	h := &Heartbeat{
		from: "node-1", boot: rnd.Uint64() | 1, seq: rnd.Uint64() | 1, flags: uint8(rnd.IntN(8)),
		clock: rnd.Uint64() >> 1, view: rnd.Uint64(), config: rnd.Uint64(), base: 1, upTo: 2, version: 3,
		echoes: make([]echo, rnd.IntN(5)), changes: make([]claim, rnd.IntN(perFrame+1)),
		defs: make([]definition, rnd.IntN(4)), orders: make([]order, rnd.IntN(3)),
	}
	if rnd.IntN(2) == 0 {
		h.near = neighbour{rnd.Uint64(), netip.AddrFrom4([4]byte{10, 0, 0, byte(rnd.IntN(256))})}
	}
	for i := range h.echoes {
		h.echoes[i] = echo{rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.IntN(2) == 0}
	}
	for i := range h.changes {
		h.changes[i] = claim{rnd.Uint64(), claimState(rnd.IntN(5)), rnd.IntN(2) == 0, rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64()}
	}
	for i := range h.defs {
		h.defs[i] = definition{rnd.Uint64(), rnd.Uint64()}
	}
	for i := range h.orders {
		h.orders[i] = order{rnd.Uint64(), rnd.Uint64(), rnd.Uint64()}
	}
	return h
}

func TestFrameRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	s := newSealer([][]byte{[]byte("key")})
	for range 500 {
		h := randomHeartbeat(rnd)
		frame := s.seal(nil, h)
		got, err := s.open(frame)
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Fatalf("%+v came back as %+v, %v", h, got, err)
		}
		frame[rnd.IntN(len(frame))] ^= 1 << rnd.IntN(8)
		if got, err := s.open(frame); err == nil {
			t.Fatalf("an altered frame was opened: %+v", got)
		}
		if _, err := s.open(frame[:rnd.IntN(len(frame))]); err == nil {
			t.Fatal("a cut frame was opened")
		}
	}
}

func TestKeysAreRotatedWithoutAGap(t *testing.T) {
	h := randomHeartbeat(rand.New(rand.NewPCG(1, 1)))
	before, middle, after := newSealer([][]byte{[]byte("old"), []byte("new")}), newSealer([][]byte{[]byte("new"), []byte("old")}), newSealer([][]byte{[]byte("new")})
	for _, pair := range [][2]*sealer{{before, middle}, {middle, before}, {middle, after}, {after, middle}} {
		if _, err := pair[1].open(pair[0].seal(nil, h)); err != nil {
			t.Error(err)
		}
	}
	if _, err := after.open(before.seal(nil, h)); !errors.Is(err, errSeal) {
		t.Errorf("a removed key still opens: %v", err)
	}
}

func TestFrameOfSixMembersFitsAPacket(t *testing.T) {
	h := randomHeartbeat(rand.New(rand.NewPCG(1, 1)))
	h.echoes, h.changes = make([]echo, 5), make([]claim, perFrame)
	h.defs, h.orders = nil, nil
	if n := len(newSealer([][]byte{nil}).seal(nil, h)); n > 1400 {
		t.Errorf("%d bytes", n)
	}
}

func FuzzFrame(f *testing.F) {
	s := newSealer([][]byte{[]byte("key")})
	f.Add(randomHeartbeat(rand.New(rand.NewPCG(2, 2))).append(nil))
	f.Add(s.seal(nil, randomHeartbeat(rand.New(rand.NewPCG(3, 3)))))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = s.open(b)
		if len(b) < 4 || len(b) > maxFrame {
			return
		}
		h, err := parseHeartbeat(b)
		if err != nil {
			return
		}
		if again := h.append(nil); string(again[4:]) != string(b[4:]) {
			t.Fatalf("%x was read and written as %x", b, again)
		}
		c, err := NewCore(Config{Self: "x", Groups: []Group{{Name: "g"}}}, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		c.Step(1, Input{Kind: Heard, Heartbeat: h}) // never panics
	})
}
