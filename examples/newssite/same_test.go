package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// every runs a test on each kind of database.
func every(t *testing.T, test func(t *testing.T, db string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite") })
	t.Run("postgres", func(t *testing.T) { test(t, testservers.Postgres(t)) })
	t.Run("mariadb", func(t *testing.T) { test(t, testservers.MariaDB(t)) })
}

// Without the caches the same pages come out, byte for byte, apart from the
// footer: cold, warm, out of memcached and with the navigation from a cookie.
func TestPagesAreTheSameWithAndWithoutCaches(t *testing.T) {
	every(t, func(t *testing.T, db string) {
		oneSecret(t)
		st := newStore(t, options{db: db})
		tier, _ := newTier(t)
		plain := newPaper(t, st, 1, caching{off: true})
		caches := map[string]*site{
			"local":      newPaper(t, st, 1, caching{}),
			"memcached":  newPaper(t, st, 3, caching{shared: tier}),
			"no cookies": newPaper(t, st, 1, caching{noCookie: true}),
		}
		top := newestID(t, st)
		paths := []string{"/", "/login", "/login?next=/prefs", "/prefs", "/prefs?saved", "/admin/", "/admin/?page=2", "/admin/?page=99",
			fmt.Sprintf("/admin/edit?id=%d", top), "/admin/edit", "/admin/edit?id=9999999", "/news/page/nowhere",
			articlePath(9999999), "/news/article/01.html", "/nothing", "/login?user=0"}
		for _, s := range sections {
			paths = append(paths, "/news/page/"+s.Key, "/news/page/"+s.Key+"?page=2", "/news/page/"+s.Key+"?page=77")
		}
		for id := top; id > top-8; id-- {
			paths = append(paths, articlePath(id))
		}
		comments, err := st.comments(t.Context(), top-1)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range comments[:min(len(comments), 8)] {
			paths = append(paths, fmt.Sprintf("%s?reply=%d", articlePath(top-1), c.ID))
		}
		for _, userID := range []int{0, 1, 26, 27} { // a visitor, an editor, readers
			reader := newBrowser(t, plain)
			if userID > 0 {
				reader.logIn(userID)
			}
			for _, path := range paths {
				want := reader.get(path)
				if !strings.HasSuffix(strings.TrimSpace(want.html), "</html>") {
					t.Fatalf("%s: half a page: %s", path, want.html)
				}
				for name, s := range caches {
					same := reader.at(s)
					for round := range 2 {
						got := same.get(path)
						if got.html != want.html || got.status != want.status {
							t.Fatalf("user %d, %s, caches %q, round %d: status %d, without caches %d:\n%s", userID, path, name, round,
								got.status, want.status, firstDifference(got.html, want.html))
						}
						if got.queries > want.queries {
							t.Errorf("user %d, %s, caches %q: %d queries, without caches %d", userID, path, name, got.queries, want.queries)
						}
					}
				}
				reader = reader.at(plain)
			}
		}
		if st := plain.stats(); st.Tiers["local"].Hits+st.Tiers["cookie"].Hits != 0 {
			t.Errorf("with caches off: %+v", st.Tiers)
		}
	})
}

func firstDifference(got, want string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%q\n%q", got[max(0, i-80):min(len(got), i+80)], want[max(0, i-80):min(len(want), i+80)])
		}
	}
	return fmt.Sprintf("%d and %d bytes", len(got), len(want))
}

func TestWhatReadersWriteIsEscaped(t *testing.T) {
	escaped := regexp.MustCompile(`(?i)&lt;script&gt;|%3cscript%3e`)
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`
	s := newPaper(t, newStore(t, options{}), 1, caching{})
	editor := newBrowser(t, s)
	editor.logIn(1)
	story := editor.post("/admin/save", "section", "town", "title", evil, "lead", evil, "body", evil)
	if story.status != http.StatusOK || !strings.HasPrefix(story.url, "/news/article/") {
		t.Fatalf("status %d at %s", story.status, story.url)
	}
	id := strings.TrimSuffix(strings.TrimPrefix(story.url, "/news/article/"), ".html")
	editor.post("/comment", "article", id, "body", evil)
	for _, path := range []string{"/", story.url, "/news/page/town", "/admin/", "/admin/edit?id=" + id,
		"/login?next=" + "/%22%3E%3Cscript%3Ealert(1)%3C/script%3E"} {
		a := editor.get(path)
		if !escaped.MatchString(a.html) {
			t.Errorf("%s: does not have what was written", path)
		}
		if strings.Contains(a.html, "<script") || strings.Contains(a.html, "<img src=x") {
			t.Errorf("%s: has it as it was written", path)
		}
	}
}

func TestEveryAnswerTellsBrowsersToRunNothing(t *testing.T) {
	s := newPaper(t, newStore(t, options{}), 1, caching{})
	b := newBrowser(t, s)
	for _, path := range []string{"/", "/nothing", "/stats.json", s.render.cssURL, "/art/town/7.svg", "/favicon.ico", "/healthz"} {
		a := b.get(path)
		if csp := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Content-Type") == "" {
			t.Errorf("%s: %v", path, a.header)
		}
	}
	for path, want := range map[string]string{"/": "private, no-cache", "/stats.json": "no-store",
		s.render.cssURL: "public, max-age=31536000, immutable"} {
		if got := b.get(path).header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"/static/style.css", "/static/../main.go", "/art/town/x.svg", "/art/nowhere/1.svg", "/art/town/1"} {
		if a := b.get(path); a.status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, a.status)
		}
	}
}

func TestFormsFromOtherSitesAreRefused(t *testing.T) {
	s := newPaper(t, newStore(t, options{}), 1, caching{})
	b := newBrowser(t, s)
	b.logIn(26)
	r, err := http.NewRequest(http.MethodPost, "http://news.test/comment", strings.NewReader("article=1&body=x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	before := s.st.queries.Load()
	if a := b.do(b.c.Do(r)); a.status != http.StatusForbidden {
		t.Errorf("status %d", a.status)
	}
	if n := s.st.queries.Load() - before; n != 0 {
		t.Errorf("%d queries", n)
	}
}

func TestALogInLeadsToThisSiteOnly(t *testing.T) {
	for path, want := range map[string]string{
		"/prefs": "/prefs", "/a?b=c": "/a?b=c", "": "/", "//evil.test": "/", `/\evil.test`: "/", "https://evil.test": "/", "/a\nb": "/",
	} {
		if got := local(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestBadFormsChangeNothing(t *testing.T) {
	st := newStore(t, options{})
	s := newPaper(t, st, 1, caching{})
	top := newestID(t, st)
	id := fmt.Sprint(top)
	visitor, reader, editor := newBrowser(t, s), newBrowser(t, s), newBrowser(t, s)
	reader.logIn(30)
	editor.logIn(2)
	before := visitor.page(articlePath(top)).html
	for _, c := range []struct {
		who    *browser
		status int
		path   string
		fields []string
	}{
		{visitor, 200, "/comment", []string{"article", id, "body", "hello"}}, // the log-in page
		{reader, 400, "/comment", []string{"article", id, "body", " \n "}},
		{reader, 400, "/comment", []string{"article", id, "body", strings.Repeat("é", 2001)}},
		{reader, 404, "/comment", []string{"article", "999999", "body", "hello"}},
		{reader, 404, "/comment", []string{"article", id, "parent", "999999", "body", "hello"}},
		{reader, 413, "/comment", []string{"article", id, "body", strings.Repeat("x", 300<<10)}},
		{reader, 403, "/admin/save", []string{"id", id, "section", "town", "title", "x", "lead", "x", "body", "x"}},
		{reader, 403, "/admin/publish", []string{"id", id, "live", "0"}},
		{editor, 400, "/admin/save", []string{"id", id, "section", "nowhere", "title", "x", "lead", "x", "body", "x"}},
		{editor, 400, "/admin/save", []string{"id", id, "section", "town", "title", strings.Repeat("é", 301), "lead", "x", "body", "x"}},
		{editor, 400, "/admin/save", []string{"id", id, "section", "town", "title", "x", "lead", "x", "body", " "}},
		{editor, 404, "/admin/save", []string{"id", "999999", "section", "town", "title", "x", "lead", "x", "body", "x"}},
		{editor, 404, "/admin/publish", []string{"id", "999999", "live", "0"}},
	} {
		if a := c.who.post(c.path, c.fields...); a.status != c.status {
			t.Errorf("%s %.60q: status %d, want %d", c.path, c.fields, a.status, c.status)
		}
	}
	if a := reader.get("/admin/"); a.status != http.StatusForbidden {
		t.Errorf("a reader in the newsroom: status %d", a.status)
	}
	fresh := newPaper(t, st, 1, caching{off: true})
	if after := newBrowser(t, fresh).page(articlePath(top)).html; after != before {
		t.Error(firstDifference(after, before))
	}
}
