package cookiecache

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"
)

const (
	saltSize = 8                   // of the wire's nonce seed, the part that chooses the derived key
	restSize = 12                  // the other part, random in each message
	seedSize = saltSize + restSize // 160 random bits per cookie

	// sealsPerSalt bounds how many messages one derived key seals, so that the
	// 96 bits that are random in each of them are enough.
	sealsPerSalt = 1 << 20
)

// nonceFill stands between salt and rest to make the AEADs' 24 bytes of nonce
// out of the 20 on the wire.
var nonceFill = [4]byte{'a', 's', 'h', 1}

// xaes derives AES-256-GCM keys by XAES-256-GCM (c2sp.org/XAES-256-GCM).
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // CMAC subkey
}

func newXAES(key []byte) (*xaes, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	x := &xaes{block: block}
	var l [aes.BlockSize]byte
	block.Encrypt(l[:], l[:])
	// Doubling in GF(2^128), without a branch on the secret's top bit.
	hi, lo := binary.BigEndian.Uint64(l[:8]), binary.BigEndian.Uint64(l[8:])
	binary.BigEndian.PutUint64(x.k1[:8], hi<<1|lo>>63)
	binary.BigEndian.PutUint64(x.k1[8:], lo<<1^(hi>>63)*0x87)
	return x, nil
}

// derive returns AES-256-GCM under the key for the first 12 bytes of a nonce;
// the other 12 are the GCM nonce.
func (x *xaes) derive(prefix [12]byte) (cipher.AEAD, error) {
	var key [2 * aes.BlockSize]byte
	for i := range byte(2) {
		m := key[int(i)*aes.BlockSize:][:aes.BlockSize]
		m[1], m[2] = i+1, 'X'
		copy(m[4:], prefix[:])
		subtle.XORBytes(m, m, x.k1[:])
		x.block.Encrypt(m, m)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// salted is a derived key, for reuse by all messages of one salt.
type salted struct {
	salt [saltSize]byte
	aead cipher.AEAD
	left atomic.Int64 // messages that it may still seal
}

// saltCache remembers derived keys: a bounded number, found without a lock.
// Only salts of messages that proved authentic get in, so nobody without the
// secret can push others out.
type saltCache struct {
	slots [saltSets * saltWays]atomic.Pointer[salted]
	next  atomic.Uint32 // which way of a full set is replaced
}

const saltSets, saltWays = 64, 4

func (c *saltCache) set(salt [saltSize]byte) []atomic.Pointer[salted] {
	i := int(salt[0]) % saltSets * saltWays // salts are random
	return c.slots[i : i+saltWays]
}

func (c *saltCache) get(salt [saltSize]byte) *salted {
	set := c.set(salt)
	for i := range set {
		if s := set[i].Load(); s != nil && s.salt == salt {
			return s
		}
	}
	return nil
}

func (c *saltCache) put(s *salted) {
	set := c.set(s.salt)
	for i := range set {
		if set[i].CompareAndSwap(nil, s) {
			return
		}
		if old := set[i].Load(); old != nil && old.salt == s.salt {
			return
		}
	}
	set[c.next.Add(1)%saltWays].Store(s)
}

// xaesBox is the [box] of XAES256GCM. It keeps a salt for sealsPerSalt messages,
// so that neither sealing nor opening derives a key each time: see the bound in
// docs/cookiecache.md.
type xaesBox struct {
	x     *xaes
	cur   atomic.Pointer[salted] // what draw hands out
	known saltCache
}

func newXAESBox(key []byte) (*xaesBox, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	return &xaesBox{x: x}, nil
}

func (b *xaesBox) lead() int { return seedSize }
func (b *xaesBox) tail() int { return 16 }

func (b *xaesBox) derive(salt [saltSize]byte) (*salted, error) {
	var prefix [12]byte
	copy(prefix[:], salt[:])
	copy(prefix[saltSize:], nonceFill[:])
	aead, err := b.x.derive(prefix)
	if err != nil {
		return nil, err
	}
	return &salted{salt: salt, aead: aead}, nil
}

func (b *xaesBox) draw(seed []byte) error {
	for {
		s := b.cur.Load()
		if s != nil && s.left.Add(-1) >= 0 {
			copy(seed, s.salt[:])
			return random(seed[saltSize:])
		}
		if err := random(seed); err != nil {
			return err
		}
		fresh, err := b.derive([saltSize]byte(seed))
		if err != nil {
			return err
		}
		fresh.left.Store(sealsPerSalt)
		if b.cur.CompareAndSwap(s, fresh) {
			b.known.put(fresh)
		}
	}
}

func (b *xaesBox) seal(raw, aad []byte) ([]byte, error) {
	seed := raw[headSize : headSize+seedSize]
	salt := [saltSize]byte(seed)
	s := b.cur.Load()
	if s == nil || s.salt != salt {
		if s = b.known.get(salt); s == nil {
			var err error
			if s, err = b.derive(salt); err != nil {
				return nil, err
			}
		}
	}
	text := raw[headSize+seedSize:]
	return s.aead.Seal(raw[:headSize+seedSize], seed[saltSize:], text, aad), nil
}

func (b *xaesBox) open(dst, raw, aad []byte) ([]byte, bool) {
	if len(raw) < headSize+seedSize+b.tail() {
		return dst, false
	}
	seed := raw[headSize : headSize+seedSize]
	salt := [saltSize]byte(seed)
	s := b.known.get(salt)
	isNew := s == nil
	if isNew {
		var err error
		if s, err = b.derive(salt); err != nil {
			return dst, false
		}
	}
	out, err := s.aead.Open(dst, seed[saltSize:], raw[headSize+seedSize:], aad)
	if err != nil {
		return dst, false
	}
	if isNew {
		b.known.put(s)
	}
	return out, true
}

// random fills b from crypto/rand.Reader. Not by rand.Read, which ends the
// program when somebody's own Reader fails.
func random(b []byte) error {
	if _, err := io.ReadFull(rand.Reader, b); err != nil {
		return fmt.Errorf("%w: %w", ErrRandom, err)
	}
	for _, x := range b {
		if x != 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: all zero", ErrRandom)
}
