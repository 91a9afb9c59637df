package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// site is the whole web site. With several nodes, requests go to them in turn.
type site struct {
	st       *store
	nodes    []*node
	visitors *visitors
	render   *renderer
	caching  caching
	log      *slog.Logger
	started  time.Time

	requests atomic.Int64
	views    atomic.Int64 // pages shown
}

func newSite(st *store, nodes int, how caching, log *slog.Logger) (*site, error) {
	s := &site{st: st, caching: how, log: log, started: time.Now()}
	for id := range nodes {
		n, err := newNode(id+1, st, how)
		if err != nil {
			return nil, err
		}
		s.nodes = append(s.nodes, n)
	}
	var err1, err2 error
	s.visitors, err1 = newVisitors(!how.off && !how.noCookie)
	s.render, err2 = newRenderer()
	return s, errors.Join(err1, err2)
}

// handler answers every request of the site.
func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(*visit)) {
		mux.Handle(pattern, s.visitors.known(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h(s.visit(w, r))
		})))
	}
	handle("GET /{$}", (*visit).front)
	handle("GET /news/article/{file}", (*visit).article)
	handle("GET /news/page/{section}", (*visit).section)
	handle("GET /login", (*visit).login)
	handle("POST /logout", (*visit).logout)
	handle("GET /prefs", (*visit).prefs)
	handle("POST /prefs", (*visit).savePrefs)
	handle("POST /comment", (*visit).comment)
	handle("GET /admin/{$}", (*visit).admin)
	handle("GET /admin/edit", (*visit).edit)
	handle("POST /admin/save", (*visit).save)
	handle("POST /admin/publish", (*visit).publish)
	handle("/", (*visit).notFound)
	mux.Handle("GET /static/", s.render.static())
	mux.HandleFunc("GET /art/{section}/{file}", serveArt)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.render.faviconURL, http.StatusMovedPermanently)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /stats.json", s.serveStats)
	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard counts requests, bounds their bodies, and sets what browsers need to
// know about every answer.
func (s *site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		r.Body = http.MaxBytesReader(w, r.Body, 256<<10)
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// visit is one request for a page.
type visit struct {
	*site
	w     http.ResponseWriter
	r     *http.Request
	node  *node
	meter *meter
	start time.Time
	parts []part
}

func (s *site) visit(w http.ResponseWriter, r *http.Request) *visit {
	m := new(meter)
	return &visit{
		site: s, w: w, meter: m, start: time.Now(),
		r:    r.WithContext(context.WithValue(r.Context(), meterKey{}, m)),
		node: s.nodes[int(s.requests.Load())%len(s.nodes)],
	}
}

// get asks a cache for one part of the page, and notes for the footer where it
// came from.
func get[K comparable, V any](v *visit, c *cache.LookAside[K, V], k K, name string) (V, error) {
	value, p, err := ask(v.r.Context(), c, k, name)
	v.parts = append(v.parts, p)
	return value, err
}

// show sends a page. It is rendered whole before the first byte is sent, so
// that a failure never gives half a page.
func (v *visit) show(status int, name, title string, body any) {
	p := &page{Name: name, Title: title, User: who(v.r), CSS: v.render.cssURL, Path: v.r.URL.RequestURI(), Body: body}
	nav, from, err := v.visitors.prefs(v.w, v.r, v.node)
	if err != nil {
		v.log.Warn("navigation", "err", err)
		nav, from.From = defaultPrefs(), "defaults" // a page without the user's own is better than none
	}
	p.Nav, p.Compact = navItems(nav, v.r.URL.Path), nav.Compact
	p.Served = served{
		User: "a visitor", Queries: v.meter.queries.Load(), Parts: append([]part{from}, v.parts...),
		Took: time.Since(v.start), Node: v.node.id, Caches: !v.caching.off,
	}
	if p.User != nil {
		p.Served.User = p.User.Name
	}
	html, err := v.render.render(p)
	if err != nil {
		v.log.Error("rendering", "page", name, "err", err)
		http.Error(v.w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	v.views.Add(1)
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// Pages differ by visitor, and the site's own caches are where they belong.
	h.Set("Cache-Control", "private, no-cache")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(html) // the visitor may have left
}

func navItems(p prefs, path string) []navItem {
	items := []navItem{{Title: "Front page", Href: "/", Key: "front", Current: path == "/"}}
	for _, key := range p.Sections {
		title, ok := sectionTitle(key)
		if ok {
			href := "/news/page/" + key
			items = append(items, navItem{Title: title, Href: href, Key: key, Current: path == href})
		}
	}
	return items
}

// fail shows what went wrong, as much as a visitor should know.
func (v *visit) fail(err error) {
	switch tooLarge := (*http.MaxBytesError)(nil); {
	case errors.Is(err, cache.ErrNotFound), errors.Is(err, errNoRow):
		v.notFound()
	case errors.As(err, &tooLarge):
		v.message(http.StatusRequestEntityTooLarge, "That was too long", "Please send something shorter.")
	case v.r.Context().Err() != nil: // the visitor has left
	default:
		v.log.Error("request failed", "path", v.r.URL.Path, "err", err)
		v.message(http.StatusInternalServerError, "Something is broken here",
			"The newsroom's database did not answer. Please try again in a moment.")
	}
}

func (v *visit) message(status int, heading, text string) {
	v.show(status, "message", heading, messageBody{Heading: heading, Text: text})
}

func (v *visit) notFound() {
	v.message(http.StatusNotFound, "Page not found", "There is no such page, or it was taken back.")
}

// everywhere tells every node that something has changed, also when the visitor
// does not wait for it. It comes after the commit and before the answer, so that
// the next page shows the change; and after a failed write as well, because a
// commit whose answer was lost may have happened.
func (v *visit) everywhere(tell func(context.Context, *node) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), 10*time.Second)
	defer cancel()
	for _, n := range v.nodes {
		if err := tell(ctx, n); err != nil {
			// Stored it is; other processes may show the old state until their
			// copies end, and memcached is purged before it is used again.
			v.log.Warn("invalidation did not reach memcached", "node", n.id, "err", err)
		}
	}
}

// redirect sends the browser to a page of this site.
func (v *visit) redirect(path string) {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
}

// local returns path if it is one of this site, else "/".
func local(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, func(r rune) bool {
		return r < ' ' || r == '\\'
	}) {
		return "/"
	}
	return path
}

// paginate returns the page's number from 1, and limit and offset with one
// more row than fits, which says that there is a next page.
func paginate(r *http.Request) int { return max(1, atoi(r.URL.Query().Get("page"))) }

// firstOf cuts a list at n.
func firstOf[T any](list []T, n int) []T { return list[:min(n, len(list))] }

// sortedPrefs orders the chosen sections by the positions given.
func sortedPrefs(chosen []string, position map[string]int) []string {
	slices.SortStableFunc(chosen, func(a, b string) int { return position[a] - position[b] })
	return chosen
}
