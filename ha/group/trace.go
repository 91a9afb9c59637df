package group

import "sync/atomic"

// Trace has functions that are called when something happens; nil ones are
// not. They are called on goroutines that carry messages, and must return
// quickly.
type Trace struct {
	View         func(View)           // the membership changed
	Gap          func(*GapError)      // messages are lost to a subscription of this member
	Connected    func(url string)     // to the server; again after each Disconnected
	Disconnected func(err error)      // from the server; err may be nil
	Forged       func(subject string) // a message was not signed with our secret
}

// Stats are counters since New.
type Stats struct {
	Published   int64 // messages
	Received    int64 // messages delivered to subscriptions, each once for each
	Repaired    int64 // of these, had from their publisher's history
	Duplicates  int64 // messages that came again, and were dropped
	Stale       int64 // messages of an earlier life of their sender, dropped
	Forged      int64 // frames that were not signed with our secret, dropped
	Gaps        int64 // times that messages were missing for good
	Lost        int64 // messages missing for good, where their number is known
	Views       int64 // changes of the membership
	Disconnects int64 // connections to the server that broke
	Members     int64 // now
}

type counters struct {
	published, received, repaired, duplicates, stale, forged, gaps, lost, views, disconnects atomic.Int64
}

// Stats returns the counters.
func (g *Group) Stats() Stats {
	c := &g.counts
	return Stats{
		Published:   c.published.Load(),
		Received:    c.received.Load(),
		Repaired:    c.repaired.Load(),
		Duplicates:  c.duplicates.Load(),
		Stale:       c.stale.Load(),
		Forged:      c.forged.Load(),
		Gaps:        c.gaps.Load(),
		Lost:        c.lost.Load(),
		Views:       c.views.Load(),
		Disconnects: c.disconnects.Load(),
		Members:     int64(len(g.View().Members)),
	}
}
