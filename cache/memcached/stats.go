package memcached

import "sync/atomic"

// Stats is what a Tier has counted since New.
type Stats struct {
	Servers []ServerStats // in the order of Config.Servers
}

// ServerStats is what one client has counted about one server.
type ServerStats struct {
	Name, Addr string
	Ejected    bool // not in use at present

	Gets      int64 // keys asked for by callers
	Hits      int64 // of these, found
	Misses    int64 // of these, not found; the rest are errors
	Batches   int64 // requests in which single Gets travelled together
	Leases    int64 // leases granted to this client
	Busy      int64 // answers that another holds the lease
	Fills     int64 // values stored under a lease
	Refused   int64 // fills refused because the lease no longer stood
	Puts      int64 // values stored by Put
	TooLarge  int64 // values not stored because of their size
	Errors    int64 // calls without a proper answer
	Timeouts  int64 // of these, without an answer in time
	Retries   int64 // calls done again since the server had closed the connection
	Ejections int64
	Purges    int64 // flush_all, by Purge or before the server was taken back
	Conns     int64 // connections, in use or idle
}

type counters struct {
	gets, hits, misses, batches    atomic.Int64
	leases, busy                   atomic.Int64
	fills, refused, puts, tooLarge atomic.Int64
	errors, timeouts, retries      atomic.Int64
	ejections, purges, conns       atomic.Int64
}

// Trace has functions that a Tier calls when something happens; nil ones are
// not called. They run in goroutines of their own, which Close waits for: they
// may block, but must not call Close.
type Trace struct {
	// Ejected is called when a server is no longer used, with the reason.
	Ejected func(server string, err error)
	// Returned is called when an ejected server was purged and is used again.
	Returned func(server string)
}

// Stats returns the counters and the present state of all servers.
func (t *Tier) Stats() Stats {
	var st Stats
	for _, s := range t.members.Load().servers {
		c := &s.stats
		s.mu.Lock()
		out := s.health.out
		s.mu.Unlock()
		st.Servers = append(st.Servers, ServerStats{
			Name: s.Name, Addr: s.Addr, Ejected: out,
			Gets: c.gets.Load(), Hits: c.hits.Load(), Misses: c.misses.Load(), Batches: c.batches.Load(),
			Leases: c.leases.Load(), Busy: c.busy.Load(),
			Fills: c.fills.Load(), Refused: c.refused.Load(), Puts: c.puts.Load(), TooLarge: c.tooLarge.Load(),
			Errors: c.errors.Load(), Timeouts: c.timeouts.Load(), Retries: c.retries.Load(),
			Ejections: c.ejections.Load(), Purges: c.purges.Load(), Conns: c.conns.Load(),
		})
	}
	return st
}
