package cookiecache

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// minSecret is the least length of a secret in bytes.
const minSecret = 32

// Keyring is the set of keys that cookies are sealed and opened with. A cookie
// names its key, so a hundred keys cost as much as one. It is safe for
// concurrent use, and any number of Cookies may share one. Make it by
// NewKeyring: the zero Keyring has no keys, and is refused.
//
// Rotation without losing a cookie: add the new key with a SealFrom a few
// minutes ahead on all servers; leave the old key in; remove it when MaxIdle
// has passed since (or let its OpenUntil do so).
type Keyring struct {
	cur atomic.Pointer[ring]
}

// ring is one immutable state of a Keyring.
type ring struct {
	keys  []Key
	turns []turn
	byID  [256]int16 // index in keys, -1: none
}

// NewKeyring returns a ring of copies of the keys. It refuses no keys, one ID
// twice, secrets under 32 bytes or all zero, windows that end before they begin,
// and keys that would seal at the same time.
func NewKeyring(keys ...Key) (*Keyring, error) {
	k := new(Keyring)
	if err := k.Replace(keys...); err != nil {
		return nil, err
	}
	return k, nil
}

// Replace puts the keys in place of all former ones at once: a request sees
// either all of the old or all of the new. It refuses what NewKeyring refuses,
// and then changes nothing.
func (k *Keyring) Replace(keys ...Key) error {
	r, err := newRing(keys)
	if err != nil {
		return err
	}
	k.cur.Store(r)
	return nil
}

func newRing(keys []Key) (*ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("cookiecache: a key ring needs a key")
	}
	r := &ring{keys: slices.Clone(keys)}
	for i := range r.byID {
		r.byID[i] = -1
	}
	for i := range r.keys {
		key := &r.keys[i]
		key.Secret = bytes.Clone(key.Secret)
		if err := key.check(); err != nil {
			return nil, err
		}
		if r.byID[key.ID] >= 0 {
			return nil, fmt.Errorf("cookiecache: two keys have ID %d", key.ID)
		}
		r.byID[key.ID] = int16(i)
	}
	turns, err := schedule(r.keys)
	r.turns = turns
	return r, err
}

func (k *Key) check() error {
	if len(k.Secret) < minSecret {
		return fmt.Errorf("cookiecache: key %d: the secret has %d bytes, needs at least %d", k.ID, len(k.Secret), minSecret)
	}
	if bytes.Count(k.Secret, []byte{0}) == len(k.Secret) {
		return fmt.Errorf("cookiecache: key %d: the secret is all zero", k.ID)
	}
	if k.AEAD != XAES256GCM && k.AEAD != XChaCha20Poly1305 {
		return fmt.Errorf("cookiecache: key %d: unknown AEAD %d", k.ID, k.AEAD)
	}
	after := func(a, b time.Time) bool { return !a.IsZero() && !b.IsZero() && a.After(b) }
	switch {
	case after(k.SealFrom, k.SealUntil):
		return fmt.Errorf("cookiecache: key %d: SealFrom is after SealUntil", k.ID)
	case after(k.SealFrom, k.OpenUntil):
		return fmt.Errorf("cookiecache: key %d: SealFrom is after OpenUntil", k.ID)
	case after(k.SealUntil, k.OpenUntil):
		return fmt.Errorf("cookiecache: key %d: SealUntil is after OpenUntil: it would seal what nobody opens", k.ID)
	}
	return nil
}
