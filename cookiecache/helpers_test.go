package cookiecache_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// nav is the book's left navigation.
type nav struct {
	User  uint64
	Name  string
	Items []item
	Admin bool
}

type item struct {
	Label, Path string
	Count       int
}

var someNav = nav{User: 4711, Name: "Zoë Ångström", Items: []item{
	{"Front page", "/", 0}, {"Sports", "/news/page/sports", 12}, {"Science", "/news/page/science", 3}, {"Comments", "/comments", -1},
}}

var binaryNav = must(cookiecache.Binary[nav](1))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func ringOf(keys ...cookiecache.Key) *cookiecache.Keyring {
	return must(cookiecache.NewKeyring(keys...))
}

func oneKey() *cookiecache.Keyring { return ringOf(cookiecache.Key{ID: 1, Secret: secret(1)}) }

// mustNew fills in what cfg leaves out.
func mustNew(t testing.TB, cfg cookiecache.Config[nav]) *cookiecache.Cookie[nav] {
	t.Helper()
	if cfg.Codec == nil {
		cfg.Codec = binaryNav
	}
	return newWith(t, cfg)
}

func newWith[T any](t testing.TB, cfg cookiecache.Config[T]) *cookiecache.Cookie[T] {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "nav"
	}
	if cfg.Keyring == nil {
		cfg.Keyring = oneKey()
	}
	if cfg.Codec == nil {
		cfg.Codec = cookiecache.JSON[T](1)
	}
	c, err := cookiecache.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// discard is a ResponseWriter with nothing but a header.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// pair is the name=value of a Set-Cookie line.
func pair(line string) string {
	p, _, _ := strings.Cut(line, ";")
	return p
}

// browser keeps cookies as a browser does that knows only names: it is for
// tests that need to do to cookies what no browser would.
type browser map[string]string

// request returns a request with the browser's cookies.
func (b browser) request() *http.Request {
	r := httptest.NewRequest("GET", "https://www.example.com/", nil)
	for name, value := range b {
		r.Header.Add("Cookie", name+"="+value)
	}
	return r
}

// take does what the response's Set-Cookie lines say, and returns how many there were.
func (b browser) take(h http.Header) int {
	lines := h.Values("Set-Cookie")
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			panic(err)
		}
		if c.MaxAge < 0 {
			delete(b, c.Name)
		} else {
			b[c.Name] = c.Value
		}
	}
	return len(lines)
}

// set lets c set v for the browser.
func set[T any](t testing.TB, b browser, c interface {
	Set(http.ResponseWriter, *http.Request, T) error
}, v T) http.Header {
	t.Helper()
	w := discard{http.Header{}}
	if err := c.Set(w, b.request(), v); err != nil {
		t.Fatal(err)
	}
	b.take(w.h)
	return w.h
}

// visit is a page view that loads the value, and says whether the loader ran
// and how many cookies were set.
func visit[T any](t testing.TB, b browser, c interface {
	Load(http.ResponseWriter, *http.Request, func(context.Context) (T, error)) (T, error)
}, source T) (v T, loaded bool, cookies int) {
	t.Helper()
	w := discard{http.Header{}}
	v, err := c.Load(w, b.request(), func(context.Context) (T, error) { loaded = true; return source, nil })
	if err != nil {
		t.Fatal(err)
	}
	return v, loaded, b.take(w.h)
}
