package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cookiecache"
)

// tier is how often one tier had what it was asked for.
type tier struct {
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
}

// stats is what /stats.json answers: counters since the start.
type stats struct {
	Requests  int64                  `json:"requests"`   // of every kind
	PageViews int64                  `json:"page_views"` // pages shown, errors included
	Queries   int64                  `json:"db_queries"` // statements sent to the database
	PerPage   float64                `json:"db_queries_per_page"`
	Uptime    float64                `json:"uptime_seconds"`
	Nodes     int                    `json:"nodes"`
	Caching   bool                   `json:"caching"`
	Replicas  []replicaStats         `json:"replicas,omitempty"`
	Tiers     map[string]tier        `json:"tiers"`
	Caches    map[string]cache.Stats `json:"caches"` // summed over the nodes

	Cookies map[string]cookiecache.Stats `json:"cookies"`
}

func (s *site) stats() stats {
	cookie := s.visitors.navigation.Stats()
	out := stats{
		Requests: s.requests.Load(), PageViews: s.views.Load(), Queries: s.st.queries.Load(),
		Uptime: time.Since(s.started).Seconds(), Nodes: len(s.nodes), Caching: !s.caching.off,
		Tiers:  map[string]tier{"cookie": {Hits: cookie.Hits, Misses: cookie.Misses()}},
		Caches: make(map[string]cache.Stats), Replicas: s.st.replicaStats(),

		Cookies: map[string]cookiecache.Stats{"identity": s.visitors.identity.Stats(), "navigation": cookie},
	}
	if out.PageViews > 0 {
		out.PerPage = float64(out.Queries) / float64(out.PageViews)
	}
	for _, n := range s.nodes {
		for name, one := range map[string]cache.Stats{
			"articles": n.articles.Stats(), "comments": n.comments.Stats(),
			"headlines": n.headlines.Stats(), "navigation": n.navigation.Stats(),
		} {
			out.Caches[name] = out.Caches[name].Add(one)
		}
	}
	var all cache.Stats
	for _, one := range out.Caches {
		all = all.Add(one)
	}
	out.Tiers["local"] = tier{Hits: all.Hits + all.Stale + all.Negative, Misses: all.Misses + all.Coalesced}
	if s.caching.shared != nil {
		out.Tiers["memcached"] = tier{Hits: all.SharedHits, Misses: all.SharedMisses}
	}
	return out
}

func (s *site) serveStats(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(s.stats()) // the reader may have left
}
