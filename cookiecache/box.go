package cookiecache

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// box protects messages under one key of one cookie name. A message is, in wire
// order, the header (headSize bytes), lead() bytes, the text, tail() bytes. All
// methods are safe for concurrent use.
type box interface {
	lead() int
	tail() int
	// draw fills the lead bytes with what must differ in each message.
	draw(lead []byte) error
	// seal protects header, lead and text in place, and returns the message.
	// raw has room for the tail; aad is authenticated and not in the message.
	seal(raw, aad []byte) ([]byte, error)
	// open appends the text to dst if the message is authentic. dst may be
	// raw[:headSize+lead()] with nothing in between, else must not overlap it.
	open(dst, raw, aad []byte) ([]byte, bool)
}

// newBox derives the key of one name and purpose from the key ring's secret
// (HKDF-SHA256, RFC 5869), so that what one cookie's key opens no other's does.
func newBox(secret []byte, algorithm, name string) (box, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "ashlar/cookiecache/v1\x00"+algorithm+"\x00"+name, 32)
	if err != nil {
		return nil, err
	}
	switch algorithm {
	case XAES256GCM.String():
		return newXAESBox(key)
	case XChaCha20Poly1305.String():
		aead, err := chacha20poly1305.NewX(key)
		return &chachaBox{aead: aead}, err
	default:
		return newMACBox(key), nil
	}
}

// chachaBox is the box of XChaCha20Poly1305.
type chachaBox struct {
	aead   cipher.AEAD
	nonces sync.Pool // *[24]byte
}

func (b *chachaBox) lead() int              { return seedSize }
func (b *chachaBox) tail() int              { return chacha20poly1305.Overhead }
func (b *chachaBox) draw(lead []byte) error { return random(lead) }

func (b *chachaBox) nonce(seed []byte) *[chacha20poly1305.NonceSizeX]byte {
	n, ok := b.nonces.Get().(*[chacha20poly1305.NonceSizeX]byte)
	if !ok {
		n = new([chacha20poly1305.NonceSizeX]byte)
	}
	copy(n[:], seed[:saltSize])
	copy(n[saltSize:], nonceFill[:])
	copy(n[saltSize+len(nonceFill):], seed[saltSize:])
	return n
}

func (b *chachaBox) seal(raw, aad []byte) ([]byte, error) {
	const begin = headSize + seedSize
	n := b.nonce(raw[headSize:begin])
	defer b.nonces.Put(n)
	return b.aead.Seal(raw[:begin], n[:], raw[begin:], aad), nil
}

func (b *chachaBox) open(dst, raw, aad []byte) ([]byte, bool) {
	const begin = headSize + seedSize
	if len(raw) < begin+b.tail() {
		return dst, false
	}
	n := b.nonce(raw[headSize:begin])
	defer b.nonces.Put(n)
	out, err := b.aead.Open(dst, n[:], raw[begin:], aad)
	if err != nil {
		return dst, false
	}
	return out, true
}

// macAlgorithm is what Signed goes by where Cookie goes by the key's AEAD.
const macAlgorithm = "hmac-sha256"

// macBox is the box of [Signed]: the tag leads, and the text is readable.
type macBox struct {
	key  []byte
	macs sync.Pool // *macState
}

type macState struct {
	hash.Hash
	sum [sha256.Size]byte
}

func newMACBox(key []byte) *macBox { return &macBox{key: key} }

func (b *macBox) lead() int              { return sha256.Size }
func (b *macBox) tail() int              { return 0 }
func (b *macBox) draw(lead []byte) error { return nil }

// tag computes the tag over aad, whose parts say how long they are, and text.
func (b *macBox) tag(aad, text []byte) *macState {
	m, ok := b.macs.Get().(*macState)
	if !ok {
		m = &macState{Hash: hmac.New(sha256.New, b.key)}
	}
	m.Reset()
	m.Write(aad)
	m.Write(text)
	m.Sum(m.sum[:0])
	return m
}

func (b *macBox) seal(raw, aad []byte) ([]byte, error) {
	m := b.tag(aad, raw[headSize+sha256.Size:])
	defer b.macs.Put(m)
	copy(raw[headSize:], m.sum[:])
	return raw, nil
}

func (b *macBox) open(dst, raw, aad []byte) ([]byte, bool) {
	const begin = headSize + sha256.Size
	if len(raw) < begin {
		return dst, false
	}
	m := b.tag(aad, raw[begin:])
	defer b.macs.Put(m)
	if !hmac.Equal(raw[headSize:begin], m.sum[:]) {
		return dst, false
	}
	return append(dst, raw[begin:]...), true
}
