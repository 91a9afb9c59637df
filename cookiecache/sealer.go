package cookiecache

import (
	"errors"
	"time"
)

// Sealer seals and opens bytes outside of HTTP, or where every allocation
// counts: its methods append to the caller's memory and allocate nothing once
// they are warm. What a Sealer seals is what a [Cookie] of that wire name puts
// into one cookie. It is safe for concurrent use.
type Sealer struct {
	vault *vault
	ages  Ages
}

// NewSealer returns a Sealer for one name, to which its values are bound: any
// string without a zero byte, at most 135 bytes. A cookie's name needs its
// prefix here. The ages are as in Config.
func NewSealer(name string, k *Keyring, ages Ages) (*Sealer, error) {
	if name == "" || len(name) > maxName+len(prefix) {
		return nil, errors.New("cookiecache: a sealer's name must have from 1 to 135 bytes")
	}
	for i := range len(name) {
		if name[i] == 0 {
			return nil, errors.New("cookiecache: a sealer's name must not have a zero byte")
		}
	}
	if k == nil || k.cur.Load() == nil {
		return nil, errors.New("cookiecache: a sealer needs a key ring")
	}
	ages, err := ages.withDefaults()
	if err != nil {
		return nil, err
	}
	v, err := newVault(name, k, false)
	return &Sealer{v, ages}, err
}

// Overhead is by how many bytes a sealed value is longer than the value, before
// base64 (4 characters for 3 bytes, RFC 4648 section 5, unpadded). An epoch
// adds 4.
const Overhead = headSize + seedSize + trailerSize + 16

// AppendSeal appends the sealed value to dst as base64. The zero Meta begins a
// new value, issued now; the Meta from AppendOpen renews that one: Issued and
// Epoch are kept, the rest of it is ignored. There is no limit on size.
//
// On an error dst is returned as it was: [ErrNoSealingKey], [ErrClock], [ErrRandom].
func (s *Sealer) AppendSeal(dst, value []byte, b Binding, m Meta) ([]byte, error) {
	now := time.Now()
	l := letter{body: value, issued: m.Issued, renewed: now, epoch: m.Epoch}
	if l.issued.IsZero() {
		l.issued = now
	}
	box, id, err := s.vault.sealing(now)
	if err != nil {
		return dst, err
	}
	sc := scratches.Get().(*scratch)
	defer sc.release()
	sc.bind(s.vault.name, b)
	if err := l.seal(sc, box, id, 1); err != nil {
		return dst, err
	}
	return encoding.AppendEncode(dst, sc.raw), nil
}

// AppendOpen appends the value sealed in wire to dst. Every error is [ErrMiss]
// and one of its causes, and then dst is returned as it was.
func (s *Sealer) AppendOpen(dst []byte, wire string, b Binding) ([]byte, Meta, error) {
	now := time.Now()
	sc := scratches.Get().(*scratch)
	defer sc.release()
	sc.bind(s.vault.name, b)
	var ok bool
	if sc.raw, ok = decodeBase64(sc.raw[:0], wire); !ok {
		return dst, Meta{}, ErrTampered
	}
	o, err := s.vault.open(dst, sc, now, false)
	if err != nil {
		return dst, Meta{}, err
	}
	if err := s.ages.judge(now, o.issued, o.renewed); err != nil {
		return dst, Meta{}, err
	}
	m := Meta{Issued: o.issued, Renewed: o.renewed, Epoch: o.epoch, KeyID: o.keyID, Chunks: o.chunks,
		Due: s.ages.due(now, o.renewed, o.oldKey)}
	if o.flags == 0 {
		return o.out, m, nil
	}
	value, err := o.value(sc, maxInflated) // sealed by a Cookie that pads or compresses
	if err != nil {
		return dst, Meta{}, err
	}
	return append(dst, value...), m, nil
}
