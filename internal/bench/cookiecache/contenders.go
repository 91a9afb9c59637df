package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
	"github.com/fernet/fernet-go"
	"github.com/go-jose/go-jose/v4"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

// contender seals and opens a value. Its functions do it n times; nil: not
// compared.
type contender struct {
	name       string
	wire       int // characters of the sealed value
	seal, open func(n int)
}

const (
	cookieName = "__Host-nav"
	host       = "www.example.com"
)

// contenders returns them all, the limit first. Each is tried once.
func contenders(size int) ([]contender, error) {
	value := bytes.Repeat([]byte(`{"label":"Sports","path":"/news/page/sports"},`), size/46+1)[:size]
	var all []contender
	for _, make := range []func([]byte) (contender, error){
		limit,
		ours("cookiecache XAES-256-GCM", 1, cookiecache.XAES256GCM),
		ours("the same, 100 keys", 100, cookiecache.XAES256GCM),
		ours("cookiecache XChaCha20-Poly1305", 1, cookiecache.XChaCha20Poly1305),
		oursRequest,
		gorillaNop, gorillaGob, gorillaSessions, joseJWE, fernetToken,
	} {
		c, err := make(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		for _, f := range []func(int){c.seal, c.open} {
			if f != nil {
				f(1)
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// check ends the program: what fails here worked before.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

func secret(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

// limit is bare AES-256-GCM with a nonce of 96 bits over the value, and base64:
// no key id, no times, nothing that the value is bound to.
func limit(value []byte) (c contender, err error) {
	c.name = "the limit: AES-256-GCM + base64"
	block, err := aes.NewCipher(secret(1))
	if err != nil {
		return c, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return c, err
	}
	enc := base64.RawURLEncoding
	nonce, raw, wire := make([]byte, 12), make([]byte, 0, 2*len(value)+100), make([]byte, 0, 3*len(value)+100)
	seal := func() {
		_, err := rand.Read(nonce)
		check(err)
		raw = append(raw[:0], nonce...)
		raw = gcm.Seal(raw, nonce, value, nil)
		wire = enc.AppendEncode(wire[:0], raw)
	}
	seal()
	sealed := bytes.Clone(wire)
	decoded, plain := make([]byte, 2*len(value)+100), make([]byte, 0, len(value)+100)
	c.wire = len(sealed)
	c.seal = func(n int) {
		for range n {
			seal()
		}
	}
	c.open = func(n int) {
		for range n {
			m, err := enc.Decode(decoded, sealed)
			check(err)
			plain, err = gcm.Open(plain[:0], decoded[:12], decoded[12:m], nil)
			check(err)
		}
	}
	return c, nil
}

func keyring(keys int, aead cookiecache.AEAD) (*cookiecache.Keyring, error) {
	var all []cookiecache.Key
	for i := range keys {
		all = append(all, cookiecache.Key{ID: byte(i), Secret: secret(byte(i + 1)), AEAD: aead, SealFrom: time.Unix(int64(i), 0)})
	}
	return cookiecache.NewKeyring(all...)
}

// ours is the byte API, with a user to bind to.
func ours(name string, keys int, aead cookiecache.AEAD) func([]byte) (contender, error) {
	return func(value []byte) (contender, error) {
		c := contender{name: name}
		ring, err := keyring(keys, aead)
		if err != nil {
			return c, err
		}
		s, err := cookiecache.NewSealer(cookieName, ring, cookiecache.Ages{})
		if err != nil {
			return c, err
		}
		at := cookiecache.Binding{Host: host, Bind: []byte("user 4711")}
		wire, err := s.AppendSeal(nil, value, at, cookiecache.Meta{})
		if err != nil {
			return c, err
		}
		sealed, dst := string(wire), make([]byte, 0, 2*len(wire))
		c.wire = len(sealed)
		c.seal = func(n int) {
			for range n {
				var err error
				dst, err = s.AppendSeal(dst[:0], value, at, cookiecache.Meta{})
				check(err)
			}
		}
		c.open = func(n int) {
			for range n {
				var err error
				dst, _, err = s.AppendOpen(dst[:0], sealed, at)
				check(err)
			}
		}
		return c, nil
	}
}

// raw is a codec for bytes.
type raw struct{}

func (raw) Append(dst, v []byte) ([]byte, error) { return append(dst, v...), nil }
func (raw) Decode(b []byte, v *[]byte) error     { *v = bytes.Clone(b); return nil }

// oursRequest is a whole visit: find the cookie in the request's header, open it.
func oursRequest(value []byte) (contender, error) {
	c := contender{name: "cookiecache, whole request"}
	ring, err := keyring(1, cookiecache.XAES256GCM)
	if err != nil {
		return c, err
	}
	cookie, err := cookiecache.New(cookiecache.Config[[]byte]{Name: "nav", Keyring: ring, Codec: raw{}})
	if err != nil {
		return c, err
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://"+host, nil)
	if err := cookie.Set(w, r, value); err != nil {
		return c, err
	}
	for _, ck := range w.Result().Cookies() {
		r.AddCookie(ck)
	}
	c.open = func(n int) {
		for range n {
			_, _, err := cookie.Get(r)
			check(err)
		}
	}
	c.seal = func(n int) {
		w := nowhere{http.Header{}}
		for range n {
			check(cookie.Set(w, r, value))
		}
	}
	return c, nil
}

type nowhere struct{ h http.Header }

func (n nowhere) Header() http.Header         { return n.h }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

func gorillaNop(value []byte) (contender, error) {
	sc := securecookie.New(secret(1), secret(2))
	sc.SetSerializer(securecookie.NopEncoder{})
	var out []byte
	// A copy, since securecookie encrypts in place what this serializer returns.
	return secure("gorilla/securecookie, nop serializer", sc, bytes.Clone(value), &out)
}

func gorillaGob(value []byte) (contender, error) {
	var out map[string]string
	return secure("gorilla/securecookie, gob of a map", securecookie.New(secret(1), secret(2)), map[string]string{"nav": string(value)}, &out)
}

func secure(name string, sc *securecookie.SecureCookie, in, out any) (contender, error) {
	c := contender{name: name}
	wire, err := sc.Encode(cookieName, in)
	if err != nil {
		return c, err
	}
	c.wire = len(wire)
	c.seal = func(n int) {
		for range n {
			_, err := sc.Encode(cookieName, in)
			check(err)
		}
	}
	c.open = func(n int) {
		for range n {
			check(sc.Decode(cookieName, wire, out))
		}
	}
	return c, nil
}

// gorillaSessions is a visit as most programs have it: the store's Get.
func gorillaSessions(value []byte) (contender, error) {
	c := contender{name: "gorilla/sessions, whole request"}
	store := sessions.NewCookieStore(secret(1), secret(2))
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://"+host, nil)
	session, err := store.New(r, cookieName)
	if err != nil {
		return c, err
	}
	session.Values["nav"] = string(value)
	if err := session.Save(r, w); err != nil {
		return c, err
	}
	for _, ck := range w.Result().Cookies() {
		r.AddCookie(ck)
	}
	c.open = func(n int) {
		for range n {
			// New reads the cookie each time, where Get would remember it.
			s, err := store.New(r, cookieName)
			check(err)
			if s.IsNew {
				panic("gorilla/sessions: the session is new")
			}
		}
	}
	c.seal = func(n int) {
		w := nowhere{http.Header{}}
		for range n {
			clear(w.h)
			check(session.Save(r, w))
		}
	}
	return c, nil
}

func joseJWE(value []byte) (contender, error) {
	c := contender{name: "go-jose, JWE dir A256GCM"}
	enc, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: secret(1)}, nil)
	if err != nil {
		return c, err
	}
	seal := func() (string, error) {
		obj, err := enc.Encrypt(value)
		if err != nil {
			return "", err
		}
		return obj.CompactSerialize()
	}
	wire, err := seal()
	if err != nil {
		return c, err
	}
	c.wire = len(wire)
	c.seal = func(n int) {
		for range n {
			_, err := seal()
			check(err)
		}
	}
	c.open = func(n int) {
		for range n {
			obj, err := jose.ParseEncryptedCompact(wire, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
			check(err)
			_, err = obj.Decrypt(secret(1))
			check(err)
		}
	}
	return c, nil
}

func fernetToken(value []byte) (contender, error) {
	c := contender{name: "fernet-go"}
	var key fernet.Key
	if err := key.Generate(); err != nil {
		return c, err
	}
	token, err := fernet.EncryptAndSign(value, &key)
	if err != nil {
		return c, err
	}
	c.wire = len(token)
	keys := []*fernet.Key{&key}
	c.seal = func(n int) {
		for range n {
			_, err := fernet.EncryptAndSign(value, &key)
			check(err)
		}
	}
	c.open = func(n int) {
		for range n {
			if fernet.VerifyAndDecrypt(token, time.Hour, keys) == nil {
				panic("fernet: refused")
			}
		}
	}
	return c, nil
}
