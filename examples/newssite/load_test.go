package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
)

// traffic is visits as chapter 7 has them: five pages each, by readers and of
// articles of which a few are far more popular than the rest. One page in a
// hundred leads to a comment.
type traffic struct {
	rnd      *rand.Rand
	readers  popularity // of user numbers
	articles popularity
	sections popularity
}

const pagesPerVisit = 5

func newTraffic(seed uint64, readers, articles int) *traffic {
	rnd := rand.New(rand.NewPCG(seed, 1))
	return &traffic{rnd, newPopularity(rnd, readers, 0.8), newPopularity(rnd, articles, 0.8), newPopularity(rnd, len(sections), 0.8)}
}

// popularity draws from a Zipf distribution with an exponent that may be below
// one, as that of web pages is, unlike the one of math/rand.
type popularity struct {
	rnd *rand.Rand
	cdf []float64
}

func newPopularity(rnd *rand.Rand, n int, exponent float64) popularity {
	p := popularity{rnd, make([]float64, n)}
	sum := 0.0
	for i := range n {
		sum += math.Pow(float64(i+1), -exponent)
		p.cdf[i] = sum
	}
	return p
}

// draw returns a rank from 0.
func (p popularity) draw() int {
	i, _ := slices.BinarySearch(p.cdf, p.rnd.Float64()*p.cdf[len(p.cdf)-1])
	return min(i, len(p.cdf)-1)
}

// visit loads five pages and tells seen of each. The browser is logged in.
func (tr *traffic) visit(b *browser, articles int, comments bool, seen func(answer)) {
	for range pagesPerVisit {
		path := "/"
		id := articles - tr.articles.draw()
		switch n := tr.rnd.IntN(10); {
		case n < 7:
			path = articlePath(int64(id))
		case n < 9:
			path = "/news/page/" + sections[tr.sections.draw()].Key
		}
		seen(b.page(path))
		if comments && tr.rnd.IntN(100) == 0 {
			a := b.post("/comment", "article", fmt.Sprint(id), "body", "So it goes.")
			if a.status != http.StatusOK {
				b.t.Fatalf("comment: status %d", a.status)
			}
			seen(a)
		}
	}
}

// loggedIn returns a browser for each user number, logged in at an earlier time
// at another process of the site.
func loggedIn(t *testing.T, st *store, how caching, users []int) []*browser {
	t.Helper()
	earlier := newPaper(t, st, 1, how)
	out := make([]*browser, len(users))
	for i, u := range users {
		out[i] = newBrowser(t, earlier)
		out[i].logIn(u)
	}
	return out
}

// The book's first claim: look-aside caching alone takes at least 15 of 16
// queries off the database. Both sites serve the same visits, comments
// included, and every statement counts, those that write as well.
func TestLookAsideAloneSavesFifteenOfSixteenQueries(t *testing.T) {
	oneSecret(t)
	const visits, warmUp, readers, articles = 200, 300, 300, 300
	perPage := make(map[string]float64)
	for name, how := range map[string]caching{"off": {off: true}, "look-aside": {noCookie: true}} {
		st := newStore(t, options{articles: articles})
		everybody := make([]int, readers)
		for i := range everybody {
			everybody[i] = editorCount + 1 + i
		}
		browsers := loggedIn(t, st, caching{off: true}, everybody)
		s := newPaper(t, st, 1, how)
		for i := range browsers {
			browsers[i] = browsers[i].at(s)
		}
		tr := newTraffic(7, readers, articles)
		pages := 0
		run := func(visits int) {
			for range visits {
				tr.visit(browsers[tr.readers.draw()], articles, true, func(answer) { pages++ })
			}
		}
		if !how.off {
			run(warmUp)
		}
		pages = 0
		before := st.queries.Load()
		run(visits)
		perPage[name] = float64(st.queries.Load()-before) / float64(pages)
	}
	ratio := perPage["off"] / perPage["look-aside"]
	t.Logf("queries per page: %.3f without caches, %.3f with look-aside alone: %.1f times fewer",
		perPage["off"], perPage["look-aside"], ratio)
	if ratio < 15 {
		t.Errorf("%.1f times fewer queries, want 15", ratio)
	}
	if perPage["off"] < 2.5 {
		t.Errorf("%.2f queries per page without caches: there is nothing to save", perPage["off"])
	}
}

// The book's second claim: users come back after the servers have forgotten
// them, and see five pages. With memcached alone the first of the five asks the
// database how they want their navigation; with the cookie none does.
func TestTheNavigationNeedsNoQueryAfterLogIn(t *testing.T) {
	oneSecret(t)
	const articles, visits = someArticles, 200
	st := newStore(t, options{})
	users := make([]int, visits) // each comes once
	for i := range users {
		users[i] = editorCount + 1 + i
	}
	tier, _ := newTier(t)
	share := make(map[string]float64)
	for name, how := range map[string]caching{"memcached": {noCookie: true, shared: tier}, "cookie": {}} {
		browsers := loggedIn(t, st, caching{off: how.noCookie}, users)
		s := newPaper(t, st, 1, how)
		tr := newTraffic(11, visits, articles)
		pages, without := 0, 0
		for _, b := range browsers {
			tr.visit(b.at(s), articles, false, func(a answer) {
				pages++
				if a.from["navigation"] != "database" {
					without++
				}
			})
		}
		share[name] = float64(without) / float64(pages)
		if name == "cookie" && s.stats().Caches["navigation"].Loads != 0 {
			t.Errorf("the footer hides queries: %+v", s.stats().Caches["navigation"])
		}
	}
	t.Logf("page views whose navigation needed no query: %.2f %% with memcached alone, %.2f %% with the cookie",
		100*share["memcached"], 100*share["cookie"])
	if share["cookie"] < 0.999 {
		t.Errorf("with the cookie %.4f, want 0.999", share["cookie"])
	}
	if share["memcached"] < 0.75 || share["memcached"] > 0.85 {
		t.Errorf("with memcached alone %.4f, want about 0.80", share["memcached"])
	}
}
