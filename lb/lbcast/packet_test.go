package lbcast

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

var (
	testSecret  = []byte("sixteen bytes or more")
	otherSecret = []byte("another sixteen bytes")
)

func testMessage() message {
	return message{
		epoch: 0x0102030405060708, seq: 9, at: 1_700_000_000_000_000_000, id: "web1",
		report: lb.Report{RIF: 7, Cores: 4, Slowness: 10 * time.Millisecond, Latency: 12 * time.Millisecond, Draining: true},
	}
}

// The bytes on the wire are the same for ever, or get another magic.
func TestPacketsHaveGoldenBytes(t *testing.T) {
	for _, tt := range []struct{ cluster, want string }{
		{"", goldenPlain},
		{"news", goldenNews},
	} {
		want, err := hex.DecodeString(strings.ReplaceAll(tt.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		k := newKey(testSecret, tt.cluster)
		if got := k.seal(testMessage()); !bytes.Equal(got, want) {
			t.Errorf("cluster %q: %x\nwant %x", tt.cluster, got, want)
		}
		if m, err := open(want, []key{k}); err != nil || m != testMessage() {
			t.Errorf("cluster %q: read as %+v, %v", tt.cluster, m, err)
		}
	}
}

func TestNothingIsBelievedBeforeTheSignature(t *testing.T) {
	k := newKey(testSecret, "")
	b := k.seal(testMessage())
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if m, err := open(b, []key{k}); err == nil || m != (message{}) {
				t.Fatalf("bit %d of byte %d changed: %+v, %v", bit, i, m, err)
			}
			b[i] ^= 1 << bit
		}
	}
	for n := range b {
		if _, err := open(b[:n], []key{k}); err == nil {
			t.Fatalf("the first %d of %d bytes were believed", n, len(b))
		}
	}
	if _, err := open(append(bytes.Clone(b), 0), []key{k}); err == nil {
		t.Error("a byte too many was believed")
	}
	for _, tt := range []struct {
		name string
		keys []key
		want error
	}{
		{"another secret", []key{newKey(otherSecret, "")}, ErrForeign},
		{"another cluster", []key{newKey(testSecret, "news")}, ErrForeign},
		{"the key's name with another secret", []key{{id: k.id, secret: newKey(otherSecret, "").secret}}, ErrForged},
		{"one of two secrets", []key{newKey(otherSecret, ""), k}, nil},
	} {
		if _, err := open(b, tt.keys); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Even somebody who has the secret cannot upset the decoder.
func TestSignedNonsenseIsRefused(t *testing.T) {
	k := newKey(testSecret, "")
	good := k.seal(testMessage())
	for name, change := range map[string]func(b []byte){
		"an empty ID":           func(b []byte) { b[headSize-1] = 0 },
		"an ID beyond the end":  func(b []byte) { b[headSize-1] = 255 },
		"bytes after the flags": func(b []byte) { b[headSize-1]-- },
		"flags of the future":   func(b []byte) { b[len(b)-1] = 0x80 },
	} {
		b := bytes.Clone(good[:len(good)-macSize])
		change(b)
		if _, err := open(append(b, k.mac(b)...), []key{k}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMemoryRefusesWhatIsNotNews(t *testing.T) {
	const second = int64(time.Second)
	y := memory{maxAge: 5 * time.Second, most: 2, newest: make(map[string]heard)}
	now := 1000 * second
	hear := func(id string, epoch, seq uint64, at int64) (uint64, error) {
		m := message{epoch: epoch, seq: seq, at: at, id: id}
		lost, err := y.check(m, now)
		if err == nil {
			y.note(m)
		}
		return lost, err
	}
	for i, tt := range []struct {
		id         string
		epoch, seq uint64
		at         int64
		lost       uint64
		want       error
	}{
		{"a", 1, 5, now, 0, nil},
		{"a", 1, 5, now, 0, ErrReplayed},
		{"a", 1, 4, now + second, 0, ErrReplayed},   // came late
		{"a", 1, 8, now - second, 2, nil},           // its clock was set back a little
		{"a", 1, 9, now - 6*second, 0, ErrStale},    // too much
		{"a", 1, 9, now + 6*second, 0, ErrStale},    // from the future
		{"a", 1, 9, -1 << 63, 0, ErrStale},          // far from everything
		{"a", 1, 9, 1<<63 - 1, 0, ErrStale},         //
		{"a", 2, 1, now, 0, ErrReplayed},            // an epoch of before
		{"a", 2, 1, now + second, 0, nil},           // it started again
		{"a", 1, 9, now, 0, ErrReplayed},            // the epoch of before, recorded
		{"b", 1, 1, now, 0, nil},                    //
		{"c", 1, 1, now, 0, ErrFull},                //
		{"b", 1, 1<<64 - 1, now, 1<<64 - 3, nil},    //
		{"b", 1, 0, now + 1*second, 0, ErrReplayed}, //
	} {
		if lost, err := hear(tt.id, tt.epoch, tt.seq, tt.at); !errors.Is(err, tt.want) || lost != tt.lost {
			t.Errorf("%d: %d lost, %v, want %d, %v", i, lost, err, tt.lost, tt.want)
		}
	}
	// What is forgotten can no longer be replayed.
	now += 8 * second
	if _, err := hear("c", 1, 1, now); err != nil || len(y.newest) != 1 {
		t.Errorf("long after: %v, %d remembered", err, len(y.newest))
	}
	if _, err := hear("b", 1, 1, 1000*second); !errors.Is(err, ErrStale) {
		t.Errorf("replay of what was forgotten: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	k := newKey(testSecret, "")
	f.Add(k.seal(testMessage()), true)
	f.Add([]byte(magic), false)
	f.Fuzz(func(t *testing.T, b []byte, sign bool) {
		if _, err := open(b, []key{k}); err == nil && !bytes.Equal(k.seal(testMessage()), b) {
			t.Fatal("somebody without the secret was believed")
		}
		if !sign { // what somebody with the secret may send
			return
		}
		signed := append([]byte(magic), 0, 0, 0, 0)
		signed[4], signed[5], signed[6], signed[7] = byte(k.id>>24), byte(k.id>>16), byte(k.id>>8), byte(k.id)
		signed = append(signed, b...)
		packet := append(signed, k.mac(signed)...)
		m, err := open(packet, []key{k})
		if err != nil {
			return
		}
		if again := k.seal(m); !bytes.Equal(again, packet) {
			t.Fatalf("%x reads as %+v, which is %x", packet, m, again)
		}
		// The pool copes with any numbers.
		p, err := lb.New(lb.Config{Nodes: []lb.Node{{ID: m.id}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Report(m.id, m.report); err != nil {
			t.Fatal(err)
		}
	})
}
