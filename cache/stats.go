package cache

import "sync/atomic"

// Stats are a cache's counters since New. Every Get, and every key of a
// GetMany, is counted once in Hits, Stale, Negative, Misses, Coalesced or
// Bypassed.
type Stats struct {
	Hits      int64 // answered by a fresh value of the local tier
	Stale     int64 // answered by a value past its TTL, at once or after a failed load
	Negative  int64 // answered by a remembered absence in the local tier
	Misses    int64 // went to the shared tier or the source
	Coalesced int64 // waited for a load that another caller had started
	Bypassed  int64 // went to the source because of Config.Bypass

	Loads      int64 // keys asked from the source
	LoadErrors int64 // of these, keys that failed; an absence is no failure
	Refreshes  int64 // loads begun in the background
	Overtaken  int64 // loads not stored, because the key was invalidated or written meanwhile

	SharedHits   int64 // keys that the shared tier held
	SharedMisses int64 // keys that it did not hold
	SharedWaits  int64 // keys that waited for another process to load them
	SharedErrors int64 // failed calls of the shared tier or its codec

	Puts        int64 // values stored by Put and WriteThru
	PutsRefused int64 // values not stored because something newer was known
	Invalidated int64 // keys and tags invalidated, and purges
	Evicted     int64 // entries removed to stay within the bound

	Entries int64 // entries now in the local tier, about; used up ones included
}

// Add returns the sums of two caches' counters, such as those of several nodes.
func (s Stats) Add(o Stats) Stats {
	return Stats{
		Hits: s.Hits + o.Hits, Stale: s.Stale + o.Stale, Negative: s.Negative + o.Negative,
		Misses: s.Misses + o.Misses, Coalesced: s.Coalesced + o.Coalesced, Bypassed: s.Bypassed + o.Bypassed,

		Loads: s.Loads + o.Loads, LoadErrors: s.LoadErrors + o.LoadErrors,
		Refreshes: s.Refreshes + o.Refreshes, Overtaken: s.Overtaken + o.Overtaken,

		SharedHits: s.SharedHits + o.SharedHits, SharedMisses: s.SharedMisses + o.SharedMisses,
		SharedWaits: s.SharedWaits + o.SharedWaits, SharedErrors: s.SharedErrors + o.SharedErrors,

		Puts: s.Puts + o.Puts, PutsRefused: s.PutsRefused + o.PutsRefused,
		Invalidated: s.Invalidated + o.Invalidated, Evicted: s.Evicted + o.Evicted,

		Entries: s.Entries + o.Entries,
	}
}

// counts are the counters behind Stats.
type counts struct {
	hits                                              counter
	stale, negative, misses, coalesced, bypassed      atomic.Int64
	loads, loadErrors, refreshes, overtaken           atomic.Int64
	sharedHits, sharedMisses, sharedWaits, tierErrors atomic.Int64
	puts, putsRefused, invalidated, evicted           atomic.Int64
}

// Stats returns the counters. It is safe for concurrent use; counters read at
// the same time may differ by what happens meanwhile.
func (c *LookAside[K, V]) Stats() Stats {
	n := &c.counts
	return Stats{
		Hits:         n.hits.sum(),
		Stale:        n.stale.Load(),
		Negative:     n.negative.Load(),
		Misses:       n.misses.Load(),
		Coalesced:    n.coalesced.Load(),
		Bypassed:     n.bypassed.Load(),
		Loads:        n.loads.Load(),
		LoadErrors:   n.loadErrors.Load(),
		Refreshes:    n.refreshes.Load(),
		Overtaken:    n.overtaken.Load(),
		SharedHits:   n.sharedHits.Load(),
		SharedMisses: n.sharedMisses.Load(),
		SharedWaits:  n.sharedWaits.Load(),
		SharedErrors: n.tierErrors.Load(),
		Puts:         n.puts.Load(),
		PutsRefused:  n.putsRefused.Load(),
		Invalidated:  n.invalidated.Load(),
		Evicted:      n.evicted.Load(),
		Entries:      int64(c.local.EstimatedSize()),
	}
}
