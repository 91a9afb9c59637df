package cache

import (
	"context"
	"time"
)

// Trace is called as a cache works. Its functions are called concurrently, on
// the goroutine that does the work, so they should not take long and must not
// call the cache. A nil function is not called.
type Trace struct {
	// LoadStart is called before Load or LoadMany with the number of keys; the
	// context it returns is the load's, so that a tracing span fits.
	LoadStart func(ctx context.Context, keys int) context.Context
	// LoadEnd is called afterwards with LoadStart's context. err is what the
	// load returned; ErrNotFound is not an error.
	LoadEnd func(ctx context.Context, took time.Duration, err error)
	// TierError is called when the shared tier failed: op is the method of
	// Tier, or "decode" or "encode" for the codec. The cache goes on without.
	TierError func(op string, err error)
}

func (t *Trace) loadStart(ctx context.Context, keys int) context.Context {
	if t.LoadStart == nil {
		return ctx
	}
	return t.LoadStart(ctx, keys)
}

func (t *Trace) loadEnd(ctx context.Context, took time.Duration, err error) {
	if t.LoadEnd != nil {
		t.LoadEnd(ctx, took, err)
	}
}
