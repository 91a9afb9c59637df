package cookiecache_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

func benchSealer(b *testing.B, keys int, aead cookiecache.AEAD) *cookiecache.Sealer {
	var all []cookiecache.Key
	for i := range keys {
		all = append(all, cookiecache.Key{ID: byte(i), Secret: secret(byte(i + 1)), AEAD: aead, SealFrom: time.Unix(int64(i), 0)})
	}
	k, err := cookiecache.NewKeyring(all...)
	if err != nil {
		b.Fatal(err)
	}
	s, err := cookiecache.NewSealer("__Host-nav", k, cookiecache.Ages{})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkAppendOpen(b *testing.B) {
	for _, bc := range []struct {
		name       string
		size, keys int
		aead       cookiecache.AEAD
	}{
		{"100B", 100, 1, cookiecache.XAES256GCM},
		{"500B", 500, 1, cookiecache.XAES256GCM},
		{"500B/100keys", 500, 100, cookiecache.XAES256GCM},
		{"2000B", 2000, 1, cookiecache.XAES256GCM},
		{"500B/xchacha", 500, 1, cookiecache.XChaCha20Poly1305},
	} {
		b.Run(bc.name, func(b *testing.B) {
			s := benchSealer(b, bc.keys, bc.aead)
			at := cookiecache.Binding{Host: "www.example.com", Bind: []byte("user 4711")}
			wire, err := s.AppendSeal(nil, make([]byte, bc.size), at, cookiecache.Meta{})
			if err != nil {
				b.Fatal(err)
			}
			text, dst := string(wire), make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if dst, _, err = s.AppendOpen(dst[:0], text, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendSeal(b *testing.B) {
	for _, aead := range []cookiecache.AEAD{cookiecache.XAES256GCM, cookiecache.XChaCha20Poly1305} {
		b.Run(fmt.Sprint("500B/", aead), func(b *testing.B) {
			s := benchSealer(b, 1, aead)
			at := cookiecache.Binding{Host: "www.example.com", Bind: []byte("user 4711")}
			value, dst := make([]byte, 500), make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, err = s.AppendSeal(dst[:0], value, at, cookiecache.Meta{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLimit is what no format can do without: AES-256-GCM over the value,
// and its base64.
func BenchmarkLimit(b *testing.B) {
	block, err := aes.NewCipher(secret(1))
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	nonce := make([]byte, 12)
	if _, err := rand.Read(nonce); err != nil {
		b.Fatal(err)
	}
	enc := base64.RawURLEncoding
	wire := enc.AppendEncode(nil, gcm.Seal(nonce, nonce, make([]byte, 500), nil))
	raw, dst := make([]byte, 1024), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		n, err := enc.Decode(raw, wire)
		if err != nil {
			b.Fatal(err)
		}
		if dst, err = gcm.Open(dst[:0], raw[:12], raw[12:n], nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadHit(b *testing.B) {
	c := mustNew(b, cookiecache.Config[nav]{})
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "https://www.example.com/", nil)
	if err := c.Set(rec, r, someNav); err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Cookie", "theme=dark; "+pair(rec.Header().Get("Set-Cookie"))+"; lang=en")
	w := discard{http.Header{}}
	load := func(context.Context) (nav, error) { panic("miss") }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Load(w, r, load); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBinary(b *testing.B) {
	codec := binaryNav
	buf, err := codec.Append(nil, someNav)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if buf, err = codec.Append(buf[:0], someNav); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v nav
			if err := codec.Decode(buf, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
