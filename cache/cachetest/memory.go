package cachetest

import (
	"cmp"
	"context"
	"maps"
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

	mu     sync.Mutex
	items  map[string]*record  // guarded by mu
	writes map[string][]writer // guarded by mu; fences laid and not yet answered by Put, oldest first
	marks  map[string]uint64   // guarded by mu; tag clock at the last invalidation of a tag
	clock  uint64              // guarded by mu; tag clock
	token  uint64              // guarded by mu; last lease or fence token
	lost   uint64              // guarded by mu; the mark of every tag that is not in marks
}

var (
	_ cache.Tier      = (*Memory)(nil)
	_ cache.TagTier   = (*Memory)(nil)
	_ cache.PurgeTier = (*Memory)(nil)
)

// NewMemory returns an empty tier without faults.
func NewMemory() *Memory { return new(Memory) }

// writer is a fence that a write laid and that its Put has yet to answer.
type writer struct {
	token, clock uint64
	end          time.Time
}

// record is what is held for one key. Exactly one of its roles is in force:
// a value, a lease without a value, a fence, or the mere memory of a version.
type record struct {
	held  bool // entry is a value
	entry cache.Entry
	clock uint64    // tag clock of entry
	floor uint64    // newest version known of the key
	end   time.Time // when the record is forgotten

	lease    uint64 // token of the lease that stands, or zero
	leaseEnd time.Time

	fence     []uint64 // tokens of the writers in progress; a fence when not nil
	contested bool     // writers overlapped: their order is unknown
}

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
	case r != nil && r.fence != nil:
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
	if r == nil || lease.Token == 0 || r.lease != lease.Token {
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

// Put answers as cache.Tier says. An entry with tags is stored only when this
// tier laid a fence for the write before, by Invalidate with a hold: only then
// is it known which invalidations of its tags came later.
func (m *Memory) Put(ctx context.Context, key string, e cache.Entry) (bool, error) {
	lose, skip, err := m.begin(ctx, "put")
	if err != nil || skip {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	w, fenced := m.popWriter(key)
	r := m.live(key, now)
	if r == nil {
		r = &record{}
	}
	mine := r.fence != nil && slices.Contains(r.fence, w.token)
	if e.Version > 0 {
		newer := e.Version >= r.floor
		if r.held || r.fence != nil {
			newer = e.Version > r.floor
		}
		if !newer {
			if mine {
				m.leaveFence(key, r, w.token, now)
			}
			return false, lose
		}
	} else {
		switch {
		case r.fence != nil && (!mine || r.contested):
			if mine {
				m.leaveFence(key, r, w.token, now)
			}
			return false, lose
		case fenced && !mine:
			m.void(key, r.floor, now)
			return false, lose
		}
	}
	if !endOf(e).After(now) || !m.tagsHold(e.Tags, w.clock) {
		m.void(key, max(r.floor, e.Version), now)
		return false, lose
	}
	m.store(key, e, w.clock, r.floor)
	return lose == nil, lose
}

// Invalidate answers as cache.Tier says. A hold of an earlier call that has not
// ended stays in force.
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
		switch {
		case hold <= 0 && r == nil:
		case hold <= 0 && r.fence != nil:
		case hold <= 0:
			m.void(key, r.floor, now)
		default:
			m.fence(key, r, now, wholeSeconds(hold))
		}
	}
	return lose
}

// fence lays a fence for one more writer on key.
func (m *Memory) fence(key string, r *record, now time.Time, hold time.Duration) {
	next := &record{end: now.Add(hold)}
	if r != nil {
		next.floor = r.floor
		if r.fence != nil {
			next.fence, next.contested = r.fence, true
			next.end = later(r.end, next.end)
		}
	}
	m.token++
	next.fence = append(next.fence, m.token)
	m.put(key, next)

	w := writer{token: m.token, clock: m.tagClock(), end: next.end}
	if m.writes == nil {
		m.writes = make(map[string][]writer)
	}
	ws := m.writes[key]
	if len(ws) > 0 {
		// Which Put belongs to which fence is not known: the oldest clock is
		// right for all of them.
		w.clock = ws[0].clock
	}
	m.writes[key] = append(ws, w)
	if len(m.writes) > m.maxItems() {
		maps.DeleteFunc(m.writes, func(_ string, ws []writer) bool {
			return now.After(ws[len(ws)-1].end)
		})
	}
}

func (m *Memory) popWriter(key string) (writer, bool) {
	ws := m.writes[key]
	if len(ws) == 0 {
		return writer{}, false
	}
	if len(ws) == 1 {
		delete(m.writes, key)
	} else {
		m.writes[key] = ws[1:]
	}
	return ws[0], true
}

// leaveFence takes one writer's part out of a fence and opens it with the last.
func (m *Memory) leaveFence(key string, r *record, token uint64, now time.Time) {
	r.fence = slices.DeleteFunc(r.fence, func(t uint64) bool { return t == token })
	if len(r.fence) == 0 {
		m.void(key, r.floor, now)
	}
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
		if r := m.live(key, now); r != nil && (r.held || r.fence != nil || r.lease != 0) {
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
