package ha

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"net/netip"
)

// A frame is: magic and version (4 bytes), the sender's ID with its length before
// it, numbers (big endian), counted lists, and the first 16 bytes of the
// HMAC-SHA256 of all before it. A frame has no address, so that one recorded on
// one path is as good, or as useless, on another.
const (
	frameMagic = 0xA54A0001
	sealSize   = 16
	maxFrame   = 8 << 10
	maxList    = 256
)

var (
	errFrame = errors.New("ha: not a frame of this version")
	errSeal  = errors.New("ha: frame is not sealed with a known key")
)

// sealer writes and reads frames. The first key seals, all of them open: to change
// a key without a gap, append the new one everywhere, then put it first
// everywhere, then remove the old one. It must not be used concurrently.
type sealer struct {
	keys []hash.Hash
	sum  []byte
}

func newSealer(keys [][]byte) *sealer {
	s := &sealer{sum: make([]byte, 0, sha256.Size)}
	for _, k := range keys {
		s.keys = append(s.keys, hmac.New(sha256.New, k))
	}
	return s
}

func (s *sealer) mac(key int, frame []byte) []byte {
	h := s.keys[key]
	h.Reset()
	_, _ = h.Write(frame)
	s.sum = h.Sum(s.sum[:0])
	return s.sum[:sealSize]
}

// seal appends the frame of h to b.
func (s *sealer) seal(b []byte, h *Heartbeat) []byte {
	start := len(b)
	b = h.append(b)
	return append(b, s.mac(0, b[start:])...)
}

// open reads a frame. It looks at nothing of a frame whose seal does not fit.
func (s *sealer) open(frame []byte) (*Heartbeat, error) {
	n := len(frame) - sealSize
	if n < 4 || len(frame) > maxFrame || binary.BigEndian.Uint32(frame) != frameMagic {
		return nil, errFrame
	}
	for i := range s.keys {
		if hmac.Equal(s.mac(i, frame[:n]), frame[n:]) {
			return parseHeartbeat(frame[:n])
		}
	}
	return nil, errSeal
}

func (h *Heartbeat) append(b []byte) []byte {
	u64 := func(list ...uint64) {
		for _, v := range list {
			b = binary.BigEndian.AppendUint64(b, v)
		}
	}
	count := func(n int) { b = binary.BigEndian.AppendUint16(b, uint16(n)) }
	b = binary.BigEndian.AppendUint32(b, frameMagic)
	b = append(b, byte(len(h.from)))
	b = append(b, h.from...)
	b = append(b, h.flags)
	u64(h.boot, h.seq, h.clock, h.view, h.config, h.base, h.upTo, h.version)
	count(len(h.echoes))
	for _, e := range h.echoes {
		u64(e.member, e.boot, e.seq, e.have, e.granted)
		b = append(b, bit(e.heard, 0))
	}
	count(len(h.changes))
	for _, c := range h.changes {
		b = append(b, byte(c.state)|bit(c.fixed, 7))
		u64(c.group, c.epoch, c.since, c.to, c.asked, c.version)
	}
	count(len(h.defs))
	for _, d := range h.defs {
		u64(d.group, d.hash)
	}
	count(len(h.orders))
	for _, o := range h.orders {
		u64(o.group, o.to, o.id)
	}
	b = append(b, byte(len(h.near.addr.AsSlice())))
	b = append(b, h.near.addr.AsSlice()...)
	u64(h.near.iface)
	return b
}

func bit(set bool, n int) byte {
	if set {
		return 1 << n
	}
	return 0
}

// parseHeartbeat accepts only what append writes.
func parseHeartbeat(b []byte) (*Heartbeat, error) {
	r := reader{b: b[4:]}
	h := &Heartbeat{}
	h.from = string(r.bytes(int(r.u8())))
	h.flags = r.u8()
	r.u64(&h.boot, &h.seq, &h.clock, &h.view, &h.config, &h.base, &h.upTo, &h.version)
	h.echoes = make([]echo, r.count(41))
	for i := range h.echoes {
		e := &h.echoes[i]
		r.u64(&e.member, &e.boot, &e.seq, &e.have, &e.granted)
		e.heard = r.flag()
	}
	h.changes = make([]claim, r.count(49))
	for i := range h.changes {
		c := &h.changes[i]
		v := r.u8()
		c.state, c.fixed = claimState(v&0x7f), v&0x80 != 0
		if c.state > leaving {
			r.bad = true
		}
		r.u64(&c.group, &c.epoch, &c.since, &c.to, &c.asked, &c.version)
	}
	h.defs = make([]definition, r.count(16))
	for i := range h.defs {
		r.u64(&h.defs[i].group, &h.defs[i].hash)
	}
	h.orders = make([]order, r.count(24))
	for i := range h.orders {
		r.u64(&h.orders[i].group, &h.orders[i].to, &h.orders[i].id)
	}
	if n := int(r.u8()); n > 0 {
		addr, ok := netip.AddrFromSlice(r.bytes(n))
		h.near.addr = addr
		r.bad = r.bad || !ok
	}
	r.u64(&h.near.iface)
	switch {
	case r.bad || len(r.b) > 0:
		return nil, errFrame
	case h.from == "" || h.boot == 0 || h.seq == 0 || h.base > h.upTo || h.upTo > h.version || h.clock > math.MaxInt64:
		return nil, fmt.Errorf("ha: frame of %q makes no sense", h.from)
	}
	return h, nil
}

// reader reads zeros once the bytes have ended, and remembers that.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() byte { return r.bytes(1)[0] }

func (r *reader) flag() bool {
	v := r.u8()
	r.bad = r.bad || v > 1
	return v == 1
}

func (r *reader) u64(to ...*uint64) {
	for _, p := range to {
		*p = binary.BigEndian.Uint64(r.bytes(8))
	}
}

// count never promises more elements than there are bytes for.
func (r *reader) count(size int) int {
	n := int(binary.BigEndian.Uint16(r.bytes(2)))
	if n > maxList || n*size > len(r.b) {
		r.bad = true
		return 0
	}
	return n
}
