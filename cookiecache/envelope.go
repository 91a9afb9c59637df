package cookiecache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The wire format, version 1; docs/cookiecache.md has it byte by byte.
const (
	headSize    = 2 // flags, key id
	trailerSize = 8 // issued, renewed
	epochSize   = 4

	version     = 0x20 // the upper three bits of the first byte
	versionMask = 0xe0
	flagPadded  = 0x10
	flagDeflate = 0x08
	flagEpoch   = 0x04
	chunkMask   = 0x03 // number of cookies, less one

	padMark = 0x80 // ends the text before zeros fill it up
)

// epochStart is the zero of times on the wire: 32 bits of seconds last to 2136.
// It is where the clock of testing/synctest begins.
const epochStart = 946684800 // 2000-01-01T00:00:00Z

func wireTime(t time.Time) (uint32, error) {
	s := t.Unix() - epochStart
	if s < 0 || s > 1<<32-1 {
		return 0, ErrClock
	}
	return uint32(s), nil
}

func fromWire(s uint32) time.Time { return time.Unix(int64(s)+epochStart, 0) }

// Meta is what a cookie says about itself beside the value.
type Meta struct {
	Issued  time.Time // first set; kept through renewals
	Renewed time.Time // last set or renewed; equal to Issued before the first renewal
	Epoch   uint32    // the revocation epoch that it was set in, 0 without Config.Epoch
	KeyID   byte      // the key that sealed it
	Chunks  int       // cookies that it is split over
	Due     bool      // old enough to be renewed now
}

// Binding says where a sealed value is valid, beside its name: it opens only
// with the Binding it was sealed with. The zero Binding is valid.
type Binding struct {
	Host string // as in Config.Host
	Bind []byte // user, tenant, device; nil and empty are the same
}

// scratch is the memory of one operation, reused by the next.
type scratch struct {
	wire []byte // base64
	raw  []byte // its bytes
	aad  []byte
	body []byte // the encoded value
	more []byte // the same inflated, or deflated
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// release gives the memory back unless it is unusually large.
func (s *scratch) release() {
	if cap(s.body)+cap(s.more)+cap(s.wire)+cap(s.raw) <= 1<<18 {
		scratches.Put(s)
	}
}

// bind prepares the authenticated data of name and binding: two bytes for the
// header, then each part after its length, so that no two differ only in where
// one part ends.
func (s *scratch) bind(name string, b Binding) {
	a := append(s.aad[:0], 0, 0)
	a = binary.BigEndian.AppendUint32(a, uint32(len(name)))
	a = append(a, name...)
	a = binary.BigEndian.AppendUint32(a, uint32(len(b.Host)))
	a = append(a, b.Host...)
	a = binary.BigEndian.AppendUint32(a, uint32(len(b.Bind)))
	s.aad = append(a, b.Bind...)
}

// vault seals and opens the values of one name with the keys of a ring.
type vault struct {
	name    string
	keyring *Keyring
	signed  bool // HMAC rather than the keys' AEADs

	cur atomic.Pointer[boxes]
	mu  sync.Mutex // serialises rebuild
}

// boxes are the derived keys for one state of the ring.
type boxes struct {
	ring *ring
	all  []box // in the order of ring.keys
}

func newVault(name string, k *Keyring, signed bool) (*vault, error) {
	v := &vault{name: name, keyring: k, signed: signed}
	_, err := v.boxes()
	return v, err
}

// boxes returns the boxes for the ring as it is now. Keys are derived once per
// ring and name, not per request.
func (v *vault) boxes() (*boxes, error) {
	r := v.keyring.cur.Load()
	if b := v.cur.Load(); b != nil && b.ring == r {
		return b, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.cur.Load()
	if old != nil && old.ring == r {
		return old, nil
	}
	b := &boxes{ring: r, all: make([]box, len(r.keys))}
	for i := range r.keys {
		k := &r.keys[i]
		if old != nil {
			if j := old.ring.byID[k.ID]; j >= 0 && old.ring.keys[j].AEAD == k.AEAD && bytes.Equal(old.ring.keys[j].Secret, k.Secret) {
				b.all[i] = old.all[j] // with its derived keys
				continue
			}
		}
		algorithm := k.AEAD.String()
		if v.signed {
			algorithm = macAlgorithm
		}
		var err error
		if b.all[i], err = newBox(k.Secret, algorithm, v.name); err != nil {
			return nil, fmt.Errorf("cookiecache: key %d: %w", k.ID, err)
		}
	}
	v.cur.Store(b)
	return b, nil
}

// sealing returns the key that seals now.
func (v *vault) sealing(now time.Time) (box, byte, error) {
	b, err := v.boxes()
	if err != nil {
		return nil, 0, err
	}
	i := sealer(b.ring.turns, now)
	if i < 0 {
		return nil, 0, ErrNoSealingKey
	}
	return b.all[i], b.ring.keys[i].ID, nil
}

// letter is a value as it is inside an envelope.
type letter struct {
	body    []byte // the value, perhaps compressed and padded as flags say
	flags   byte   // flagPadded and flagDeflate
	issued  time.Time
	renewed time.Time
	epoch   uint32
}

func (l *letter) textSize() int {
	n := len(l.body) + trailerSize
	if l.epoch != 0 {
		n += epochSize
	}
	return n
}

// wireSize is how long the base64 of the letter will be.
func (l *letter) wireSize(b box) int {
	return encoding.EncodedLen(headSize + b.lead() + l.textSize() + b.tail())
}

// seal leaves the letter's envelope in s.raw. s.bind must have been called.
func (l *letter) seal(s *scratch, b box, id byte, chunks int) error {
	return l.sealSeeded(s, b, id, chunks, b.draw)
}

// sealSeeded is seal with the source of the nonce seed.
func (l *letter) sealSeeded(s *scratch, b box, id byte, chunks int, draw func([]byte) error) error {
	issued, err := wireTime(l.issued)
	if err != nil {
		return err
	}
	renewed, err := wireTime(l.renewed)
	if err != nil {
		return err
	}
	flags := version | l.flags | byte(chunks-1)&chunkMask
	if l.epoch != 0 {
		flags |= flagEpoch
	}
	begin := headSize + b.lead()
	raw := slices.Grow(s.raw[:0], begin+l.textSize()+b.tail())[:begin]
	raw[0], raw[1] = flags, id
	if err := draw(raw[headSize:]); err != nil {
		return err
	}
	raw = append(raw, l.body...)
	if l.epoch != 0 {
		raw = binary.BigEndian.AppendUint32(raw, l.epoch)
	}
	raw = binary.BigEndian.AppendUint32(raw, issued)
	raw = binary.BigEndian.AppendUint32(raw, renewed)
	s.aad[0], s.aad[1] = flags, id
	s.raw, err = b.seal(raw, s.aad)
	return err
}

// opened is a letter and what is known about its envelope.
type opened struct {
	letter
	out    []byte // what open was to append to, with the body
	keyID  byte
	oldKey bool // another key would seal it now; false below resealAfter
	chunks int
}

// open appends the text of the envelope in s.raw to dst, or opens it there if
// inPlace. s.bind must have been called. Only the age is not judged.
func (v *vault) open(dst []byte, s *scratch, now time.Time, inPlace bool) (o opened, err error) {
	if len(s.raw) < headSize {
		return o, ErrTampered
	}
	flags, id := s.raw[0], s.raw[1]
	if flags&versionMask != version {
		return o, ErrTampered
	}
	bs, err := v.boxes()
	if err != nil { // the platform refuses the key's algorithm
		return o, ErrUnknownKey
	}
	i := bs.ring.byID[id]
	if i < 0 || !bs.ring.keys[i].opens(now) {
		return o, ErrUnknownKey
	}
	b := bs.all[i]
	s.aad[0], s.aad[1] = flags, id
	if inPlace {
		if len(s.raw) < headSize+b.lead() {
			return o, ErrTampered
		}
		dst = s.raw[:headSize+b.lead()]
	}
	out, ok := b.open(dst, s.raw, s.aad)
	if !ok {
		return o, ErrTampered
	}
	text := out[len(dst):]
	need := trailerSize
	if flags&flagEpoch != 0 {
		need += epochSize
	}
	if len(text) < need { // authentic: only a key holder's own bug gets here
		return o, ErrTampered
	}
	at := len(text) - trailerSize
	o.issued = fromWire(binary.BigEndian.Uint32(text[at:]))
	o.renewed = fromWire(binary.BigEndian.Uint32(text[at+4:]))
	if flags&flagEpoch != 0 {
		at -= epochSize
		o.epoch = binary.BigEndian.Uint32(text[at:])
	}
	o.body, o.out = text[:at], out[:len(dst)+at]
	o.flags = flags & (flagPadded | flagDeflate)
	o.keyID, o.chunks = id, int(flags&chunkMask)+1
	// Looked up only where the answer counts: see Ages.due.
	if now.Sub(o.renewed) >= resealAfter {
		k := sealer(bs.ring.turns, now)
		o.oldKey = k >= 0 && k != int(i)
	}
	return o, nil
}

// value returns the value in the letter: unpadded and inflated. It may be in
// the letter's memory or in s.more.
func (l *letter) value(s *scratch, limit int) ([]byte, error) {
	body := l.body
	if l.flags&flagPadded != 0 {
		body = bytes.TrimRight(body, "\x00")
		if len(body) == 0 || body[len(body)-1] != padMark {
			return nil, ErrSchema
		}
		body = body[:len(body)-1]
	}
	if l.flags&flagDeflate == 0 {
		return body, nil
	}
	var err error
	s.more, err = inflate(s.more[:0], body, limit)
	return s.more, err
}

// pad fills body up to a multiple of bucket, with at least one byte.
func pad(body []byte, bucket int) []byte {
	body = append(body, padMark)
	for len(body)%bucket != 0 {
		body = append(body, 0)
	}
	return body
}
