package memcached

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// kind says what an item in memcached is.
type kind byte

const (
	kindNone   kind = iota // nothing is held; never on the wire
	kindValue              // a value, perhaps with a lease to refresh it
	kindAbsent             // the source has no such key, perhaps with a lease
	kindLease              // no value, but a lease to fill it
	kindFence              // writes in progress or a ban: no value and no lease
	kindVoid               // nothing, but the version that was
)

// state is what is held for one key. On the wire it is a header of a few bytes
// followed by the value:
//
//	0xA5, format 1, kind, flags
//	uvarint version; flagFloor: uvarint floor
//	flagLease: 8 bytes token, uvarint end of the lease (Unix milliseconds)
//	value and absent: uvarint loaded (Unix milliseconds), ttl, keep (milliseconds)
//	flagTags: uvarint clock, uvarint number of tags, each uvarint length and bytes
//	fence: uvarint end, uvarint ban (Unix milliseconds), uvarint number of writers, 8 bytes each
//	value: the rest
//
// Numbers of 8 bytes are big endian. What does not parse is held as nothing.
type state struct {
	kind    kind
	version uint64 // of the value, or the newest version known of a key without one
	floor   uint64 // of a value: the newest version known, when that is not its own

	lease    uint64 // token, or zero
	leaseEnd int64  // Unix milliseconds, by the clock of who was granted it

	loaded    int64 // Unix milliseconds
	ttl, keep int64 // milliseconds
	clock     uint64
	tags      []string
	value     []byte

	// Of a fence:
	end     int64    // when the last write is taken for dead, Unix milliseconds
	ban     int64    // until when there are no leases anyway, Unix milliseconds, or zero
	writers []uint64 // tokens of the writes in progress
	crossed bool     // writes overlapped: the last must be above version
	spoiled bool     // something of unknown order came meanwhile: the last stores nothing
}

const (
	magic  = 0xA5
	format = 1

	flagLease   = 1
	flagTags    = 2
	flagFloor   = 4
	flagCrossed = 8
	flagSpoiled = 16
	flagsKnown  = 31

	maxWriters = 16 // of a fence; with more it stands until its end
)

// encode returns the wire form of s.
func (s *state) encode() []byte {
	size := 80 + len(s.value) + 8*len(s.writers)
	for _, tag := range s.tags {
		size += len(tag) + 5
	}
	b := make([]byte, 4, size)
	b[0], b[1], b[2] = magic, format, byte(s.kind)
	b = binary.AppendUvarint(b, s.version)
	if s.floor > s.version {
		b[3] |= flagFloor
		b = binary.AppendUvarint(b, s.floor)
	}
	if s.lease != 0 {
		b[3] |= flagLease
		b = binary.BigEndian.AppendUint64(b, s.lease)
		b = binary.AppendUvarint(b, uint64(s.leaseEnd))
	}
	switch s.kind {
	case kindValue, kindAbsent:
		b = binary.AppendUvarint(b, uint64(s.loaded))
		b = binary.AppendUvarint(b, uint64(s.ttl))
		b = binary.AppendUvarint(b, uint64(s.keep))
		if len(s.tags) > 0 {
			b[3] |= flagTags
			b = binary.AppendUvarint(b, s.clock)
			b = binary.AppendUvarint(b, uint64(len(s.tags)))
			for _, tag := range s.tags {
				b = binary.AppendUvarint(b, uint64(len(tag)))
				b = append(b, tag...)
			}
		}
		b = append(b, s.value...)
	case kindFence:
		if s.crossed {
			b[3] |= flagCrossed
		}
		if s.spoiled {
			b[3] |= flagSpoiled
		}
		b = binary.AppendUvarint(b, uint64(s.end))
		b = binary.AppendUvarint(b, uint64(s.ban))
		b = binary.AppendUvarint(b, uint64(len(s.writers)))
		for _, w := range s.writers {
			b = binary.BigEndian.AppendUint64(b, w)
		}
	}
	return b
}

// parse reads the wire form; the value stays a part of b. What it does not
// know leaves s as if nothing were held.
func (s *state) parse(b []byte) (ok bool) {
	*s = state{}
	if len(b) < 5 || b[0] != magic || b[1] != format || b[3]&^flagsKnown != 0 {
		return false
	}
	k, flags := kind(b[2]), b[3]
	r := reader{b: b[4:]}
	s.version = r.uvarint()
	if flags&flagFloor != 0 {
		s.floor = r.uvarint()
		r.bad = r.bad || s.floor <= s.version
	}
	if flags&flagLease != 0 {
		s.lease = r.fixed()
		s.leaseEnd = r.number()
		r.bad = r.bad || s.lease == 0
	}
	switch k {
	case kindValue, kindAbsent:
		s.loaded, s.ttl, s.keep = r.number(), r.number(), r.number()
		if flags&flagTags != 0 {
			s.clock = r.uvarint()
			s.tags = r.strings()
		}
		s.value = slices.Clip(r.b)
		r.bad = r.bad || k == kindAbsent && len(r.b) > 0
		r.b = nil
	case kindFence:
		s.end, s.ban = r.number(), r.number()
		s.writers = r.fixeds()
		s.crossed, s.spoiled = flags&flagCrossed != 0, flags&flagSpoiled != 0
	case kindLease, kindVoid:
	default:
		r.bad = true
	}
	if r.bad || len(r.b) > 0 {
		*s = state{}
		return false
	}
	s.kind = k
	return true
}

// plain sets e to the value in b, if that is a value with neither tags nor a
// lease: the shortest way for the most frequent case.
func plain(b []byte, e *cache.Entry) bool {
	if len(b) < 5 || b[0] != magic || b[1] != format || kind(b[2]) != kindValue || b[3] != 0 {
		return false
	}
	r := reader{b: b[4:]}
	version, loaded, ttl, keep := r.uvarint(), r.number(), r.number(), r.number()
	if r.bad {
		return false
	}
	e.Value, e.Version, e.Loaded = slices.Clip(r.b), version, time.UnixMilli(loaded)
	e.TTL, e.Keep = time.Duration(ttl)*time.Millisecond, time.Duration(keep)*time.Millisecond
	return true
}

// entry sets e to the value of s as the caller of Get sees it.
func (s *state) entry(e *cache.Entry) {
	e.Absent = s.kind == kindAbsent
	e.Version = s.version
	e.Loaded = time.UnixMilli(s.loaded)
	e.TTL = time.Duration(s.ttl) * time.Millisecond
	e.Keep = time.Duration(s.keep) * time.Millisecond
	e.Tags = s.tags
	if !e.Absent {
		e.Value = s.value
	}
}

// holding returns the state that holds e. Times are rounded to whole
// milliseconds so that the value never looks younger or lasts longer.
func holding(e *cache.Entry, clock, floor uint64) state {
	s := state{
		kind: kindValue, version: e.Version, floor: floor,
		loaded: max(e.Loaded.UnixMilli(), 0),
		ttl:    millis(e.TTL), keep: millis(e.Keep),
		tags: e.Tags, clock: clock, value: e.Value,
	}
	if e.Absent {
		s.kind, s.value = kindAbsent, nil
	}
	return s
}

func millis(d time.Duration) int64 { return max(d, 0).Milliseconds() }

// known returns the newest version that s tells of.
func (s *state) known() uint64 { return max(s.version, s.floor) }

func (s *state) held() bool { return s.kind == kindValue || s.kind == kindAbsent }

// leased reports whether somebody's lease stands at now.
func (s *state) leased(now time.Time) bool {
	return s.lease != 0 && (s.kind == kindLease || now.UnixMilli() < s.leaseEnd)
}

// reader takes a header apart; after the first mistake it is bad and its
// answers are zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

// number is a uvarint that fits a duration or time in milliseconds.
func (r *reader) number() int64 {
	n := r.uvarint()
	if n > math.MaxInt64/uint64(time.Millisecond) {
		r.bad = true
		return 0
	}
	return int64(n)
}

func (r *reader) fixed() uint64 {
	if len(r.b) < 8 {
		r.b, r.bad = nil, true
		return 0
	}
	n := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return n
}

func (r *reader) fixeds() []uint64 {
	n := r.uvarint()
	if n > uint64(len(r.b)/8) {
		r.bad = true
		return nil
	}
	var list []uint64
	for range n {
		list = append(list, r.fixed())
	}
	return list
}

func (r *reader) strings() []string {
	n := r.uvarint()
	if n == 0 || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	list := make([]string, 0, min(n, 16))
	for range n {
		size := r.uvarint()
		if r.bad || size > uint64(len(r.b)) {
			r.bad = true
			return nil
		}
		list = append(list, string(r.b[:size]))
		r.b = r.b[size:]
	}
	return list
}
