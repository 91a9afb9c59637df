package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Pages keep coming while memcached is killed under them, and /stats.json tells
// what happened.
func TestPagesKeepComingWhenMemcachedIsKilled(t *testing.T) {
	tier, server := newTier(t)
	s := newPaper(t, newStore(t, options{}), 2, caching{shared: tier})
	reader := newBrowser(t, s)
	reader.logIn(40)
	tr := newTraffic(3, 1, someArticles)
	views := 0
	run := func(pages int) stats {
		t.Helper()
		for range pages / pagesPerVisit {
			tr.visit(reader, someArticles, true, func(answer) { views++ })
		}
		var told stats
		a := reader.get("/stats.json")
		if err := json.Unmarshal([]byte(a.html), &told); err != nil {
			t.Fatal(err)
		}
		return told
	}
	errorsOf := func(st stats) (n int64) {
		for _, c := range st.Caches {
			n += c.SharedErrors
		}
		return n
	}
	up := run(400)
	server.Kill()
	time.Sleep(localKeep) // so that memcached is asked again
	down := run(400)
	server.Restart()
	deadline := time.Now().Add(20 * time.Second)
	again := run(200)
	for again.Tiers["memcached"].Hits == down.Tiers["memcached"].Hits && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		again = run(10)
	}
	for name, st := range map[string]stats{"up": up, "down": down, "again": again} {
		t.Logf("%s: %d page views, %.3f queries each, tiers %v, %d errors of memcached", name, st.PageViews, st.PerPage, st.Tiers, errorsOf(st))
	}
	if up.Tiers["memcached"].Hits == 0 || errorsOf(up) != 0 {
		t.Errorf("before: %+v", up.Tiers)
	}
	if down.Tiers["memcached"].Hits != up.Tiers["memcached"].Hits || errorsOf(down) == 0 {
		t.Errorf("while it is down: %+v, %d errors", down.Tiers, errorsOf(down))
	}
	if again.Tiers["memcached"].Hits == down.Tiers["memcached"].Hits {
		t.Error("once it is back it is not used")
	}
	if again.PageViews != int64(views) {
		t.Errorf("%d page views, but %d pages were loaded", again.PageViews, views)
	}
	// The counters and the footers agree.
	if again.Queries == 0 || again.PerPage > 1 {
		t.Errorf("%.3f queries per page", again.PerPage)
	}
}

// While the database is away, readers see what the caches have, and a clear
// page for what they have not.
func TestWarmPagesSurviveTheDatabase(t *testing.T) {
	st := newStore(t, options{})
	s := newPaper(t, st, 1, caching{})
	reader := newBrowser(t, s)
	reader.logIn(40)
	top := newestID(t, st)
	warm := []string{"/", articlePath(top), "/news/page/town"}
	for _, path := range warm {
		reader.page(path)
	}
	if err := st.master.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range warm {
		if a := reader.page(path); a.queries != 0 {
			t.Errorf("%s: %d queries", path, a.queries)
		}
	}
	for _, path := range []string{articlePath(top - 1), "/prefs"} {
		a := reader.get(path)
		if a.status != http.StatusInternalServerError || !strings.Contains(a.html, "did not answer") {
			t.Errorf("%s: status %d", path, a.status)
		}
		if strings.Contains(a.html, "sql:") || strings.Contains(a.html, "closed") {
			t.Errorf("%s: tells the visitor what only the log should know", path)
		}
	}
	if a := reader.post("/comment", "article", fmt.Sprint(top), "body", "Hello?"); a.status != http.StatusInternalServerError {
		t.Errorf("a comment that was not stored: status %d", a.status)
	}
}

// A visitor who leaves between the commit and the answer must not leave the old
// page behind in the caches.
func TestAWriterWhoLeavesStillInvalidates(t *testing.T) {
	tier, _ := newTier(t)
	s := newPaper(t, newStore(t, options{}), 2, caching{shared: tier})
	top := newestID(t, s.st)
	b := newBrowser(t, s)
	b.page(articlePath(top))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://news.test/comment", nil)
	if err != nil {
		t.Fatal(err)
	}
	v := s.visit(nil, r)
	if err := s.st.addComment(t.Context(), top, 0, 40, "I have to go"); err != nil {
		t.Fatal(err)
	}
	v.everywhere(func(ctx context.Context, n *node) error {
		err := n.commented(ctx, top)
		if err != nil {
			t.Error(err)
		}
		return err
	})
	b.shows(s, articlePath(top), "I have to go", true)
}

// A failed write leaves nothing half done.
func TestAWriteThatFailsIsUndone(t *testing.T) {
	every(t, func(t *testing.T, db string) {
		st := newStore(t, options{db: db})
		top := newestID(t, st)
		before, err := st.article(t.Context(), top)
		if err != nil {
			t.Fatal(err)
		}
		broken := errors.New("broken")
		err = st.write(t.Context(), func(tx *sql.Tx) error {
			if _, err := st.exec(t.Context(), tx, `UPDATE NewsArticles SET title = 'x', version = version + 1 WHERE article_id = ?`, top); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if err := st.addComment(t.Context(), top, 999_999, 40, "an answer to nothing"); !errors.Is(err, errNoRow) {
			t.Error(err)
		}
		after, err := st.article(t.Context(), top)
		if err != nil || after != before {
			t.Errorf("%+v, %v", after, err)
		}
		counted, err := st.discussed(t.Context(), someArticles)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range counted {
			if all, err := st.comments(t.Context(), h.ID); err != nil || len(all) != h.Comments {
				t.Errorf("article %d has %d comments and counts %d (%v)", h.ID, len(all), h.Comments, err)
			}
		}
	})
}
