package cookiecache_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/cookiecache"
)

var aeads = []cookiecache.AEAD{cookiecache.XAES256GCM, cookiecache.XChaCha20Poly1305}

// opener is what the tests of authenticity are repeated with.
type opener struct {
	name string
	wire string
	open func(wire string) error
}

func openers(t *testing.T) []opener {
	var all []opener
	at := cookiecache.Binding{Host: "www.example.com", Bind: []byte("user 1")}
	for _, aead := range aeads {
		s := must(cookiecache.NewSealer("__Host-nav", ringOf(cookiecache.Key{ID: 9, Secret: secret(9), AEAD: aead}), cookiecache.Ages{}))
		wire := must(s.AppendSeal(nil, []byte("the value!"), at, cookiecache.Meta{Epoch: 5}))
		all = append(all, opener{aead.String(), string(wire), func(wire string) error {
			_, _, err := s.AppendOpen(nil, wire, at)
			return err
		}})
	}
	signed := must(cookiecache.NewSigned(cookiecache.Config[string]{Name: "nav", Keyring: oneKey(), Codec: cookiecache.JSON[string](1)}))
	b := browser{}
	set(t, b, signed, "the value")
	all = append(all, opener{"signed", b["__Host-nav"], func(wire string) error {
		_, _, err := signed.Get(browser{"__Host-nav": wire}.request())
		return err
	}})
	return all
}

func TestEveryChangedBitIsAMiss(t *testing.T) {
	for _, o := range openers(t) {
		if err := o.open(o.wire); err != nil {
			t.Fatalf("%s: unchanged: %v", o.name, err)
		}
		raw := must(base64.RawURLEncoding.DecodeString(o.wire))
		for i := range raw {
			for bit := range 8 {
				changed := bytes.Clone(raw)
				changed[i] ^= 1 << bit
				if err := o.open(base64.RawURLEncoding.EncodeToString(changed)); !errors.Is(err, cookiecache.ErrMiss) {
					t.Fatalf("%s: bit %d of byte %d: %v", o.name, bit, i, err)
				}
			}
		}
	}
}

func TestEveryChangedCharacterIsAMiss(t *testing.T) {
	const also = "=+/ \r\n\t\";,\\\x00\xff"
	for _, o := range openers(t) {
		for i := range len(o.wire) + 1 {
			var changed []string
			if i < len(o.wire) {
				changed = append(changed, o.wire[:i], o.wire[i+1:]) // cut, and one left out
			}
			for c := range 256 {
				changed = append(changed, o.wire[:i]+string([]byte{byte(c)})+o.wire[i:])
				if i < len(o.wire) && o.wire[i] != byte(c) {
					changed = append(changed, o.wire[:i]+string([]byte{byte(c)})+o.wire[i+1:])
				}
			}
			for j := range also {
				changed = append(changed, o.wire[:i]+strings.Repeat(also[j:j+1], 4)+o.wire[i:])
			}
			for _, wire := range changed {
				// Around a value in a Cookie header white space is not part of it.
				if o.name == "signed" && strings.Trim(wire, " \t\r\n;") == o.wire {
					continue
				}
				if err := o.open(wire); !errors.Is(err, cookiecache.ErrMiss) {
					t.Fatalf("%s: %q for %q: %v", o.name, wire, o.wire, err)
				}
			}
		}
	}
}

// In base64 the last character may have unused bits: only zeros are accepted.
func TestValueHasOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	s := must(cookiecache.NewSealer("nav", oneKey(), cookiecache.Ages{}))
	for size := range 6 {
		wire := string(must(s.AppendSeal(nil, make([]byte, size), cookiecache.Binding{}, cookiecache.Meta{})))
		accepted := 0
		for i := range alphabet {
			if _, _, err := s.AppendOpen(nil, wire[:len(wire)-1]+alphabet[i:i+1], cookiecache.Binding{}); err == nil {
				accepted++
			}
		}
		if accepted != 1 {
			t.Errorf("size %d: %d last characters are accepted", size, accepted)
		}
	}
}

func TestCookieIsBoundToNameHostAndUser(t *testing.T) {
	user := func(r *http.Request) []byte { return []byte(r.Header.Get("User")) }
	ring := oneKey()
	a := mustNew(t, cookiecache.Config[nav]{Name: "a", Keyring: ring, Bind: user})
	b := mustNew(t, cookiecache.Config[nav]{Name: "b", Keyring: ring, Bind: user})
	plain := mustNew(t, cookiecache.Config[nav]{Name: "a", Keyring: ring, Bind: user, PlainHTTP: true})
	signed := must(cookiecache.NewSigned(cookiecache.Config[nav]{Name: "a", Keyring: ring, Bind: user, Codec: binaryNav}))
	request := func(host, who, name, value string) *http.Request {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		r.Header.Set("User", who)
		if value != "" {
			r.Header.Set("Cookie", name+"="+value)
		}
		return r
	}
	w := discard{http.Header{}}
	if err := a.Set(w, request("www.example.com", "1", "", ""), someNav); err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(pair(w.h.Get("Set-Cookie")), "=")
	for _, tt := range []struct {
		what string
		c    interface {
			Get(*http.Request) (nav, cookiecache.Meta, error)
		}
		host, user string
		name       string
		want       error
	}{
		{"unmoved", a, "www.example.com", "1", "__Host-a", nil},
		{"port and case do not matter", a, "WWW.Example.com.:8443", "1", "__Host-a", nil},
		{"another name", b, "www.example.com", "1", "__Host-b", cookiecache.ErrTampered},
		{"another host", a, "staging.example.com", "1", "__Host-a", cookiecache.ErrTampered},
		{"another user", a, "www.example.com", "2", "__Host-a", cookiecache.ErrTampered},
		{"no user", a, "www.example.com", "", "__Host-a", cookiecache.ErrTampered},
		{"development", plain, "www.example.com", "1", "a", cookiecache.ErrTampered},
		{"signed only", signed, "www.example.com", "1", "__Host-a", cookiecache.ErrTampered},
	} {
		_, _, err := tt.c.Get(request(tt.host, tt.user, tt.name, value))
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
}

// The parts of what a cookie is bound to are told apart by their lengths.
func TestPartsOfTheBindingDoNotRunIntoEachOther(t *testing.T) {
	s := must(cookiecache.NewSealer("nav", oneKey(), cookiecache.Ages{}))
	at := []cookiecache.Binding{
		{Host: "ab", Bind: []byte("c")}, {Host: "a", Bind: []byte("bc")}, {Host: "abc"}, {Bind: []byte("abc")},
		{Host: "a", Bind: []byte("b\x00\x00\x00\x01c")}, {},
	}
	for i := range at {
		wire := string(must(s.AppendSeal(nil, []byte("x"), at[i], cookiecache.Meta{})))
		for j := range at {
			if _, _, err := s.AppendOpen(nil, wire, at[j]); (err == nil) != (i == j) {
				t.Errorf("sealed for %q, opened for %q: %v", at[i], at[j], err)
			}
		}
	}
}

func TestFixedHostServesAllNames(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{Host: "Example.com:443"})
	b := browser{}
	set(t, b, c, someNav)
	r := b.request()
	r.Host = "made-up.example.net"
	if _, _, err := c.Get(r); err != nil {
		t.Error(err)
	}
	other := mustNew(t, cookiecache.Config[nav]{Host: "staging.example.com"})
	if _, _, err := other.Get(b.request()); !errors.Is(err, cookiecache.ErrTampered) {
		t.Errorf("another fixed host: %v", err)
	}
}

func TestKeyDecidesTheAlgorithm(t *testing.T) {
	// The same secret and number under the other algorithm opens nothing.
	at := cookiecache.Binding{}
	for i, aead := range aeads {
		sealing := must(cookiecache.NewSealer("nav", ringOf(cookiecache.Key{ID: 1, Secret: secret(1), AEAD: aead}), cookiecache.Ages{}))
		opening := must(cookiecache.NewSealer("nav", ringOf(cookiecache.Key{ID: 1, Secret: secret(1), AEAD: aeads[1-i]}), cookiecache.Ages{}))
		wire := string(must(sealing.AppendSeal(nil, []byte("x"), at, cookiecache.Meta{})))
		if _, _, err := opening.AppendOpen(nil, wire, at); !errors.Is(err, cookiecache.ErrTampered) {
			t.Errorf("%v opened by %v: %v", aead, aeads[1-i], err)
		}
		if _, _, err := sealing.AppendOpen(nil, wire, at); err != nil {
			t.Errorf("%v: %v", aead, err)
		}
	}
}

func TestQuotedValueIsAMiss(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{})
	b := browser{}
	set(t, b, c, someNav)
	b["__Host-nav"] = `"` + b["__Host-nav"] + `"`
	if _, _, err := c.Get(b.request()); !errors.Is(err, cookiecache.ErrTampered) {
		t.Errorf("quoted: %v", err)
	}
}

func TestOfSeveralCookiesOnlyTheGenuineOneCounts(t *testing.T) {
	c := newWith(t, cookiecache.Config[string]{Bind: func(r *http.Request) []byte { return []byte(r.Header.Get("User")) }})
	seal := func(user, value string) string {
		r, w := httptest.NewRequest("GET", "/", nil), discard{http.Header{}}
		r.Header.Set("User", user)
		if err := c.Set(w, r, value); err != nil {
			t.Fatal(err)
		}
		return pair(w.h.Get("Set-Cookie"))
	}
	mine, theirs := seal("me", "mine"), seal("attacker", "theirs")
	forged, junk := theirs[:len(theirs)-2]+"AA", "__Host-nav=junk"
	for _, tt := range []struct {
		cookies []string
		want    string // "" for a miss
	}{
		{[]string{mine}, "mine"},
		{[]string{theirs, mine}, "mine"},
		{[]string{mine, theirs}, "mine"},
		{[]string{forged, junk, mine}, "mine"},
		{[]string{theirs, forged}, ""},
		{[]string{forged, junk, theirs, mine}, ""}, // beyond the bound: a miss, no takeover
	} {
		for _, oneLine := range []bool{true, false} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("User", "me")
			r.Header["Cookie"] = slices.Clone(tt.cookies)
			if oneLine {
				r.Header["Cookie"] = []string{strings.Join(tt.cookies, "; ")}
			}
			got, _, err := c.Get(r)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("%q: %q, %v", tt.cookies, got, err)
			}
			if tt.want == "" && !errors.Is(err, cookiecache.ErrTampered) {
				t.Errorf("%q: %v", tt.cookies, err)
			}
		}
	}
}

func TestErrorsShowNoValue(t *testing.T) {
	c := newWith(t, cookiecache.Config[int]{})
	d := newWith(t, cookiecache.Config[string]{})
	b := browser{}
	set(t, b, d, "hunter2")
	_, _, err := c.Get(b.request()) // JSON says which string is no number
	if !errors.Is(err, cookiecache.ErrSchema) || strings.Contains(err.Error(), "hunter") {
		t.Errorf("Get = %v", err)
	}
}
