// Package gorilla reads the cookies of github.com/gorilla/securecookie, and so
// of gorilla/sessions' CookieStore, for the time of moving to cookiecache: the
// loader of cookiecache's Load opens the old cookie, and Load sets the new one.
//
// Start with [New] and [Opener.Open]. It only opens; nothing here makes such a
// cookie. It does what securecookie v1.1.2 does, but takes only the one canonical
// base64 of a cookie and refuses times in the future.
package gorilla

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// KeyPair is what securecookie.New was called with. Like [cookiecache.Key] it
// does not show its secrets when printed.
type KeyPair struct {
	HashKey  []byte // of the HMAC; required, any length
	BlockKey []byte // of AES: 16, 24 or 32 bytes; empty: the cookies are not encrypted
}

// String shows the lengths of the keys only.
func (k KeyPair) String() string {
	return fmt.Sprintf("gorilla key pair (%d and %d secret bytes)", len(k.HashKey), len(k.BlockKey))
}

// GoString is String, so that %#v shows no secret.
func (k KeyPair) GoString() string { return k.String() }

// Format writes String for every verb.
func (k KeyPair) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText is String, so that JSON shows no secret.
func (k KeyPair) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Config is what New makes an Opener from. Keys is required.
type Config struct {
	// Keys are tried one after the other, as securecookie.CodecsFromPairs does.
	Keys []KeyPair
	// MaxAge is the age beyond which a cookie is refused. Default 30 days, as in
	// securecookie; negative: no limit (securecookie's MaxAge(0)).
	MaxAge time.Duration
	// MaxLength is how many bytes a cookie's value may have. Default 4096.
	MaxLength int
	// Hash is the hash of the HMAC. Default sha256.New.
	Hash func() hash.Hash
}

// Opener opens securecookie values. It is safe for concurrent use.
type Opener struct {
	pairs     []pair
	maxAge    time.Duration
	maxLength int
	hash      func() hash.Hash
}

type pair struct {
	hashKey []byte
	block   cipher.Block // nil: not encrypted
}

const skew = 30 * time.Second // that clocks may differ by

// New checks cfg and returns the opener.
func New(cfg Config) (*Opener, error) {
	o := &Opener{maxAge: cfg.MaxAge, maxLength: cfg.MaxLength, hash: cfg.Hash}
	if len(cfg.Keys) == 0 {
		return nil, errors.New("cookiecache/gorilla: no keys")
	}
	for i, k := range cfg.Keys {
		if len(k.HashKey) == 0 {
			return nil, fmt.Errorf("cookiecache/gorilla: key pair %d has no hash key", i)
		}
		p := pair{hashKey: bytes.Clone(k.HashKey)}
		if len(k.BlockKey) > 0 {
			block, err := aes.NewCipher(k.BlockKey)
			if err != nil {
				return nil, fmt.Errorf("cookiecache/gorilla: key pair %d: %w", i, err)
			}
			p.block = block
		}
		o.pairs = append(o.pairs, p)
	}
	if o.maxAge == 0 {
		o.maxAge = 30 * 24 * time.Hour
	}
	if o.maxLength == 0 {
		o.maxLength = 4096
	}
	if o.hash == nil {
		o.hash = sha256.New
	}
	return o, nil
}

// Open returns the serialized value of the cookie and when it was made. What
// the bytes are depends on the serializer in use: by default encoding/gob, for
// sessions of a map[any]any.
//
// The error is [cookiecache.ErrTampered], [cookiecache.ErrExpired] or
// [cookiecache.ErrFuture], so errors.Is(err, cookiecache.ErrMiss) for all.
func (o *Opener) Open(name, value string) ([]byte, time.Time, error) {
	if len(value) > o.maxLength {
		return nil, time.Time{}, cookiecache.ErrTampered
	}
	raw, ok := decode(value)
	if !ok {
		return nil, time.Time{}, cookiecache.ErrTampered
	}
	// date|value|mac, where the mac may contain any byte.
	parts := bytes.SplitN(raw, []byte("|"), 3)
	if len(parts) != 3 {
		return nil, time.Time{}, cookiecache.ErrTampered
	}
	signed := raw[:len(raw)-len(parts[2])-1]
	for _, p := range o.pairs {
		mac := hmac.New(o.hash, p.hashKey)
		mac.Write([]byte(name + "|"))
		mac.Write(signed)
		if hmac.Equal(mac.Sum(nil), parts[2]) {
			return o.open(p, string(parts[0]), string(parts[1]))
		}
	}
	return nil, time.Time{}, cookiecache.ErrTampered
}

// open goes on after authentication.
func (o *Opener) open(p pair, date, value string) ([]byte, time.Time, error) {
	sec, err := strconv.ParseInt(date, 10, 64)
	if err != nil {
		return nil, time.Time{}, cookiecache.ErrTampered
	}
	made, now := time.Unix(sec, 0), time.Now()
	switch {
	case made.After(now.Add(skew)):
		return nil, time.Time{}, cookiecache.ErrFuture
	case o.maxAge > 0 && made.Before(now.Add(-o.maxAge)):
		return nil, time.Time{}, cookiecache.ErrExpired
	}
	body, ok := decode(value)
	if !ok {
		return nil, time.Time{}, cookiecache.ErrTampered
	}
	if p.block != nil {
		size := p.block.BlockSize()
		if len(body) < size {
			return nil, time.Time{}, cookiecache.ErrTampered
		}
		iv := body[:size]
		body = body[size:]
		cipher.NewCTR(p.block, iv).XORKeyStream(body, body)
	}
	return body, made, nil
}

func decode(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") { // which encoding/base64 would skip
		return nil, false
	}
	b, err := base64.URLEncoding.Strict().DecodeString(s)
	return b, err == nil
}
