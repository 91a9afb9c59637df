package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// All caching of the site is in this file: what is kept, for how long, and
// what an edit or a comment makes the caches forget.

// node is one web server of the site with caches of its own.
type node struct {
	id         int
	st         *store
	articles   *cache.LookAside[int64, article]
	comments   *cache.LookAside[int64, []comment]
	headlines  *cache.LookAside[list, []headline]
	navigation *cache.LookAside[int, prefs]
}

// list names a list of headlines: of a section, of all for "", or of the most
// discussed.
type list struct {
	Section   string
	Page      int // from 0
	Discussed bool
}

const (
	frontSize     = 120 // headlines from which the front page is made
	pageSize      = 20  // headlines on a page of a section
	discussedSize = 8
)

// caching is how all caches of the site are set up.
type caching struct {
	off      bool
	noCookie bool       // the navigation is not kept in a cookie
	shared   cache.Tier // nil without -memcached
	replicas bool       // reads may come from copies of the database
}

// An article is published once and edited seldom; who changes it tells the
// caches, so they may keep it for long.
const keep = time.Hour

// localKeep is how long a process may serve its own copy without asking
// memcached: how late it sees what another process of the site changed.
const localKeep = time.Second

func newNode(id int, st *store, how caching) (*node, error) {
	n := &node{id: id, st: st}
	var errs [4]error
	n.articles, errs[0] = newCache(how, "article", nil, func(ctx context.Context, id int64) (cache.Loaded[article], error) {
		a, err := st.article(ctx, id)
		if err == nil && !a.Live {
			err = errNoRow
		}
		return cache.Loaded[article]{Value: a, Version: a.Version}, err
	})
	n.comments, errs[1] = newCache(how, "comments", nil, func(ctx context.Context, id int64) (cache.Loaded[[]comment], error) {
		c, err := st.comments(ctx, id)
		return cache.Loaded[[]comment]{Value: c}, err
	})
	n.headlines, errs[2] = newCache(how, "headlines",
		func(l list) string { return fmt.Sprint(l.Section, "/", l.Page, "/", l.Discussed) },
		func(ctx context.Context, l list) (cache.Loaded[[]headline], error) {
			// A new article moves all pages of its section, so they have a tag.
			h, err := n.loadHeadlines(ctx, l)
			return cache.Loaded[[]headline]{Value: h, Tags: []string{l.Section}}, err
		})
	n.navigation, errs[3] = newCache(how, "navigation", nil, func(ctx context.Context, userID int) (cache.Loaded[prefs], error) {
		p, err := st.prefs(ctx, userID)
		return cache.Loaded[prefs]{Value: p}, err
	})
	return n, errors.Join(errs[:]...)
}

// newCache makes a cache of one kind of thing.
func newCache[K comparable, V any](how caching, name string, key func(K) string,
	load func(context.Context, K) (cache.Loaded[V], error)) (*cache.LookAside[K, V], error) {
	cfg := cache.Config[K, V]{
		Load: func(ctx context.Context, k K) (cache.Loaded[V], error) {
			l, err := load(ctx, k)
			if errors.Is(err, errNoRow) {
				err = cache.ErrNotFound // remembered too: a bad link costs one query
			}
			return l, err
		},
		TTL:                  keep,
		NegativeTTL:          10 * time.Second,
		StaleIfError:         24 * time.Hour, // yesterday's paper is better than none
		StaleWhileRevalidate: time.Minute,
	}
	if how.off {
		cfg.Bypass = func() bool { return true }
	}
	if how.replicas && how.shared != nil {
		cfg.Settle = settle
	}
	if how.shared != nil {
		cfg.Shared = &cache.Shared[K, V]{Tier: how.shared, Namespace: name, Key: key, LocalTTL: localKeep}
	}
	return cache.New(cfg)
}

func (n *node) loadHeadlines(ctx context.Context, l list) ([]headline, error) {
	switch {
	case l.Discussed:
		return n.st.discussed(ctx, discussedSize)
	case l.Section == "":
		return n.st.latest(ctx, "", frontSize, 0)
	}
	// One more than fits says that there is a next page.
	return n.st.latest(ctx, l.Section, pageSize+1, l.Page*pageSize)
}

// ask asks a cache and says for the page's footer where the answer came from.
func ask[K comparable, V any](ctx context.Context, c *cache.LookAside[K, V], k K, name string) (V, part, error) {
	v, info, err := c.Lookup(ctx, k)
	from := map[cache.Origin]string{
		cache.FromLocal: "local cache", cache.FromShared: "memcached", cache.FromSource: "database",
	}[info.From]
	return v, part{Name: name, From: from, Age: info.Age}, err
}

// articleChanged makes the node forget what shows an article that was edited,
// published or taken back: the article, the lists of its section (of both, if
// it moved), the front page and the list of the most discussed.
func (n *node) articleChanged(ctx context.Context, id int64, sections ...string) error {
	return errors.Join(
		n.articles.Invalidate(ctx, id),
		// The tag "" is that of the lists over all sections.
		n.headlines.InvalidateTag(ctx, append(sections, "")...))
}

// commented makes the node forget what shows an article's comments.
func (n *node) commented(ctx context.Context, articleID int64) error {
	return errors.Join(
		n.comments.Invalidate(ctx, articleID),
		n.headlines.Invalidate(ctx, list{Discussed: true}))
}

// navigationChanged makes the node forget a user's navigation; the cookie is
// replaced by whoever changed it.
func (n *node) navigationChanged(ctx context.Context, userID int) error {
	return n.navigation.Invalidate(ctx, userID)
}
