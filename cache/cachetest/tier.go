package cachetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// TestTier holds a cache.Tier against its contract. open returns a tier that
// holds nothing of what was held for another test; it may return the same
// servers each time, since every subtest uses keys of its own. Abilities that
// are interfaces of their own, cache.TagTier and cache.PurgeTier, are tested
// when the tier has them. The whole takes about ten seconds, because leases and
// fences end by the clock.
func TestTier(t *testing.T, open func(t *testing.T) cache.Tier) {
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			tier := open(t)
			s := &suite{Tier: tier, t: t, ctx: context.Background()}
			s.tags, _ = tier.(cache.TagTier)
			s.purge, _ = tier.(cache.PurgeTier)
			if c.needsTags && s.tags == nil || c.needsPurge && s.purge == nil {
				t.Skip("the tier does not offer this")
			}
			c.test(s)
		})
	}
}

type claim struct {
	name       string
	needsTags  bool
	needsPurge bool
	test       func(*suite)
}

var claims = []claim{
	{name: "AKeyThatWasNeverStoredIsMissing", test: (*suite).missing},
	{name: "LookingGrantsNoLease", test: (*suite).looking},
	{name: "AFilledValueComesBackWhole", test: (*suite).roundTrip},
	{name: "AbsenceIsRememberedAsAbsence", test: (*suite).absence},
	{name: "AnyStringIsAKey", test: (*suite).anyKey},
	{name: "KeysDoNotMeet", test: (*suite).keysApart},
	{name: "AnswersComeInTheOrderOfKeys", test: (*suite).order},
	{name: "NoKeysIsNoError", test: (*suite).noKeys},
	{name: "OneOfManyGetsTheLease", test: (*suite).exclusive},
	{name: "OthersAreToldThatTheKeyIsBusy", test: (*suite).busy},
	{name: "ALeaseFillsOnce", test: (*suite).fillOnce},
	{name: "AFillWithoutALeaseIsRefused", test: (*suite).noLease},
	{name: "AFillAfterInvalidateIsRefused", test: (*suite).fillAfterInvalidate},
	{name: "AFillAfterInvalidateIsRefusedAlsoWhenAnotherHasTheLeaseNow", test: (*suite).fillAfterTakeover},
	{name: "AFillAfterPutIsRefused", test: (*suite).fillAfterPut},
	{name: "AnAbandonedLeaseEnds", test: (*suite).abandoned},
	{name: "AZeroEntryEndsTheLease", test: (*suite).giveUp},
	{name: "RefreshGrantsOneLeaseWhileOthersUseTheValue", test: (*suite).refresh},
	{name: "ARefreshIsVoidedByInvalidateAndPut", test: (*suite).refreshVoided},
	{name: "AZeroEntryEndsARefreshAndKeepsTheValue", test: (*suite).refreshGivenUp},
	{name: "ARefreshNeverStoresAnOlderVersion", test: (*suite).refreshOlder},
	{name: "AValueEndsAfterTTLAndKeep", test: (*suite).expiry},
	{name: "AValueThatIsOverIsNotStored", test: (*suite).over},
	{name: "LongLivesAreHeld", test: (*suite).longLife},
	{name: "PutStoresWhereNothingIsHeld", test: (*suite).putMissing},
	{name: "PutKeepsTheNewestVersion", test: (*suite).putNewest},
	{name: "PutWithoutVersionReplacesWhatIsHeld", test: (*suite).putPlain},
	{name: "PutVoidsLeasesAlsoWhenItIsRefused", test: (*suite).putVoids},
	{name: "AnInvalidatedVersionIsRemembered", test: (*suite).floor},
	{name: "TheNewestVersionWinsInAnyOrderOfArrival", test: (*suite).anyArrival},
	{name: "AFenceGrantsNoLeaseAndShowsNothing", test: (*suite).fence},
	{name: "AFenceEnds", test: (*suite).fenceEnds},
	{name: "TheWriterEndsItsFence", test: (*suite).fencePut},
	{name: "AFencedWriteOfAnOlderVersionLeavesNothing", test: (*suite).fenceOlder},
	{name: "OverlappingWritesStayFencedUntilTheLastEnds", test: (*suite).overlap},
	{name: "OverlappingWritesLeaveTheNewestVersionOrNothing", test: (*suite).overlapVersions},
	{name: "OverlappingWritesWithoutVersionLeaveNothing", test: (*suite).overlapPlain},
	{name: "APutFromOutsideIsNotStoredDuringAWriteWhichLearnsOfIt", test: (*suite).putDuringWrite},
	{name: "AnInvalidatedWriteStaysFencedAndStoresNothing", test: (*suite).writeOvertaken},
	{name: "AWriteWhoseFenceEndedLeavesNothingOlder", test: (*suite).fenceLost},
	{name: "AHoldGrantsNoLeaseUntilItEnds", test: (*suite).hold},
	{name: "AHoldGivesWayToPut", test: (*suite).holdPut},
	{name: "AHoldOutlastsAWriteItOvertook", test: (*suite).holdOverWrite},
	{name: "WritersNeverLeaveAnOldVersion", test: (*suite).writers},
	{name: "ReadersNeverSeeAnOldValue", test: (*suite).readersAndWriters},
	{name: "InvalidatingManyKeysVoidsEach", test: (*suite).invalidateMany},
	{name: "AnEndedContextEndsACallAtOnce", test: (*suite).ended},
	{name: "InvalidateTagsVoidsWhatCarriesOne", needsTags: true, test: (*suite).tagsVoid},
	{name: "AFillThatBeganBeforeInvalidateTagsIsVoid", needsTags: true, test: (*suite).tagsInFlight},
	{name: "AFillWithTagsNeedsALeasePreparedForThem", needsTags: true, test: (*suite).tagsUnprepared},
	{name: "APutWithTagsIsVoidedByAnInvalidationDuringTheWrite", needsTags: true, test: (*suite).tagsPut},
	{name: "AVoidTaggedValueGrantsALease", needsTags: true, test: (*suite).tagsLease},
	{name: "PurgeVoidsEverything", needsPurge: true, test: (*suite).purged},
}

// suite is one claim under test.
type suite struct {
	cache.Tier
	tags  cache.TagTier
	purge cache.PurgeTier
	t     *testing.T
	ctx   context.Context
}

var suites atomic.Uint64

// key returns a key that no other test has used.
func (s *suite) key() string {
	return fmt.Sprintf("%s/%d/%d", s.t.Name()[strings.LastIndex(s.t.Name(), "/")+1:], suites.Add(1), rand.Uint64())
}

var lease = cache.Want{Lease: 10 * time.Second}

// entry is a value of version v that was read just now.
func entry(value string, v uint64) cache.Entry {
	return cache.Entry{Value: []byte(value), Version: v, Loaded: time.Now(), TTL: time.Minute}
}

func (s *suite) get(key string, want cache.Want) cache.Item {
	s.t.Helper()
	items, err := s.Get(s.ctx, []string{key}, want)
	if err != nil || len(items) != 1 {
		s.t.Fatalf("Get = %d items, %v", len(items), err)
	}
	it := items[0]
	if it.Found && it.Busy || it.Busy && it.Lease.Token != 0 || !it.Found && (it.Entry.Value != nil || it.Entry.Absent) {
		s.t.Fatalf("Get = %+v, which contradicts itself", it)
	}
	return it
}

func (s *suite) lease(key string, want cache.Want) cache.Lease {
	s.t.Helper()
	it := s.get(key, want)
	if it.Lease.Token == 0 {
		s.t.Fatalf("Get = %+v, want a lease", it)
	}
	return it.Lease
}

func (s *suite) fill(key string, l cache.Lease, e cache.Entry, want bool) {
	s.t.Helper()
	stored, err := s.Fill(s.ctx, key, l, e)
	if stored != want || err != nil {
		s.t.Fatalf("Fill = %v, %v, want stored %v", stored, err, want)
	}
}

func (s *suite) put(key string, e cache.Entry, want bool) {
	s.t.Helper()
	s.end(key, cache.Lease{}, e, want)
}

// end ends the write that laid fence.
func (s *suite) end(key string, fence cache.Lease, e cache.Entry, want bool) {
	s.t.Helper()
	stored, err := s.Put(s.ctx, key, fence, e)
	if stored != want || err != nil {
		s.t.Fatalf("Put = %v, %v, want stored %v", stored, err, want)
	}
}

// begin begins a write.
func (s *suite) begin(key string) cache.Lease {
	s.t.Helper()
	fence, err := s.Fence(s.ctx, key, 10*time.Second)
	if err != nil || fence.Token == 0 {
		s.t.Fatalf("Fence = %v, %v", fence, err)
	}
	return fence
}

// fenced fails unless Get grants no lease on key and shows nothing.
func (s *suite) fenced(key string) {
	s.t.Helper()
	for _, want := range []cache.Want{{}, lease, refresh} {
		if it := s.get(key, want); it.Found || it.Busy || it.Lease != (cache.Lease{}) {
			s.t.Fatalf("behind a fence: %+v, want the zero Item", it)
		}
	}
}

// open fails unless nothing is held and Get grants a lease, which it gives back.
func (s *suite) open(key string) {
	s.t.Helper()
	s.holds(key, "")
	s.fill(key, s.lease(key, lease), cache.Entry{}, false)
}

func (s *suite) invalidate(hold time.Duration, keys ...string) {
	s.t.Helper()
	if err := s.Invalidate(s.ctx, keys, hold); err != nil {
		s.t.Fatalf("Invalidate: %v", err)
	}
}

// holds fails unless value is held, and nothing when it is "".
func (s *suite) holds(key, value string) {
	s.t.Helper()
	it := s.get(key, cache.Want{})
	if it.Found != (value != "") || string(it.Entry.Value) != value {
		s.t.Fatalf("held: %v %q, want %q", it.Found, it.Entry.Value, value)
	}
}

// filled returns a key that holds value.
func (s *suite) filled(value string, v uint64) string {
	s.t.Helper()
	key := s.key()
	s.fill(key, s.lease(key, lease), entry(value, v), true)
	return key
}

func (s *suite) missing() {
	it := s.get(s.key(), cache.Want{})
	if it.Found || it.Busy || it.Lease != (cache.Lease{}) {
		s.t.Errorf("Get = %+v, want the zero Item", it)
	}
}

func (s *suite) looking() {
	key := s.key()
	s.get(key, cache.Want{})
	s.get(key, cache.Want{Refresh: true, Tagged: true})
	s.lease(key, lease)
}

func (s *suite) roundTrip() {
	for _, value := range [][]byte{
		nil, {0}, []byte("text"), []byte("\r\nEND\r\nVALUE a 0 1\r\n"), {0xff, 0xfe, 0, 0xA5, 1},
		bytes.Repeat([]byte("0123456789abcdef"), 1<<14),
	} {
		key := s.key()
		e := cache.Entry{Value: value, Version: 1<<63 + 7, Loaded: time.Now().Add(-time.Second), TTL: time.Minute, Keep: time.Hour}
		s.fill(key, s.lease(key, lease), e, true)
		it := s.get(key, lease)
		got := it.Entry
		if !it.Found || it.Lease.Token != 0 || !bytes.Equal(got.Value, value) || got.Absent || got.Version != e.Version {
			s.t.Fatalf("value of %d bytes came back as %v, %d bytes, version %d", len(value), it.Found, len(got.Value), got.Version)
		}
		if got.TTL != e.TTL || got.Keep != e.Keep || len(got.Tags) != 0 {
			s.t.Errorf("TTL %v, Keep %v, Tags %q", got.TTL, got.Keep, got.Tags)
		}
		if d := e.Loaded.Sub(got.Loaded); d < 0 || d > time.Millisecond {
			s.t.Errorf("Loaded moved by %v: a value may look older by a millisecond, never younger", -d)
		}
	}
}

func (s *suite) absence() {
	key := s.key()
	e := cache.Entry{Absent: true, Loaded: time.Now(), TTL: time.Minute}
	s.fill(key, s.lease(key, lease), e, true)
	if it := s.get(key, lease); !it.Found || !it.Entry.Absent || len(it.Entry.Value) != 0 {
		s.t.Errorf("Get = %+v, want an absent entry", it)
	}
}

// oddKeys are hard for some protocols.
func oddKeys() []string {
	long := strings.Repeat("k", 250)
	return []string{
		"", " ", "a b", "a\tb", "a\nb", "a\r\nb", "\x00", "a\x00b", "a\x7fb", "~", "~h~", "~c~", "é/ü/世界", "\xff\xfe",
		long, long + "k", strings.Repeat("k", 100_000), "%20", "a%20b", "get a", "noreply", "a noreply", "0", "-1",
	}
}

func (s *suite) anyKey() {
	for _, odd := range oddKeys() {
		s.invalidate(0, odd)
		s.fill(odd, s.lease(odd, lease), entry("v", 0), true)
		s.holds(odd, "v")
		s.put(odd, entry("w", 2), true)
		s.holds(odd, "w")
		s.invalidate(0, odd)
		s.holds(odd, "")
	}
}

func (s *suite) keysApart() {
	keys := oddKeys()
	s.invalidate(0, keys...)
	for i, key := range keys {
		s.put(key, entry(fmt.Sprint(i), uint64(i+100)), true)
	}
	for i, key := range keys {
		s.holds(key, fmt.Sprint(i))
	}
	s.invalidate(0, keys...)
}

func (s *suite) order() {
	var keys []string
	for i := range 300 {
		key := s.key()
		if i%3 != 0 {
			s.put(key, entry(key, 1), true)
		}
		keys = append(keys, key)
	}
	keys = append(keys, keys[1], keys[0]) // twice
	items, err := s.Get(s.ctx, keys, cache.Want{})
	if err != nil || len(items) != len(keys) {
		s.t.Fatalf("Get = %d items for %d keys, %v", len(items), len(keys), err)
	}
	for i, it := range items {
		held := i < 300 && i%3 != 0 || i == 300
		if it.Found != held || held && string(it.Entry.Value) != keys[i] {
			s.t.Fatalf("item %d of %d: %v %q", i, len(items), it.Found, it.Entry.Value)
		}
	}
	items, err = s.Get(s.ctx, keys[:300], lease)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, it := range items {
		if it.Found == (i%3 == 0) || it.Found == (it.Lease.Token != 0) {
			s.t.Fatalf("item %d: %+v", i, it)
		}
	}
}

func (s *suite) noKeys() {
	if items, err := s.Get(s.ctx, nil, lease); len(items) != 0 || err != nil {
		s.t.Errorf("Get of nothing = %v, %v", items, err)
	}
	s.invalidate(0)
	s.invalidate(time.Second)
}

func (s *suite) exclusive() {
	for range 5 {
		key := s.key()
		var grants, busy atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				items, err := s.Get(s.ctx, []string{key}, lease)
				switch {
				case err != nil:
					s.t.Errorf("Get: %v", err)
				case items[0].Lease.Token != 0:
					grants.Add(1)
				case items[0].Busy:
					busy.Add(1)
				}
			})
		}
		wg.Wait()
		if grants.Load() != 1 || busy.Load() != 49 {
			s.t.Fatalf("50 callers: %d leases, %d busy; want 1 and 49", grants.Load(), busy.Load())
		}
	}
}

func (s *suite) busy() {
	key := s.key()
	l := s.lease(key, lease)
	if it := s.get(key, lease); !it.Busy || it.Lease.Token != 0 {
		s.t.Errorf("under another's lease: %+v, want busy", it)
	}
	s.fill(key, l, entry("v", 0), true)
	if it := s.get(key, lease); !it.Found || it.Busy {
		s.t.Errorf("after the fill: %+v, want the value", it)
	}
}

func (s *suite) fillOnce() {
	key := s.key()
	l := s.lease(key, lease)
	s.fill(key, l, entry("one", 0), true)
	s.fill(key, l, entry("two", 0), false)
	s.holds(key, "one")
}

func (s *suite) noLease() {
	key := s.key()
	s.fill(key, cache.Lease{}, entry("v", 0), false)
	s.fill(key, cache.Lease{Token: 12345}, entry("v", 0), false)
	s.holds(key, "")
	l := s.lease(key, lease)
	s.fill(key, cache.Lease{Token: l.Token + 1}, entry("v", 0), false)
	s.fill(key, cache.Lease{}, entry("v", 0), false)
	s.fill(key, l, entry("mine", 0), true)
	s.holds(key, "mine")
}

func (s *suite) fillAfterInvalidate() {
	key := s.key()
	l := s.lease(key, lease)
	s.invalidate(0, key)
	s.fill(key, l, entry("old", 0), false)
	s.holds(key, "")
	if it := s.get(key, lease); it.Lease.Token == 0 {
		s.t.Errorf("after Invalidate: %+v, want a new lease", it)
	}
}

func (s *suite) fillAfterTakeover() {
	key := s.key()
	first := s.lease(key, lease)
	s.invalidate(0, key)
	second := s.lease(key, lease)
	s.fill(key, first, entry("old", 0), false)
	s.fill(key, second, entry("new", 0), true)
	s.fill(key, first, entry("old", 0), false)
	s.holds(key, "new")
}

func (s *suite) fillAfterPut() {
	key := s.key()
	l := s.lease(key, lease)
	s.put(key, entry("new", 7), true)
	s.fill(key, l, entry("old", 6), false)
	s.fill(key, l, entry("old", 0), false)
	s.holds(key, "new")
}

func (s *suite) abandoned() {
	key := s.key()
	first := s.lease(key, cache.Want{Lease: time.Second})
	var second cache.Lease
	for end := time.Now().Add(4 * time.Second); second.Token == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("a lease of one second has not ended after four")
		}
		second = s.get(key, lease).Lease
	}
	s.fill(key, first, entry("late", 0), false)
	s.fill(key, second, entry("v", 0), true)
	s.holds(key, "v")
}

func (s *suite) giveUp() {
	key := s.key()
	l := s.lease(key, lease)
	s.fill(key, l, cache.Entry{}, false)
	if it := s.get(key, cache.Want{}); it.Busy || it.Found {
		s.t.Errorf("after a zero Entry: %+v, want a plain miss", it)
	}
	second := s.lease(key, lease)
	s.fill(key, l, cache.Entry{}, false) // of a lease that is over: no effect
	s.fill(key, second, entry("v", 0), true)
}

var refresh = cache.Want{Lease: 10 * time.Second, Refresh: true}

func (s *suite) refresh() {
	key := s.filled("old", 3)
	it := s.get(key, refresh)
	if !it.Found || string(it.Entry.Value) != "old" || it.Lease.Token == 0 {
		s.t.Fatalf("Get to refresh = %+v, want the value and a lease", it)
	}
	for range 3 {
		if other := s.get(key, refresh); !other.Found || other.Busy || other.Lease.Token != 0 {
			s.t.Fatalf("second Get to refresh = %+v, want the value alone", other)
		}
	}
	if other := s.get(key, lease); !other.Found || other.Lease.Token != 0 || other.Entry.Version != 3 {
		s.t.Fatalf("Get during a refresh = %+v, want the value", other)
	}
	s.fill(key, it.Lease, entry("new", 3), true)
	s.holds(key, "new")
	if it := s.get(key, refresh); it.Lease.Token == 0 {
		s.t.Error("no lease for the next refresh")
	}
}

func (s *suite) refreshVoided() {
	key := s.filled("old", 3)
	l := s.lease(key, refresh)
	s.invalidate(0, key)
	s.fill(key, l, entry("late", 4), false)
	s.holds(key, "")

	key = s.filled("old", 3)
	l = s.lease(key, refresh)
	s.put(key, entry("new", 5), true)
	s.fill(key, l, entry("late", 6), false)
	s.holds(key, "new")
}

func (s *suite) refreshGivenUp() {
	key := s.filled("v", 0)
	l := s.lease(key, refresh)
	s.fill(key, l, cache.Entry{}, false)
	s.holds(key, "v")
	next := s.lease(key, refresh)
	s.fill(key, l, entry("late", 0), false)
	s.fill(key, next, entry("w", 0), true)
	s.holds(key, "w")
}

func (s *suite) refreshOlder() {
	key := s.filled("new", 7)
	l := s.lease(key, refresh)
	s.fill(key, l, entry("from a slow replica", 6), false)
	s.holds(key, "new")
	s.lease(key, refresh) // the refused fill has ended the lease
}

func (s *suite) expiry() {
	short, kept := s.key(), s.key()
	e := entry("v", 0)
	e.TTL = time.Second
	s.fill(short, s.lease(short, lease), e, true)
	e.TTL, e.Keep = 10*time.Millisecond, time.Minute
	s.fill(kept, s.lease(kept, lease), e, true)
	s.holds(short, "v")
	for end := time.Now().Add(5 * time.Second); s.get(short, cache.Want{}).Found; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("a value with a TTL of one second is held after five")
		}
	}
	s.holds(kept, "v")
}

func (s *suite) over() {
	key := s.key()
	e := entry("v", 0)
	e.Loaded = e.Loaded.Add(-time.Hour)
	s.fill(key, s.lease(key, lease), e, false)
	s.holds(key, "")
	s.lease(key, lease) // the fill has ended the lease
	e.Version = 3
	s.put(key, e, false)
	s.holds(key, "")
	e = entry("v", 4)
	e.TTL = 0
	s.put(key, e, false)
	s.holds(key, "")
}

func (s *suite) longLife() {
	for _, ttl := range []time.Duration{29 * 24 * time.Hour, 31 * 24 * time.Hour, 20 * 365 * 24 * time.Hour, 1<<63 - 1} {
		key := s.key()
		e := entry("v", 0)
		e.TTL = ttl
		s.fill(key, s.lease(key, lease), e, true)
		s.holds(key, "v")
		e.Keep, e.Version = ttl, 1
		s.put(key, e, true)
		s.holds(key, "v")
	}
}
