package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/cache/memcached"
	"github.com/ashlar-go/ashlar/internal/testservers"
)

// The tests run the site in this process; what needs a process of its own
// starts this binary once more, as the command.
func TestMain(m *testing.M) {
	if os.Getenv("NEWSSITE_TEST_AS_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

const someArticles = 200

// newStore opens a database of its own with an invented newspaper.
func newStore(t testing.TB, o options) *store {
	t.Helper()
	if o.db == "" {
		o.db = "sqlite"
	}
	if o.articles == 0 {
		o.articles = someArticles
	}
	o.seed = 1
	st, done, err := openStore(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := done(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// newPaper is a site on st whose visitors are let in by one secret, so that a
// second site on the same database knows them, as after a restart.
func newPaper(t testing.TB, st *store, nodes int, how caching) *site {
	t.Helper()
	s, err := newSite(st, nodes, how, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// oneSecret lets all sites of a test know each other's visitors.
func oneSecret(t *testing.T) { t.Setenv(secretVariable, strings.Repeat("k", 32)) }

// newTier returns a client of a memcached of its own.
func newTier(t testing.TB) (*memcached.Tier, *testservers.Server) {
	t.Helper()
	server := testservers.Memcached(t)
	return connect(t, server), server
}

func connect(t testing.TB, server *testservers.Server) *memcached.Tier {
	t.Helper()
	tier, err := memcached.New(memcached.Config{
		Servers: []memcached.Server{{Name: server.Addr, Addr: server.Addr}},
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tier.Close() })
	return tier
}

// direct is a transport without a network.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RequestURI, r.Host, r.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "192.0.2.1:1"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	res := w.Result()
	res.Request = r
	return res, nil
}

// browser is one visitor.
type browser struct {
	t testing.TB
	c *http.Client
}

func newBrowser(t testing.TB, s *site) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, Transport: direct{s.handler()}}}
}

// at moves the visitor, cookies included, to another site of the same secret.
func (b *browser) at(s *site) *browser {
	c := *b.c
	c.Transport = direct{s.handler()}
	return &browser{b.t, &c}
}

// answer is a page as it came, and what its footer tells.
type answer struct {
	status  int
	url     string // after redirects
	header  http.Header
	html    string            // without the footer
	queries int               // -1 without a footer
	from    map[string]string // where each part came from
}

var (
	footer      = regexp.MustCompile(`(?s)<footer id="served">.*?</footer>`)
	footerCount = regexp.MustCompile(`<b>(\d+)</b> database`)
	footerPart  = regexp.MustCompile(`<span>([a-z ]+): <b>([a-z ]+)</b>`)
)

func (b *browser) do(res *http.Response, err error) answer {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, url: res.Request.URL.RequestURI(), header: res.Header,
		queries: -1, from: make(map[string]string)}
	foot := footer.FindString(string(body))
	a.html = strings.Replace(string(body), foot, "", 1)
	if n := footerCount.FindStringSubmatch(foot); n != nil {
		a.queries, _ = strconv.Atoi(n[1])
	}
	for _, p := range footerPart.FindAllStringSubmatch(foot, -1) {
		a.from[p[1]] = p[2]
	}
	return a
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.do(b.c.Get("http://news.test" + path))
}

// page is get of a page that must be there.
func (b *browser) page(path string) answer {
	b.t.Helper()
	a := b.get(path)
	if a.status != http.StatusOK || a.queries < 0 {
		b.t.Fatalf("%s: status %d, %d queries", path, a.status, a.queries)
	}
	return a
}

// post sends a form and follows where it leads. The fields are pairs.
func (b *browser) post(path string, fields ...string) answer {
	b.t.Helper()
	form := make(url.Values)
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do(b.c.PostForm("http://news.test"+path, form))
}

// logIn makes the visitor the user of this number; the first 25 are editors.
func (b *browser) logIn(user int) {
	b.t.Helper()
	if a := b.get(fmt.Sprintf("/login?user=%d&next=/healthz", user)); a.status != http.StatusOK || a.url != "/healthz" {
		b.t.Fatalf("log-in of user %d: status %d at %s", user, a.status, a.url)
	}
}

func articlePath(id int64) string { return fmt.Sprintf("/news/article/%d.html", id) }

// newestID is the article that leads the front page.
func newestID(t testing.TB, st *store) int64 {
	t.Helper()
	latest, err := st.latest(t.Context(), "", 1, 0)
	if err != nil || len(latest) != 1 {
		t.Fatal(latest, err)
	}
	return latest[0].ID
}
