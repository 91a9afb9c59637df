package cookiecache_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// FuzzCookieHeader reads any Cookie header: a miss with a cause, never a panic,
// and a hit only for a value that was sealed.
func FuzzCookieHeader(f *testing.F) {
	const name = "__Host-nav"
	ring := ringOf(cookiecache.Key{ID: 1, Secret: secret(1)}, cookiecache.Key{ID: 2, Secret: secret(2), SealFrom: time.Unix(1, 0), AEAD: cookiecache.XChaCha20Poly1305})
	c := textCookie(f, cookiecache.Config[string]{Keyring: ring, MaxChunks: 4, MaxBytes: 400, Compress: true})
	plain := textCookie(f, cookiecache.Config[string]{Keyring: ring, MaxChunks: 4, MaxBytes: 400})
	signed := must(cookiecache.NewSigned(cookiecache.Config[string]{Name: "nav", Keyring: ring, Codec: text{}}))
	sealed := map[string]bool{}
	for _, v := range []string{"", "short", strings.Repeat("long ", 100)} {
		sealed[v] = true
		for _, setter := range []*cookiecache.Cookie[string]{c, plain} {
			b := browser{}
			set(f, b, setter, v)
			var parts []string
			for name, value := range b {
				parts = append(parts, name+"="+value)
			}
			f.Add(strings.Join(parts, "; "))
		}
	}
	f.Add(name + "=")
	f.Add(name + `="IA"; ` + name + "=IAAA")
	f.Add(name + "=I" + strings.Repeat("w", 60) + "; " + name + ".1=wwwwwwwwAA; " + name + ".2=wwwwwwwwAA; " + name + ".3=wwwwwwww")
	f.Add(strings.Repeat(name+"=x;", 5000))
	f.Fuzz(func(t *testing.T, header string) {
		r := browser{}.request()
		r.Header["Cookie"] = []string{header}
		for _, get := range []func(*http.Request) (string, cookiecache.Meta, error){c.Get, plain.Get, signed.Get} {
			v, _, err := get(r)
			if err == nil && !sealed[v] {
				t.Fatalf("%q is %q", header, v)
			}
			if err != nil && (!errors.Is(err, cookiecache.ErrMiss) || v != "") {
				t.Fatalf("%q: %q, %v", header, v, err)
			}
		}
		w := discard{http.Header{}}
		if err := c.Set(w, r, "x"); err != nil || len(w.h["Set-Cookie"]) < 1 || len(w.h["Set-Cookie"]) > 4 {
			t.Fatalf("%q: Set: %v, %q", header, err, w.h)
		}
	})
}

// FuzzEnvelope opens any bytes as an envelope.
func FuzzEnvelope(f *testing.F) {
	var sealers []*cookiecache.Sealer
	at := cookiecache.Binding{Host: "h"}
	for _, aead := range aeads {
		s := must(cookiecache.NewSealer("x", ringOf(cookiecache.Key{ID: 1, Secret: secret(1), AEAD: aead}), cookiecache.Ages{}))
		sealers = append(sealers, s)
		for _, epoch := range []uint32{0, 7} {
			wire := string(must(s.AppendSeal(nil, []byte("value"), at, cookiecache.Meta{Epoch: epoch})))
			f.Add(must(base64.RawURLEncoding.DecodeString(wire)))
		}
	}
	f.Add([]byte{})
	f.Add([]byte{0x20, 1})
	f.Add(append([]byte{0x3f, 1}, make([]byte, 44)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		wire := base64.RawURLEncoding.EncodeToString(raw)
		for _, s := range sealers {
			out, _, err := s.AppendOpen([]byte("kept"), wire, at)
			// The seeds are genuine, also those of another process.
			if err == nil && string(out) != "keptvalue" {
				t.Fatalf("%x is %q", raw, out)
			}
			if err != nil && (string(out) != "kept" || !errors.Is(err, cookiecache.ErrMiss)) {
				t.Fatalf("%x: %q, %v", raw, out, err)
			}
		}
	})
}

// FuzzBinary decodes any bytes: what is accepted is the one spelling of a value.
func FuzzBinary(f *testing.F) {
	f.Add(must(binaryEverything.Append(nil, everything{})))
	f.Add(must(binaryEverything.Append(nil, fullEverything())))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var v everything
		if err := binaryEverything.Decode(b, &v); err != nil {
			if !reflect.DeepEqual(v, everything{}) {
				t.Fatalf("%x: half a value: %+v", b, v)
			}
			return
		}
		if again := must(binaryEverything.Append(nil, v)); !bytes.Equal(again, b) {
			t.Fatalf("%x is another spelling of %x", b, again)
		}
	})
}

// FuzzRoundTrip sets any value and gets it back.
func FuzzRoundTrip(f *testing.F) {
	ring := oneKey()
	cookies := []*cookiecache.Cookie[string]{
		textCookie(f, cookiecache.Config[string]{Keyring: ring, MaxChunks: 4}),
		textCookie(f, cookiecache.Config[string]{Keyring: ring, MaxChunks: 4, Compress: true}),
		textCookie(f, cookiecache.Config[string]{Keyring: ring, MaxChunks: 4, MaxBytes: 300, Pad: 10}),
	}
	s := must(cookiecache.NewSealer("x", ring, cookiecache.Ages{}))
	f.Add("", "")
	f.Add("value", "bind")
	f.Add("\x80\x00\x00", "\x00")
	f.Add(strings.Repeat("long ", 2000), "u")
	f.Fuzz(func(t *testing.T, v, bind string) {
		at := cookiecache.Binding{Bind: []byte(bind)}
		wire := must(s.AppendSeal(nil, []byte(v), at, cookiecache.Meta{}))
		if got, _, err := s.AppendOpen(nil, string(wire), at); err != nil || string(got) != v {
			t.Fatalf("Sealer: %q became %q, %v", v, got, err)
		}
		for i, c := range cookies {
			b := browser{}
			w := discard{http.Header{}}
			if err := c.Set(w, b.request(), v); err != nil {
				if _, ok := errors.AsType[*cookiecache.TooLargeError](err); !ok || len(w.h) != 0 || len(v) < 700 {
					t.Fatalf("cookie %d: %v", i, err)
				}
				continue
			}
			b.take(w.h)
			if got, _, err := c.Get(b.request()); err != nil || got != v {
				t.Fatalf("cookie %d: %q became %q, %v", i, v, got, err)
			}
		}
	})
}
