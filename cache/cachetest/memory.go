package cachetest

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// floorLife is how long an invalidated key remembers the version that it had,
// so that a late Put of an older one is still refused.
const floorLife = time.Minute

// Memory is a cache.Tier, cache.TagTier and cache.PurgeTier in the memory of
// one process. Several caches that share one Memory behave like several
// processes that share a cluster. All methods are safe for concurrent use.
type Memory struct {
	faults

	// MaxItems bounds the keys that are held, leases and fences included;
	// beyond it an arbitrary key is forgotten, as a full server does. Zero is
	// 65536. Set it before the first use.
	MaxItems int

	mu    sync.Mutex
	items map[string]*record // guarded by mu
	marks map[string]uint64  // guarded by mu; tag clock at the last invalidation of a tag
	clock uint64             // guarded by mu; tag clock
	token uint64             // guarded by mu; last lease or fence token
	lost  uint64             // guarded by mu; the mark of every tag that is not in marks
}

var (
	_ cache.Tier      = (*Memory)(nil)
	_ cache.TagTier   = (*Memory)(nil)
	_ cache.PurgeTier = (*Memory)(nil)
)

// NewMemory returns an empty tier without faults.
func NewMemory() *Memory { return new(Memory) }

// record is what is held for one key. Exactly one of its roles is in force:
// a value, a lease without a value, a fence or ban, or the mere memory of a
// version.
type record struct {
	held  bool // entry is a value
	entry cache.Entry
	clock uint64    // tag clock of entry
	floor uint64    // newest version known of the key
	end   time.Time // when the record is forgotten

	lease    uint64 // token of the lease that stands, or zero
	leaseEnd time.Time

	writers []uint64  // tokens of the writes in progress: a fence
	crossed bool      // writes overlapped: the last must be above floor
	spoiled bool      // something of unknown order came meanwhile: the last stores nothing
	ban     time.Time // until then no leases, writes or not
}

// fenced reports whether no lease may be granted.
func (r *record) fenced(now time.Time) bool { return len(r.writers) > 0 || now.Before(r.ban) }

// Get answers as cache.Tier says. Faults of "get" apply to the whole call.
func (m *Memory) Get(ctx context.Context, keys []string, want cache.Want) ([]cache.Item, error) {
	items := make([]cache.Item, len(keys))
	lose, skip, err := m.begin(ctx, "get")
	if err != nil || skip {
		return items, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, key := range keys {
		items[i] = m.get(key, want)
	}
	if lose != nil {
		clear(items)
	}
	return items, lose
}

func (m *Memory) get(key string, want cache.Want) cache.Item {
	now := time.Now()
	r := m.live(key, now)
	busy := r != nil && r.lease != 0 && now.Before(r.leaseEnd)
	grant := want.Lease > 0 && !busy
	var it cache.Item
	switch {
	case r != nil && r.fenced(now):
		return it
	case r != nil && r.held:
		it.Found, it.Entry = true, r.entry
		it.Entry.Tags = slices.Clone(r.entry.Tags)
		grant = grant && want.Refresh
	default:
		it.Busy = busy
	}
	if !grant {
		return it
	}
	if r == nil {
		r = m.put(key, &record{})
	}
	m.token++
	it.Lease = cache.Lease{Token: m.token}
	if want.Tagged {
		it.Lease.Clock = m.tagClock()
	}
	r.lease, r.leaseEnd = m.token, now.Add(wholeSeconds(want.Lease))
	if !r.held {
		r.end = r.leaseEnd
	}
	return it
}

// Fill answers as cache.Tier says.
func (m *Memory) Fill(ctx context.Context, key string, lease cache.Lease, e cache.Entry) (bool, error) {
	lose, skip, err := m.begin(ctx, "fill")
	if err != nil || skip {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	r := m.live(key, now)
	if r == nil || lease.Token == 0 || r.lease != lease.Token || r.fenced(now) {
		return false, lose
	}
	stored := !e.Loaded.IsZero() && endOf(e).After(now) &&
		(e.Version == 0 || e.Version >= r.floor) && m.tagsHold(e.Tags, lease.Clock)
	switch {
	case stored:
		m.store(key, e, lease.Clock, r.floor)
	case r.held:
		r.lease = 0
	default:
		m.void(key, r.floor, now)
	}
	return stored && lose == nil, lose
}

// Fence answers as cache.Tier says.
func (m *Memory) Fence(ctx context.Context, key string, hold time.Duration) (cache.Lease, error) {
	lose, skip, err := m.begin(ctx, "fence")
	if err != nil || skip {
		return cache.Lease{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	next := &record{end: now.Add(wholeSeconds(hold))}
	if r := m.live(key, now); r != nil {
		next.floor, next.ban = r.floor, r.ban
		next.writers, next.crossed, next.spoiled = r.writers, len(r.writers) > 0, r.spoiled
		if r.fenced(now) {
			next.end = later(next.end, r.end)
		}
	}
	m.token++
	next.writers = append(next.writers, m.token)
	m.put(key, next)
	if lose != nil {
		return cache.Lease{}, lose
	}
	return cache.Lease{Token: m.token, Clock: m.tagClock()}, nil
}

// Put answers as cache.Tier says.
func (m *Memory) Put(ctx context.Context, key string, fence cache.Lease, e cache.Entry) (bool, error) {
	lose, skip, err := m.begin(ctx, "put")
	if err != nil || skip {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	r := m.live(key, now)
	if r == nil {
		r = &record{}
	}
	known := r.floor
	mine := fence.Token != 0 && slices.Contains(r.writers, fence.Token)
	others := slices.DeleteFunc(slices.Clone(r.writers), func(t uint64) bool { return mine && t == fence.Token })
	r.floor, r.lease = max(r.floor, e.Version), 0
	var store bool
	switch {
	case len(others) > 0:
		r.writers, r.crossed = others, true
		r.spoiled = r.spoiled || e.Version == 0
		return false, lose
	case mine && r.crossed:
		store = !r.spoiled && e.Version > known
	case mine:
		store = !r.spoiled && (e.Version == 0 || e.Version >= known)
	case fence.Token != 0:
		if r.held && e.Version > 0 && r.entry.Version >= e.Version {
			return false, lose // what is held is not older
		}
	case e.Version > 0 && e.Version <= known:
		if r.held {
			return false, lose
		}
	default:
		store = true
	}
	if store && endOf(e).After(now) && m.tagsHold(e.Tags, fence.Clock) {
		m.store(key, e, fence.Clock, known)
		return lose == nil, lose
	}
	m.clear(key, r, now)
	return false, lose
}

// Invalidate answers as cache.Tier says.
func (m *Memory) Invalidate(ctx context.Context, keys []string, hold time.Duration) error {
	lose, skip, err := m.begin(ctx, "invalidate")
	if err != nil || skip {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, key := range keys {
		r := m.live(key, now)
		if r == nil {
			r = &record{}
		}
		if hold > 0 {
			r.ban = later(r.ban, now.Add(wholeSeconds(hold)))
		}
		if len(r.writers) > 0 {
			r.spoiled, r.end = true, later(r.end, r.ban)
			continue
		}
		m.clear(key, r, now)
	}
	return lose
}

// clear leaves of r what outlasts a value: its ban and its version. The caller
// holds mu.
func (m *Memory) clear(key string, r *record, now time.Time) {
	if now.Before(r.ban) {
		m.put(key, &record{floor: r.floor, ban: r.ban, end: r.ban})
		return
	}
	m.void(key, r.floor, now)
}

// InvalidateTags answers as cache.TagTier says.
func (m *Memory) InvalidateTags(ctx context.Context, tags []string) error {
	lose, skip, err := m.begin(ctx, "invalidatetags")
	if err != nil || skip {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock = m.tagClock() + 1
	if m.marks == nil {
		m.marks = make(map[string]uint64)
	}
	for _, tag := range tags {
		m.marks[tag] = m.clock
	}
	if len(m.marks) > m.maxItems() {
		m.lost = m.clock
		clear(m.marks)
	}
	return lose
}

// Purge answers as cache.PurgeTier says.
func (m *Memory) Purge(ctx context.Context) error {
	lose, skip, err := m.begin(ctx, "purge")
	if err != nil || skip {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.items)
	clear(m.marks)
	m.clock = m.tagClock() + 1
	m.lost = m.clock
	return lose
}

// Len returns how many keys have something in force: values, leases, fences.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, n := time.Now(), 0
	for key := range m.items {
		if r := m.live(key, now); r != nil && (r.held || r.fenced(now) || r.lease != 0) {
			n++
		}
	}
	return n
}

// Evict forgets keys with their leases and fences, as a server short of memory
// does at any time.
func (m *Memory) Evict(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.items, key)
	}
}

// tagClock returns the tag clock, which is never zero. The caller holds mu.
func (m *Memory) tagClock() uint64 {
	m.clock = max(m.clock, 1)
	return m.clock
}

// tagsHold reports whether a value loaded at clock may be used under tags. The
// caller holds mu.
func (m *Memory) tagsHold(tags []string, clock uint64) bool {
	for _, tag := range tags {
		mark, ok := m.marks[tag]
		if !ok {
			mark = m.lost
		}
		if clock == 0 || mark > clock {
			return false
		}
	}
	return true
}

// live returns what is in force for key, or nil. The caller holds mu.
func (m *Memory) live(key string, now time.Time) *record {
	r := m.items[key]
	switch {
	case r == nil:
	case !now.Before(r.end):
		delete(m.items, key)
		return nil
	case r.held && !m.tagsHold(r.entry.Tags, r.clock):
		m.void(key, r.floor, now)
		return m.items[key]
	}
	return r
}

// store holds e for key and ends every lease and fence. The caller holds mu.
func (m *Memory) store(key string, e cache.Entry, clock, floor uint64) {
	e.Value, e.Tags = slices.Clone(e.Value), slices.Clone(e.Tags)
	m.put(key, &record{held: true, entry: e, clock: clock, floor: max(floor, e.Version), end: endOf(e)})
}

// void forgets what key holds, but for the version. The caller holds mu.
func (m *Memory) void(key string, floor uint64, now time.Time) {
	if floor == 0 {
		delete(m.items, key)
		return
	}
	m.put(key, &record{floor: floor, end: now.Add(floorLife)})
}

// put replaces what is held for key, within the bound. The caller holds mu.
func (m *Memory) put(key string, r *record) *record {
	if m.items == nil {
		m.items = make(map[string]*record)
	}
	m.items[key] = r
	for k := range m.items {
		if len(m.items) <= m.maxItems() {
			break
		}
		if k != key {
			delete(m.items, k)
		}
	}
	return r
}

func (m *Memory) maxItems() int { return cmp.Or(m.MaxItems, 1<<16) }

// endOf returns when the tier need no longer hold e.
func endOf(e cache.Entry) time.Time {
	life := e.TTL + max(e.Keep, 0)
	if life < e.TTL {
		life = math.MaxInt64 // they were too long to be added
	}
	return e.Loaded.Add(life)
}

// wholeSeconds rounds d up.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
