package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Config says how a [LookAside] works. Only Load is required; the zero value
// of every other field is a default, and a negative duration turns off what
// zero would turn on.
type Config[K comparable, V any] struct {
	// Load reads one key from the source of truth. It returns [ErrNotFound],
	// possibly wrapped, for a key that the source does not have. It is called
	// on a goroutine of the cache, with the values of the first caller's
	// context, and is cancelled by LoadTimeout or when no caller waits any
	// more. Required.
	Load func(ctx context.Context, key K) (Loaded[V], error)
	// LoadMany reads several keys at once for GetMany. A key missing from its
	// map is one that the source does not have; when it also returns an error,
	// the missing keys failed with it instead. Without it GetMany calls Load
	// for each key, concurrently.
	LoadMany func(ctx context.Context, keys []K) (map[K]Loaded[V], error)

	// MaxEntries bounds the local tier by count; default 100,000. What is used
	// least often and least recently goes first.
	MaxEntries int
	// MaxWeight bounds it by the sum of Weigh instead, in whatever unit Weigh
	// uses. An absence weighs 1.
	MaxWeight uint64
	// Weigh returns the weight of a value; required with MaxWeight.
	Weigh func(key K, value V) uint32

	// TTL is how long a value is fresh when Loaded does not say; default one
	// minute, negative for ever.
	TTL time.Duration
	// Jitter shortens each TTL by a random part of up to this fraction, so
	// that what was loaded together does not end together; default 0.1,
	// negative none, at most 1.
	Jitter float64
	// NegativeTTL is how long an absence is remembered; default a tenth of
	// TTL and at most ten seconds, negative not at all. Whoever creates a key
	// must invalidate it.
	NegativeTTL time.Duration
	// StaleWhileRevalidate is how long after its TTL a value is still served
	// at once while one load in the background replaces it (RFC 5861 gives the
	// name); default not at all.
	StaleWhileRevalidate time.Duration
	// StaleIfError is how long after its TTL a value is served when loading a
	// newer one fails; within the TTL also after Shared.LocalTTL. Default not
	// at all.
	StaleIfError time.Duration
	// EarlyRefresh makes it likely that a popular value is replaced in the
	// background shortly before its TTL ends: the paper's beta, where 1 is
	// right for most and more is earlier; default off.
	EarlyRefresh float64

	// LoadTimeout bounds one load, waiting for its turn included; default ten
	// seconds, negative unbounded.
	LoadTimeout time.Duration
	// MaxLoads bounds the loads in progress, to protect the source; further
	// ones wait for their turn. A LoadMany counts as one. Default unbounded.
	MaxLoads int
	// Settle is for sources that may answer with an older state for a while,
	// such as replicas that lag: for this long after a key was invalidated,
	// what is loaded for it is returned and not stored, in no tier. It is not
	// for tags. Default none.
	Settle time.Duration

	// Bypass, when it returns true, makes every Get call Load and neither read
	// nor fill the cache: the switch that shows that the cache is not needed.
	// Invalidations go on, so that it can be switched back at any time. It is
	// called on every Get, concurrently.
	Bypass func() bool

	// Shared joins a second tier that other processes share; default none.
	Shared *Shared[K, V]

	// Logger hears of state changes, never of single requests; default none.
	Logger *slog.Logger
	// Trace is called as things happen; default none.
	Trace *Trace
}

// Shared joins a cache to a [Tier] that other processes share.
type Shared[K comparable, V any] struct {
	// Tier is the second tier. Required.
	Tier Tier
	// Namespace and a colon begin every key, so that several caches share a
	// tier; caches of the same name must hold the same kind of values.
	Namespace string
	// Key writes a key as text, different for different keys. The default
	// serves strings and integers; other types require it.
	Key func(K) string
	// Codec turns values to bytes and back; default [JSON]. A value that does
	// not decode counts as a miss.
	Codec Codec[V]
	// LocalTTL is how long a value is served from the local tier before the
	// shared tier is asked again: how long this node may miss what another
	// node invalidated, not counting a load in progress. Default as long as it
	// is fresh. Negative asks the shared tier on every Get; then no Get sees,
	// on any node, what was loaded before an invalidation that had returned on
	// some node, as long as the shared tier answers.
	LocalTTL time.Duration
	// Lease is how long this process may take to fill a missing key before
	// another may; default LoadTimeout, or ten seconds.
	Lease time.Duration
	// Wait is how long a Get waits for another process to fill a key before it
	// loads for itself, without storing; default Lease.
	Wait time.Duration
	// Hold is how long a [WriteThru] keeps others from filling a key that it
	// is writing: longer than a write to the source can take. Default ten
	// seconds.
	Hold time.Duration
}

// settings is a Config with its defaults filled in, in the units of the cache.
type settings[K comparable, V any] struct {
	Config[K, V]
	windows
	tier *Shared[K, V] // nil without a shared tier
}

// fill checks cfg and fills in its defaults.
func (cfg Config[K, V]) fill() (settings[K, V], error) {
	s := settings[K, V]{Config: cfg}
	switch {
	case cfg.Load == nil:
		return s, errors.New("cache: Config.Load is required")
	case cfg.MaxEntries < 0:
		return s, fmt.Errorf("cache: Config.MaxEntries is %d, want at least 0", cfg.MaxEntries)
	case cfg.MaxWeight > 0 && cfg.Weigh == nil:
		return s, errors.New("cache: Config.MaxWeight requires Config.Weigh")
	case cfg.MaxWeight == 0 && cfg.Weigh != nil:
		return s, errors.New("cache: Config.Weigh requires Config.MaxWeight")
	case cfg.MaxWeight > 0 && cfg.MaxEntries > 0:
		return s, errors.New("cache: Config has both MaxEntries and MaxWeight, want one")
	case !(cfg.Jitter <= 1):
		return s, fmt.Errorf("cache: Config.Jitter is %v, want at most 1", cfg.Jitter)
	case !(cfg.EarlyRefresh >= 0) || cfg.EarlyRefresh > 1000:
		return s, fmt.Errorf("cache: Config.EarlyRefresh is %v, want 0 to 1000", cfg.EarlyRefresh)
	case cfg.MaxLoads < 0:
		return s, fmt.Errorf("cache: Config.MaxLoads is %d, want at least 0", cfg.MaxLoads)
	}
	if s.MaxEntries == 0 && s.MaxWeight == 0 {
		s.MaxEntries = 100_000
	}
	s.TTL = orDefault(s.TTL, time.Minute, forever)
	s.NegativeTTL = orDefault(s.NegativeTTL, min(s.TTL/10, 10*time.Second), 0)
	s.LoadTimeout = orDefault(s.LoadTimeout, 10*time.Second, forever)
	switch {
	case s.Jitter == 0:
		s.Jitter = 0.1
	case s.Jitter < 0:
		s.Jitter = 0
	}
	s.windows = windows{
		revalidate: int64(min(max(s.StaleWhileRevalidate, 0), forever)),
		onError:    int64(min(max(s.StaleIfError, 0), forever)),
		early:      s.EarlyRefresh,
	}
	s.Settle = max(s.Settle, 0)
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Trace == nil {
		s.Trace = &Trace{}
	}
	if cfg.Shared != nil {
		shared := *cfg.Shared
		if err := shared.fill(s.LoadTimeout); err != nil {
			return s, err
		}
		s.tier = &shared
	}
	return s, nil
}

func (sh *Shared[K, V]) fill(loadTimeout time.Duration) error {
	if sh.Tier == nil {
		return errors.New("cache: Shared.Tier is required")
	}
	if sh.Key == nil {
		if sh.Key = defaultKey[K](); sh.Key == nil {
			return fmt.Errorf("cache: Shared.Key is required for keys of type %T", *new(K))
		}
	}
	if sh.Codec == nil {
		sh.Codec = JSON[V]()
	}
	lease := loadTimeout
	if lease == forever {
		lease = 10 * time.Second
	}
	sh.LocalTTL = orDefault(sh.LocalTTL, forever, 0)
	sh.Lease = max(orDefault(sh.Lease, lease, 0), time.Second)
	sh.Wait = orDefault(sh.Wait, sh.Lease, 0)
	sh.Hold = max(orDefault(sh.Hold, 10*time.Second, 0), time.Second)
	return nil
}

// key is the tier's key for k.
func (sh *Shared[K, V]) key(k K) string { return sh.Namespace + ":" + sh.Key(k) }

// orDefault reads a duration of a Config: zero takes the default, negative is
// off, and nothing is longer than forever.
func orDefault(d, zero, negative time.Duration) time.Duration {
	switch {
	case d == 0:
		return zero
	case d < 0:
		return negative
	}
	return min(d, forever)
}

// defaultKey writes strings and integers; nil for other types.
func defaultKey[K comparable]() func(K) string {
	switch any(*new(K)).(type) {
	case string:
		return func(k K) string { return any(k).(string) }
	case int:
		return func(k K) string { return strconv.FormatInt(int64(any(k).(int)), 10) }
	case int32:
		return func(k K) string { return strconv.FormatInt(int64(any(k).(int32)), 10) }
	case int64:
		return func(k K) string { return strconv.FormatInt(any(k).(int64), 10) }
	case uint32:
		return func(k K) string { return strconv.FormatUint(uint64(any(k).(uint32)), 10) }
	case uint64:
		return func(k K) string { return strconv.FormatUint(any(k).(uint64), 10) }
	}
	return nil
}
