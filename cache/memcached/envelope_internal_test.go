package memcached

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// someState returns a state as the protocol may make it.
func someState(rng *rand.Rand) state {
	number := func() int64 { return rng.Int64N(1 << (1 + rng.IntN(42))) }
	s := state{kind: kind(1 + rng.IntN(5)), version: rng.Uint64() >> rng.IntN(64)}
	if rng.IntN(3) == 0 {
		s.lease, s.leaseEnd = 1+rng.Uint64()/2, number()
	}
	switch s.kind {
	case kindValue, kindAbsent:
		s.loaded, s.ttl, s.keep = number(), number(), number()
		if rng.IntN(3) == 0 && s.version < 1<<63 {
			s.floor = s.version + 1 + rng.Uint64N(9)
		}
		for range rng.IntN(4) {
			s.tags, s.clock = append(s.tags, string(make([]byte, rng.IntN(300)))), rng.Uint64()
		}
		if s.kind == kindValue {
			s.value = make([]byte, rng.IntN(500))
		}
	case kindFence:
		s.end, s.ban = number(), number()
		for range rng.IntN(maxWriters + 1) {
			s.writers = append(s.writers, rng.Uint64())
		}
		s.crossed, s.spoiled = rng.IntN(2) == 0, rng.IntN(2) == 0
	}
	return s
}

func sameState(a, b state) bool {
	same := bytes.Equal(a.value, b.value)
	a.value, b.value = nil, nil
	return same && reflect.DeepEqual(a, b)
}

func TestEnvelopeReturnsWhatWasPutIn(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		in := someState(rng)
		b := in.encode()
		var out state
		if !out.parse(b) || !sameState(in, out) {
			t.Fatalf("in  %+v\nout %+v", in, out)
		}
		// Cut anywhere it is either refused or, in the value, shorter.
		if cut := b[:rng.IntN(len(b))]; out.parse(cut) && out.kind != kindValue {
			t.Fatalf("%x, cut from %x, is %+v", cut, b, out)
		}
	}
}

func TestWhatIsNoEnvelopeIsHeldAsNothing(t *testing.T) {
	for _, b := range [][]byte{nil, {}, []byte("hello"), {magic}, {magic, format}, {magic, format + 1, 1, 0, 0, 0, 0, 0},
		{magic, format, 99, 0, 0}, {magic, format, byte(kindVoid), 0x80, 0}, {magic, format, byte(kindVoid), 0, 0, 0}} {
		var s state
		if s.parse(b) || !reflect.DeepEqual(s, state{}) {
			t.Errorf("%x is %+v", b, s)
		}
		var e cache.Entry
		if plain(b, &e) {
			t.Errorf("%x is %+v", b, e)
		}
	}
}

// What a strange program wrote under our key must do no harm.
func FuzzEnvelope(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		s := someState(rng)
		f.Add(s.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again state
		if !s.parse(b) {
			var e cache.Entry
			if plain(b, &e) {
				t.Fatalf("%x: plain takes what parse refuses", b)
			}
			return
		}
		if !again.parse(s.encode()) || !sameState(s, again) {
			t.Fatalf("%x:\n%+v\n%+v", b, s, again)
		}
		var full, short cache.Entry
		if s.entry(&full); plain(b, &short) && !reflect.DeepEqual(full, short) {
			t.Fatalf("%x:\n%+v\n%+v", b, full, short)
		}
		// Nor may a step from it.
		now := time.UnixMilli(1_700_000_000_000)
		for _, st := range []step{
			fence(&s, time.Second, 5, now), invalidate(&s, time.Second, now), invalidate(&s, 0, now),
			put(&s, cache.Lease{Token: s.lease}, &cache.Entry{Loaded: now, TTL: time.Minute}, true, now),
			fill(&s, cache.Lease{Token: s.lease}, &cache.Entry{Loaded: now, TTL: time.Minute}, true, now),
		} {
			if st.action == write && st.life <= 0 {
				t.Fatalf("%+v: %+v", s, st)
			}
		}
	})
}
