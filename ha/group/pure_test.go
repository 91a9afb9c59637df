package group

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// A receiver that gets any part of a stream, in the sender's order, in pieces
// that come again, delivers what came once and in order, and knows what did
// not come.
func TestTrackerAccountsForEveryMessage(t *testing.T) {
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		track := newTracker()
		newborn := rnd.IntN(2) == 0
		first := uint64(1)
		if !newborn {
			first = 1 + uint64(rnd.IntN(5))
		}
		last := first + uint64(rnd.IntN(60))
		var came, lost []uint64
		miss := func(from, to uint64) {
			for n := from; n <= to; n++ {
				lost = append(lost, n)
			}
			track.skip("a", to+1)
		}
		take := func(seq uint64) {
			for {
				switch v := track.see("a", 1, seq, newborn); v {
				case expected:
					came = append(came, seq)
					return
				case duplicate:
					return
				case gap:
					miss(track.next("a"), seq-1)
				default:
					t.Fatalf("seed %d: verdict %d", seed, v)
				}
			}
		}
		for seq := first; seq <= last; seq++ {
			switch rnd.IntN(4) {
			case 0: // lost
			case 1:
				take(seq)
				take(seq)
			case 2:
				take(seq)
				if from, to, _ := track.hear("a", 1, seq, newborn); from <= to {
					t.Fatalf("seed %d: all came up to %d, but %d to %d are missing", seed, seq, from, to)
				}
			default:
				take(seq)
			}
		}
		if from, to, _ := track.hear("a", 1, last, newborn); from <= to {
			miss(from, to)
		}
		if !slices.IsSorted(came) {
			t.Fatalf("seed %d: came in the order %v", seed, came)
		}
		all := append(slices.Clone(came), lost...)
		slices.Sort(all)
		from := first
		if !newborn && len(all) > 0 {
			from = all[0] // what was before the first is none of its business
		}
		for i, n := range all {
			if n != from+uint64(i) {
				t.Fatalf("seed %d: came %v, lost %v of %d to %d", seed, came, lost, first, last)
			}
		}
		if newborn && uint64(len(all)) != last {
			t.Fatalf("seed %d: %d of %d accounted for", seed, len(all), last)
		}
	}
}

func TestTrackerNoticesNewLives(t *testing.T) {
	track := newTracker()
	for _, step := range []struct {
		epoch, seq uint64
		newborn    bool
		want       verdict
	}{
		{5, 9, false, expected}, // any may be the first
		{5, 10, false, expected},
		{5, 10, false, duplicate},
		{4, 11, false, stale},
		{6, 1, true, reborn},
		{6, 1, true, expected},
		{6, 3, true, gap},
		{5, 11, false, stale},
		{7, 2, true, reborn},
		{7, 2, true, gap}, // its first is missing
	} {
		if got := track.see("a", step.epoch, step.seq, step.newborn); got != step.want {
			t.Fatalf("epoch %d, message %d: %d, want %d", step.epoch, step.seq, got, step.want)
		}
	}
	if _, _, again := track.hear("a", 8, 0, true); !again {
		t.Error("a heartbeat of a new life was not noticed")
	}
	if first, last, _ := track.hear("a", 8, 2, true); first != 1 || last != 2 {
		t.Errorf("missing %d to %d, want 1 to 2", first, last)
	}
	if first, last, _ := track.hear("b", 1, 7, false); first <= last {
		t.Errorf("missing %d to %d of what was before", first, last)
	}
	if got := track.see("b", 1, 7, false); got != expected { // it was on its way
		t.Errorf("verdict %d, want expected", got)
	}
}

func TestHistoryKeepsTheNewest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	h := newHistory(1000)
	all := map[string][]string{}
	for range 5000 {
		subject := fmt.Sprint("s", rnd.IntN(4))
		data := bytes.Repeat([]byte{byte(rnd.IntN(256))}, rnd.IntN(120))
		if next := h.next(subject); next != uint64(len(all[subject]))+1 {
			t.Fatalf("next is %d after %d", next, len(all[subject]))
		}
		h.add(subject, data)
		all[subject] = append(all[subject], string(data))
		if h.size > h.most {
			t.Fatalf("%d bytes kept, want at most %d", h.size, h.most)
		}
		ask := uint64(1 + rnd.IntN(len(all[subject])))
		first, list := h.messages(subject, ask, ask+uint64(rnd.IntN(5)), 200)
		if first < ask {
			t.Fatalf("first is %d, asked for %d", first, ask)
		}
		for i, m := range list {
			if string(m) != all[subject][first-1+uint64(i)] {
				t.Fatalf("message %d of %s is another", first+uint64(i), subject)
			}
		}
	}
	if n := len(h.order); n == 0 || n > 5000/2 {
		t.Errorf("%d messages kept", n)
	}
}

func TestRollDropsTheSilent(t *testing.T) {
	r := newRoll(Member{"me", 1}, 3*time.Second)
	cause := func(c []Change) string {
		var s strings.Builder
		for _, x := range c {
			s.WriteString(x.Member.Name + " " + string(x.Cause) + ";")
		}
		return s.String()
	}
	for _, step := range []struct {
		at   time.Duration
		do   func(now time.Duration) []Change
		want string
	}{
		{0, func(now time.Duration) []Change { return r.beat(now, Member{"b", 5}) }, "b joined;"},
		{2, func(now time.Duration) []Change { return r.beat(now, Member{"b", 5}) }, ""},
		{2, func(now time.Duration) []Change { return r.beat(now, Member{"c", 1}) }, "c joined;"},
		{3, func(now time.Duration) []Change { return r.beat(now, Member{"b", 4}) }, ""}, // an old life
		{5, r.expire, ""},
		{6, r.expire, "b failed;c failed;"},
		{7, func(now time.Duration) []Change { return r.beat(now, Member{"b", 4}) }, "b joined;"}, // its clock was set back
		{7, func(now time.Duration) []Change { return r.beat(now, Member{"b", 6}) }, "b restarted;"},
		{8, func(time.Duration) []Change { return r.leave(Member{"b", 4}) }, ""},
		{8, func(time.Duration) []Change { return r.leave(Member{"b", 6}) }, "b left;"},
		{8, func(time.Duration) []Change { return r.leave(Member{"b", 6}) }, ""},
	} {
		if got := cause(step.do(step.at * time.Second)); got != step.want {
			t.Errorf("after %d s: %q, want %q", step.at, got, step.want)
		}
	}
	if v := r.view(nil); len(v.Members) != 1 || v.Members[0].Name != "me" {
		t.Errorf("view %+v", v)
	}
}

func TestFrameOnTheWire(t *testing.T) {
	f := frame{kind: kindData, from: "web1", epoch: 0x1122334455667788, age: 1000, seq: 42, body: []byte("hello")}
	b := f.encode(nil, []byte("key"), "ashlar.x.f.news")
	const want = "616701011122334455667788" + "00000000000003e8" + "000000000000002a" + "0477656231" + "68656c6c6f"
	if got := hex.EncodeToString(b[:len(b)-frameMAC]); got != want {
		t.Errorf("frame %s, want %s", got, want)
	}
	got, err := decode(b, []byte("key"), "ashlar.x.f.news")
	if err != nil || got.from != f.from || got.epoch != f.epoch || got.age != f.age || got.seq != f.seq || !bytes.Equal(got.body, f.body) {
		t.Errorf("decode = %+v, %v", got, err)
	}
	for i := range b {
		bad := slices.Clone(b)
		bad[i] ^= 0x40
		if _, err := decode(bad, []byte("key"), "ashlar.x.f.news"); err == nil {
			t.Errorf("byte %d changed, and believed", i)
		}
	}
}

func FuzzFrame(f *testing.F) {
	key := []byte("key")
	f.Add([]byte("ag"), []byte("x"))
	f.Add((&frame{kind: kindBeat, from: "a", body: tails{"f.x": 7}.encode()}).encode(nil, nil, ""), []byte{})
	f.Add(asked{9, "f.x"}.encode(), encodeMessages([][]byte{[]byte("a"), nil}))
	f.Fuzz(func(t *testing.T, b, body []byte) {
		_, _ = decode(b, key, "s")
		// Also what has the right MAC may be nonsense inside.
		signed := append(slices.Clone(b), mac(key, "s", b)...)
		if fr, err := decode(signed, key, "s"); err == nil {
			again := fr.encode(nil, key, "s")
			if !bytes.Equal(again, signed) {
				t.Errorf("%x is encoded as %x", signed, again)
			}
		}
		if list, err := decodeTails(body); err == nil {
			if back, err := decodeTails(list.encode()); err != nil || len(back) != len(list) {
				t.Errorf("tails %v, %v", back, err)
			}
		}
		if a, err := decodeAsked(body); err == nil {
			if back, err := decodeAsked(a.encode()); err != nil || back != a {
				t.Errorf("asked %v, %v", back, err)
			}
		}
		if list, err := decodeMessages(body); err == nil {
			if back, err := decodeMessages(encodeMessages(list)); err != nil || len(back) != len(list) {
				t.Errorf("messages %v, %v", back, err)
			}
		}
	})
}
