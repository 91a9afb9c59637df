package cookiecache_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// A client with the rules of browsers (RFC 6265) keeps and returns the cookies.
func TestBrowsersKeepTheCookie(t *testing.T) {
	c := newWith(t, cookiecache.Config[string]{MaxChunks: 3})
	var loads atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		v, err := c.Load(w, r, func(context.Context) (string, error) {
			return strings.Repeat(strconv.FormatInt(loads.Add(1), 10), 4000), nil
		})
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, v[:1])
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		if err := c.Clear(w, r); err != nil {
			t.Error(err)
		}
	})
	srv := httptest.NewTLSServer(c.Middleware(mux))
	defer srv.Close()
	client := srv.Client()
	client.Jar = must(cookiejar.New(nil))
	get := func(path string) string {
		t.Helper()
		req := must(http.NewRequestWithContext(t.Context(), "GET", srv.URL+path, nil))
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return string(must(io.ReadAll(resp.Body)))
	}
	for _, path := range []string{"/", "/a/b/c", "/x?y=z"} {
		if got := get(path); got != "1" {
			t.Errorf("%s: %q", path, got)
		}
	}
	if s := c.Stats(); s.Hits != 2 || s.Sets != 1 || loads.Load() != 1 {
		t.Errorf("%+v, %d loads", s, loads.Load())
	}
	home := must(url.Parse(srv.URL))
	if got := client.Jar.Cookies(home); len(got) != 2 || got[0].Name != "__Host-nav" {
		t.Errorf("the jar has %v", got)
	}
	get("/logout")
	if got := client.Jar.Cookies(home); len(got) != 0 {
		t.Errorf("after Clear the jar has %v", got)
	}
	if got := get("/"); got != "2" {
		t.Errorf("after Clear: %q", got)
	}
}

func TestBrowsersSendTheCookieToItsHostByTLSOnly(t *testing.T) {
	b := browser{}
	h := set(t, b, mustNew(t, cookiecache.Config[nav]{}), someNav)
	jar := must(cookiejar.New(nil))
	jar.SetCookies(must(url.Parse("https://www.example.com/a/b")), (&http.Response{Header: h}).Cookies())
	for to, want := range map[string]int{
		"https://www.example.com/":         1,
		"https://www.example.com:8443/x/y": 1,
		"http://www.example.com/":          0,
		"https://example.com/":             0,
		"https://other.example.com/":       0,
		"https://a.www.example.com/":       0,
	} {
		if got := jar.Cookies(must(url.Parse(to))); len(got) != want {
			t.Errorf("%s gets %d cookies, want %d", to, len(got), want)
		}
	}
}
