package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// setups runs a test on one web node and on three, with a memcached and without.
func setups(t *testing.T, test func(t *testing.T, s *site)) {
	for _, nodes := range []int{1, 3} {
		for _, shared := range []bool{false, true} {
			name := fmt.Sprintf("%d nodes", nodes)
			var how caching
			if shared {
				name += " and memcached"
			}
			t.Run(name, func(t *testing.T) {
				if shared {
					how.shared, _ = newTier(t)
				}
				test(t, newPaper(t, newStore(t, options{}), nodes, how))
			})
		}
	}
}

// everyNode loads a page once from each node, and returns the pages and the
// sum of their queries.
func (b *browser) everyNode(s *site, path string) (pages []answer, queries int) {
	b.t.Helper()
	for range s.nodes {
		a := b.get(path)
		pages = append(pages, a)
		queries += a.queries
	}
	return pages, queries
}

// shows loads a page from each node, on which text must be or not be.
func (b *browser) shows(s *site, path, text string, want bool) {
	b.t.Helper()
	pages, _ := b.everyNode(s, path)
	for i, a := range pages {
		if a.status != http.StatusOK || strings.Contains(a.html, text) != want {
			b.t.Errorf("%s, load %d: status %d, %q on it: %v", path, i, a.status, text, !want)
		}
	}
}

// idle loads pages from each node, which must cost no query at all.
func (b *browser) idle(s *site, when string, paths ...string) {
	b.t.Helper()
	for _, path := range paths {
		if _, n := b.everyNode(s, path); n != 0 {
			b.t.Errorf("%s: %s costs %d queries", when, path, n)
		}
	}
}

// excerpt returns the newest article, one of another section, and pages of
// which none shows the newest or a list that it could move to.
func excerpt(t *testing.T, s *site) (top, other article, unrelated []string) {
	t.Helper()
	ctx := t.Context()
	top, err := s.st.article(ctx, newestID(t, s.st))
	if err != nil {
		t.Fatal(err)
	}
	for id := top.ID - 1; other.ID == 0; id-- {
		if a, err := s.st.article(ctx, id); err != nil {
			t.Fatal(err)
		} else if a.Section != top.Section {
			other = a
		}
	}
	for _, x := range sections {
		if x.Key != top.Section && x.Key != other.Section {
			unrelated = append(unrelated, "/news/page/"+x.Key)
		}
	}
	return top, other, append(unrelated, articlePath(other.ID))
}

func TestACommentIsOnTheNextLoadAndCostsNoOtherPageAQuery(t *testing.T) {
	setups(t, func(t *testing.T, s *site) {
		top, _, unrelated := excerpt(t, s)
		path := articlePath(top.ID)
		reader, visitor := newBrowser(t, s), newBrowser(t, s)
		reader.logIn(40)
		others := append(unrelated, "/news/page/"+top.Section)
		for _, p := range append(others, "/", path) {
			visitor.everyNode(s, p)
		}
		visitor.idle(s, "warm", append(others, "/", path)...)
		for i := range 3 {
			text := fmt.Sprintf("What a story, part %d.", i)
			if a := reader.post("/comment", "article", fmt.Sprint(top.ID), "body", text); !strings.Contains(a.html, text) {
				t.Fatalf("not on the page after it was sent: status %d at %s", a.status, a.url)
			}
			visitor.shows(s, path, text, true)
			visitor.idle(s, "after a comment", others...)
			// One query per node and list at most: the list of the most discussed.
			if _, n := visitor.everyNode(s, "/"); n > len(s.nodes) {
				t.Errorf("the front page costs %d queries", n)
			}
			visitor.idle(s, "once loaded", "/", path)
		}
	})
}

func TestTheMostDiscussedAreCountedAnewWithEachComment(t *testing.T) {
	setups(t, func(t *testing.T, s *site) {
		most, err := s.st.discussed(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		reader, visitor := newBrowser(t, s), newBrowser(t, s)
		reader.logIn(40)
		for n := range 3 {
			visitor.shows(s, "/", fmt.Sprintf("%d comments</a>", most[0].Comments+n), true)
			reader.post("/comment", "article", fmt.Sprint(most[0].ID), "body", "Indeed.")
		}
	})
}

func TestAnswersToCommentsAreUnderThem(t *testing.T) {
	s := newPaper(t, newStore(t, options{}), 1, caching{})
	path := articlePath(newestID(t, s.st))
	id := strings.TrimSuffix(strings.TrimPrefix(path, "/news/article/"), ".html")
	b := newBrowser(t, s)
	b.logIn(40)
	b.post("/comment", "article", id, "body", "The first word")
	b.post("/comment", "article", id, "body", "The last word")
	comments, err := s.st.comments(t.Context(), newestID(t, s.st))
	if err != nil {
		t.Fatal(err)
	}
	first := comments[slices.IndexFunc(comments, func(c comment) bool { return c.Body == "The first word" })]
	if a := b.page(fmt.Sprintf("%s?reply=%d", path, first.ID)); !strings.Contains(a.html, "Your answer to "+first.Author) {
		t.Error("the form does not say whom it answers")
	}
	a := b.post("/comment", "article", id, "parent", fmt.Sprint(first.ID), "body", "An answer")
	one, two, three := strings.Index(a.html, "The first word"), strings.Index(a.html, "An answer"), strings.Index(a.html, "The last word")
	if one < 0 || one > two || two > three {
		t.Errorf("in the order %d, %d, %d", one, two, three)
	}
	if !strings.Contains(a.html, `<article class="comment depth1"`) {
		t.Error("the answer is not indented")
	}
}

func TestAnEditIsOnTheNextLoadOfEveryPageThatShowsIt(t *testing.T) {
	setups(t, func(t *testing.T, s *site) {
		top, other, unrelated := excerpt(t, s)
		editor, visitor := newBrowser(t, s), newBrowser(t, s)
		editor.logIn(1)
		path, from, to := articlePath(top.ID), "/news/page/"+top.Section, "/news/page/"+other.Section
		for _, p := range append(unrelated, "/", path, from, to) {
			visitor.everyNode(s, p)
		}
		save := func(title, section string) {
			t.Helper()
			a := editor.post("/admin/save", "id", fmt.Sprint(top.ID), "section", section, "title", title, "lead", "So it is.", "body", "One.\r\n\r\nTwo.")
			if a.status != http.StatusOK || !strings.Contains(a.html, title) {
				t.Fatalf("status %d at %s", a.status, a.url)
			}
		}
		save("The first change", top.Section)
		for _, p := range []string{"/", path, from} {
			visitor.shows(s, p, "The first change", true)
		}
		visitor.idle(s, "after an edit", append(unrelated, to)...)
		save("The second change", other.Section) // and it moves
		for _, p := range []string{"/", path, to} {
			visitor.shows(s, p, "The second change", true)
		}
		visitor.shows(s, from, "The first change", false)
		visitor.shows(s, from, "The second change", false)
		visitor.idle(s, "after a move", unrelated...)
	})
}

func TestAnArticleIsThereAsSoonAsPublishedAndGoneAsSoonAsTakenBack(t *testing.T) {
	setups(t, func(t *testing.T, s *site) {
		top, _, unrelated := excerpt(t, s)
		editor, visitor := newBrowser(t, s), newBrowser(t, s)
		editor.logIn(1)
		next := articlePath(top.ID + 1)
		lists := []string{"/", "/news/page/" + top.Section}
		for _, p := range append(unrelated, lists...) {
			visitor.everyNode(s, p)
		}
		// Readers who guess the address are told so, at the cost of one query.
		visitor.everyNode(s, next)
		if pages, n := visitor.everyNode(s, next); n != 0 || pages[0].status != http.StatusNotFound {
			t.Errorf("not there yet: status %d, %d queries", pages[0].status, n)
		}
		a := editor.post("/admin/save", "section", top.Section, "title", "Extra, extra", "lead", "News.", "body", "It happened.")
		if a.url != next {
			t.Fatalf("the new article is at %s", a.url)
		}
		for _, p := range append(lists, next) {
			visitor.shows(s, p, "Extra, extra", true)
		}
		visitor.idle(s, "after publishing", unrelated...)

		set := func(live string) {
			t.Helper()
			if a := editor.post("/admin/publish", "id", fmt.Sprint(top.ID+1), "live", live); a.status != http.StatusOK || a.url != "/admin/" {
				t.Fatalf("status %d at %s", a.status, a.url)
			}
		}
		set("0")
		pages, _ := visitor.everyNode(s, next)
		for _, a := range pages {
			if a.status != http.StatusNotFound || strings.Contains(a.html, "Extra") {
				t.Errorf("taken back: status %d", a.status)
			}
		}
		for _, p := range lists {
			visitor.shows(s, p, "Extra, extra", false)
		}
		set("1")
		for _, p := range append(lists, next) {
			visitor.shows(s, p, "Extra, extra", true)
		}
		visitor.idle(s, "in the end", unrelated...)
	})
}

func TestAChangedNavigationIsOnTheNextLoadAndInTheCookieOnly(t *testing.T) {
	setups(t, func(t *testing.T, s *site) {
		reader := newBrowser(t, s)
		reader.logIn(50)
		a := reader.post("/prefs", "show", "weather", "show", "sports", "pos-weather", "1", "pos-sports", "2")
		if !strings.Contains(a.html, "Saved.") {
			t.Fatalf("status %d at %s", a.status, a.url)
		}
		for range s.nodes {
			a := reader.page("/")
			if a.from["navigation"] != "cookie" {
				t.Errorf("navigation from the %s", a.from["navigation"])
			}
			if got := navigation(a.html); !slices.Equal(got, []string{"/", "/news/page/weather", "/news/page/sports"}) {
				t.Errorf("navigation %v", got)
			}
		}
		// The same user in another browser, and another user in this one.
		second := newBrowser(t, s)
		second.logIn(50)
		if got := navigation(second.page("/").html); len(got) != 3 {
			t.Errorf("in another browser: %v", got)
		}
		want, err := s.st.prefs(t.Context(), 51)
		if err != nil {
			t.Fatal(err)
		}
		reader.logIn(51)
		if got := navigation(reader.page("/").html); len(got) != 1+len(want.Sections) {
			t.Errorf("another user: %v, want %v", got, want)
		}
		reader.post("/logout")
		if a := reader.page("/"); len(navigation(a.html)) != 1+len(sections) || a.from["navigation"] != "defaults" {
			t.Errorf("logged out: %v from %v", navigation(a.html), a.from)
		}
	})
}

// navigation returns where the links of the left navigation lead.
func navigation(html string) (paths []string) {
	_, html, _ = strings.Cut(html, `<nav class="sections"`)
	html, _, _ = strings.Cut(html, "</nav>")
	for _, part := range strings.Split(html, `<a href="`)[1:] {
		path, _, _ := strings.Cut(part, `"`)
		paths = append(paths, path)
	}
	return paths
}

// Two processes share a database and a memcached: what one changes, the other
// shows once its own copies are older than localKeep.
func TestAnotherProcessShowsAChangeWithinLocalKeep(t *testing.T) {
	st := newStore(t, options{})
	tier, server := newTier(t)
	here, there := newPaper(t, st, 1, caching{shared: tier}), newPaper(t, st, 1, caching{shared: connect(t, server)})
	path := articlePath(newestID(t, st))
	reader, visitor := newBrowser(t, here), newBrowser(t, there)
	reader.logIn(40)
	visitor.page(path)
	visitor.page("/")
	reader.post("/comment", "article", fmt.Sprint(newestID(t, st)), "body", "Did you hear?")
	time.Sleep(localKeep + 50*time.Millisecond)
	if a := visitor.page(path); !strings.Contains(a.html, "Did you hear?") || a.from["comments"] != "memcached" {
		t.Errorf("the comments come from %s", a.from["comments"])
	}
}

func TestTheFooterTellsWhereEachPartCameFrom(t *testing.T) {
	tier, _ := newTier(t)
	s := newPaper(t, newStore(t, options{}), 2, caching{shared: tier})
	path := articlePath(newestID(t, s.st))
	visitor := newBrowser(t, s)
	for i, want := range []map[string]string{
		{"navigation": "defaults", "article": "database", "comments": "database"},
		{"navigation": "defaults", "article": "memcached", "comments": "memcached"}, // the other node
		{"navigation": "defaults", "article": "local cache", "comments": "local cache"},
	} {
		a := visitor.page(path)
		if !maps.Equal(a.from, want) {
			t.Errorf("load %d: %v, want %v", i, a.from, want)
		}
		if wantQueries := map[int]int{0: 2}[i]; a.queries != wantQueries {
			t.Errorf("load %d: %d queries, want %d", i, a.queries, wantQueries)
		}
	}
}
