package cache

import (
	"context"
	"time"
)

// A Tier is a cache of bytes that several processes share, such as the
// memcached servers of package cache/memcached. All methods are safe for
// concurrent use and honour their context.
//
// A tier hands out leases, so that one process in the cluster fills a missing
// key and a fill that was overtaken by an invalidation is refused
// (Nishtala et al., Scaling Memcache at Facebook, NSDI 2013, section 3.2.1).
//
// Package cachetest checks an implementation with TestTier.
type Tier interface {
	// Get answers every key, in the order of keys. The slice is as long as
	// keys even when err is not nil: then the Items of the keys that could not
	// be asked are zero, and err says what failed for which server.
	Get(ctx context.Context, keys []string, want Want) ([]Item, error)

	// Fill stores what was loaded under a lease that Get granted, and ends the
	// lease. stored is false when the lease no longer stands, because the key
	// was invalidated, written or taken over since; that is no error. A zero
	// Entry ends the lease without storing anything, so that others need not
	// wait for its end.
	Fill(ctx context.Context, key string, lease Lease, e Entry) (stored bool, err error)

	// Fence begins a write: it removes key and voids its leases, and for as long
	// as hold (rounded up to whole seconds) Get grants no lease on it, so that
	// no load is stored while the source is being written. The lease that it
	// returns is for the Put that ends the write. Fences of several writers may
	// overlap: the key stays fenced until the last of them ends.
	Fence(ctx context.Context, key string, hold time.Duration) (Lease, error)

	// Put stores what the source holds now, voids every lease on key, and ends
	// the write that laid fence. The zero Lease says that the caller laid none.
	// Nothing older than e is ever left behind, whether e is stored or not.
	//
	// With a fence, e is stored only if the order is certain: the fence still
	// stands, no other write is in progress, nothing invalidated the key since
	// it was laid, and no write that overlapped brought a version at least as
	// new, or had none. A write that finds others in progress leaves them their
	// fence, and its version as the least that they must exceed.
	//
	// Without a fence, e is stored unless a write is in progress, which learns
	// of its version all the same, or something with a version at least as new
	// is held or is remembered from before an invalidation. Without versions
	// the last Put wins. An entry with tags is stored only under a fence: only
	// then is it known which invalidations of its tags came later.
	Put(ctx context.Context, key string, fence Lease, e Entry) (stored bool, err error)

	// Invalidate removes keys and voids their leases. A write in progress stays
	// fenced, and learns that what it brings may be out of date. When hold is
	// positive, for that long (rounded up to whole seconds) Get grants no lease
	// on them, so that only Put can bring a value.
	Invalidate(ctx context.Context, keys []string, hold time.Duration) error
}

// A TagTier is a [Tier] that can void all entries of a tag at once. Entries
// with tags are kept only in tiers that can.
type TagTier interface {
	// InvalidateTags voids every entry that was loaded before the call and
	// carries one of tags.
	InvalidateTags(ctx context.Context, tags []string) error
}

// A PurgeTier is a [Tier] that can forget everything at once.
type PurgeTier interface {
	// Purge voids all entries and leases.
	Purge(ctx context.Context) error
}

// Want says what the caller of [Tier.Get] means to do about a key that is not
// held. The zero value only looks.
type Want struct {
	// Lease asks for the right to fill, for at most this long, rounded up to
	// whole seconds.
	Lease time.Duration
	// Refresh asks for the lease although a value is held: the caller means to
	// replace an ageing value while others go on using it.
	Refresh bool
	// Tagged prepares the lease for an entry with tags. A Fill with tags under
	// a lease that was not prepared stores nothing.
	Tagged bool
}

// A Lease is the right to fill one key, or to end the write that fenced it. The
// zero Lease is none.
type Lease struct {
	// Token is unique to this grant; zero is no lease.
	Token uint64
	// Clock is the tier's tag clock when the lease was granted; zero when it
	// was not prepared for tags, as a fence always is. Only the tier reads it.
	Clock uint64
}

// Item is a tier's answer for one key.
type Item struct {
	// Found says that Entry is held and may be used.
	Found bool
	Entry Entry
	// Lease is set when the caller won the right to fill the key.
	Lease Lease
	// Busy says that another process holds the lease: ask again soon. An item
	// that is neither found, leased nor busy is to be loaded and not stored.
	Busy bool
}

// Entry is one value with what the cluster must know about it.
type Entry struct {
	// Value is the encoded value. Callers must not change it.
	Value []byte
	// Absent says that the source has no such key; Value is empty.
	Absent bool
	// Version orders the states of one key; zero is unknown.
	Version uint64
	// Loaded is when the value was read from the source, by the clock of the
	// process that read it.
	Loaded time.Time
	// TTL is how long after Loaded the value is fresh.
	TTL time.Duration
	// Keep is how long after TTL the tier should still hold the value, for use
	// while it is being refreshed or when the source fails.
	Keep time.Duration
	// Tags name the groups that the value belongs to.
	Tags []string
}

// zero reports whether e is the zero Entry, which ends a lease.
func (e Entry) zero() bool { return e.Loaded.IsZero() }
