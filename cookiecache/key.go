package cookiecache

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// AEAD is an algorithm for authenticated encryption. It belongs to a [Key]: no
// byte of a cookie can choose another.
type AEAD byte

// The algorithms. Both have nonces so long that random ones never repeat in
// practice.
const (
	// XAES256GCM is XAES-256-GCM (c2sp.org/XAES-256-GCM) on crypto/aes: the
	// default, and the fastest where the processor has AES instructions.
	XAES256GCM AEAD = iota
	// XChaCha20Poly1305 is from x/crypto; for machines without AES instructions.
	XChaCha20Poly1305
)

// String is the algorithm's name in lower case, which also goes into the
// derivation of keys.
func (a AEAD) String() string {
	switch a {
	case XAES256GCM:
		return "xaes-256-gcm"
	case XChaCha20Poly1305:
		return "xchacha20-poly1305"
	}
	return "aead-" + strconv.Itoa(int(a))
}

// Key is a secret and when to use it. What it is printed or logged as (fmt, slog,
// JSON) never shows the secret. The zero times mean no limit.
//
// Of the keys that may seal at some moment, the one with the latest SealFrom
// does, and of those the one that ceases last (a key without an end before one
// with). So a key with a SealFrom a little ahead, given to every server before
// that time, takes over everywhere without a cookie being lost, and the key
// before it goes on opening.
type Key struct {
	// ID is the key's number, which every cookie carries. A number should not
	// be used again for another secret before all cookies of the first are gone.
	ID byte
	// Secret is at least 32 bytes from crypto/rand, the same on all servers.
	Secret []byte
	// AEAD is what Cookie and Sealer use; Signed uses HMAC-SHA256 whatever it says.
	AEAD AEAD
	// SealFrom is when this key begins to seal. It opens before that.
	SealFrom time.Time
	// SealUntil is when it ceases to seal, also if no other key takes over.
	SealUntil time.Time
	// OpenUntil is when it ceases to open (and to seal): afterwards its cookies
	// are ErrUnknownKey. Leave at least Ages.MaxIdle after the next SealFrom.
	OpenUntil time.Time
}

// String shows everything but the secret.
func (k Key) String() string {
	parts := []string{fmt.Sprintf("%d secret bytes", len(k.Secret))}
	for _, at := range []struct {
		what string
		time time.Time
	}{{"seals from", k.SealFrom}, {"seals until", k.SealUntil}, {"opens until", k.OpenUntil}} {
		if !at.time.IsZero() {
			parts = append(parts, at.what+" "+at.time.UTC().Format(time.RFC3339))
		}
	}
	return fmt.Sprintf("key %d %v (%s)", k.ID, k.AEAD, strings.Join(parts, ", "))
}

// GoString is String, so that %#v shows no secret.
func (k Key) GoString() string { return k.String() }

// Format writes String for every verb, so that none (%x, %d, %q) shows the secret.
func (k Key) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, k.String()) // fmt has nowhere to report to
}

// LogValue is String for log/slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText is String, so that encoders of configurations and log lines (JSON
// among them) show no secret. There is no way back: it is not for storing keys.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
