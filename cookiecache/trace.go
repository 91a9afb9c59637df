package cookiecache

import (
	"context"
	"sync/atomic"
)

// Trace is told what happens to cookies. Its functions are called by the
// request's goroutine, concurrently for concurrent requests, so they should be
// quick; they may call anything except the writer of the response. A nil function is not
// called. No argument ever holds a value, a key or the bytes of a cookie.
type Trace struct {
	// Hit is called for each cookie that was used.
	Hit func(ctx context.Context, name string, m Meta)
	// Miss is called for each that was not; cause is one of the Err values that
	// are also ErrMiss.
	Miss func(ctx context.Context, name string, cause error)
	// Set is called when a cookie has been put into a response's header.
	Set func(ctx context.Context, name string, m Meta, renewed bool)
	// Failed is called when a cookie could not be set and the caller is not
	// told, since the page goes on without: by Load and by the middleware.
	Failed func(ctx context.Context, name string, err error)
}

// Stats counts what happened to a cookie's values since New.
type Stats struct {
	Hits       int64 // used
	Absent     int64 // misses by cause, as the errors of the same names
	Tampered   int64
	UnknownKey int64
	Incomplete int64
	Future     int64
	Expired    int64
	Idle       int64
	Epoch      int64
	Revoked    int64
	Schema     int64

	Sets     int64 // put into a response by Set or Load
	Renewals int64 // put into a response again, with a new time
	Failures int64 // not put into a response: too large, header written, no key
}

// Misses is the sum of all causes.
func (s Stats) Misses() int64 {
	return s.Absent + s.Tampered + s.UnknownKey + s.Incomplete + s.Future + s.Expired + s.Idle + s.Epoch + s.Revoked + s.Schema
}

// counters are the Stats that grow; misses are by weight of the cause.
type counters struct {
	hits, sets, renewals, failures atomic.Int64
	misses                         [10]atomic.Int64
}

func (c *counters) stats() Stats {
	m := func(err error) int64 { return c.misses[causeOf(err).weight].Load() }
	return Stats{
		Hits:       c.hits.Load(),
		Absent:     m(ErrAbsent),
		Tampered:   m(ErrTampered),
		UnknownKey: m(ErrUnknownKey),
		Incomplete: m(ErrIncomplete),
		Future:     m(ErrFuture),
		Expired:    m(ErrExpired),
		Idle:       m(ErrIdle),
		Epoch:      m(ErrEpoch),
		Revoked:    m(ErrRevoked),
		Schema:     m(ErrSchema),
		Sets:       c.sets.Load(),
		Renewals:   c.renewals.Load(),
		Failures:   c.failures.Load(),
	}
}

func (c *core) hit(ctx context.Context, m Meta) {
	c.count.hits.Add(1)
	if c.trace.Hit != nil {
		c.trace.Hit(ctx, c.name, m)
	}
}

func (c *core) miss(ctx context.Context, err error) {
	if cause := causeOf(err); cause != nil {
		c.count.misses[cause.weight].Add(1)
	}
	if c.trace.Miss != nil {
		c.trace.Miss(ctx, c.name, err)
	}
}

func (c *core) wrote(ctx context.Context, m Meta, renewed bool) {
	if renewed {
		c.count.renewals.Add(1)
	} else {
		c.count.sets.Add(1)
	}
	if c.trace.Set != nil {
		c.trace.Set(ctx, c.name, m, renewed)
	}
}

func (c *core) failed(ctx context.Context, err error) {
	if c.trace.Failed != nil {
		c.trace.Failed(ctx, c.name, err)
	}
}
