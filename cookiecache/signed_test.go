package cookiecache_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ashlar-go/ashlar/cookiecache"
)

func newSigned(t *testing.T, cfg cookiecache.Config[string]) *cookiecache.Signed[string] {
	t.Helper()
	cfg.Name, cfg.Codec = "nav", text{}
	if cfg.Keyring == nil {
		cfg.Keyring = oneKey()
	}
	return must(cookiecache.NewSigned(cfg))
}

func TestSignedValueIsReadableAndAuthentic(t *testing.T) {
	c := newSigned(t, cookiecache.Config[string]{})
	b := browser{}
	if v, loaded, cookies := visit(t, b, c, "in the clear"); v != "in the clear" || !loaded || cookies != 1 {
		t.Errorf("first visit: %q, loaded %v, %d cookies", v, loaded, cookies)
	}
	raw := must(base64.RawURLEncoding.DecodeString(b["__Host-nav"]))
	if !bytes.Contains(raw, []byte("in the clear")) {
		t.Errorf("not readable: %q", raw)
	}
	if v, loaded, cookies := visit(t, b, c, ""); v != "in the clear" || loaded || cookies != 0 {
		t.Errorf("second visit: %q, loaded %v, %d cookies", v, loaded, cookies)
	}
	b["__Host-nav"] = base64.RawURLEncoding.EncodeToString(bytes.Replace(raw, []byte("clear"), []byte("forge"), 1))
	if _, _, err := c.Get(b.request()); !errors.Is(err, cookiecache.ErrTampered) {
		t.Errorf("changed: %v", err)
	}
	if got, want := c.Stats(), (cookiecache.Stats{Hits: 1, Absent: 1, Tampered: 1, Sets: 1}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
	w := discard{http.Header{}}
	if err := c.Clear(w, b.request()); err != nil || b.take(w.h) != 1 || len(b) != 0 {
		t.Errorf("Clear: %v, left %v", err, b)
	}
}

func TestSignedAndSealedValuesAreNotExchangeable(t *testing.T) {
	ring := oneKey()
	signed, sealed := newSigned(t, cookiecache.Config[string]{Keyring: ring}), textCookie(t, cookiecache.Config[string]{Keyring: ring})
	if signed.Name() != sealed.Name() {
		t.Fatal("other names")
	}
	b := browser{}
	set(t, b, signed, "x")
	if _, _, err := sealed.Get(b.request()); !errors.Is(err, cookiecache.ErrTampered) {
		t.Errorf("Cookie reads what Signed made: %v", err)
	}
	set(t, b, sealed, "x")
	if _, _, err := signed.Get(b.request()); !errors.Is(err, cookiecache.ErrTampered) {
		t.Errorf("Signed reads what Cookie made: %v", err)
	}
}

func TestSignedIsRenewedByItsMiddleware(t *testing.T) {
	c := newSigned(t, cookiecache.Config[string]{Ages: cookiecache.Ages{RenewAfter: 1}, MaxChunks: 3, MaxBytes: 1000})
	b := browser{}
	value := string(bytes.Repeat([]byte("x"), 1500))
	set(t, b, c, value)
	rec := httptest.NewRecorder()
	c.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := c.Load(w, r, func(context.Context) (string, error) { return "", errors.New("unused") })
		if err != nil || v != value {
			t.Errorf("Load: %d bytes, %v", len(v), err)
		}
	})).ServeHTTP(rec, b.request())
	if n := b.take(rec.Header()); n != 3 {
		t.Errorf("%d cookies, want 3", n)
	}
	if v, m, err := c.Get(b.request()); err != nil || v != value || m.Chunks != 3 {
		t.Errorf("Get: %d bytes, %+v, %v", len(v), m, err)
	}
}
