package cache

import "sync/atomic"

// entry is one value in the local tier. It does not change once it is stored,
// but for what readers learn about it.
type entry[V any] struct {
	life
	// certain is the coarse time before which the entry is served without
	// asking anything; zero for the absence of a key, and where the shared tier
	// is to be asked every time.
	certain int64
	// checked is the tag clock up to which no tag of the entry was invalidated.
	checked atomic.Uint64

	value   V
	absent  bool
	version uint64
	tags    []string

	failures atomic.Int32 // failed attempts to replace it since it was stored
	rests    atomic.Int64 // no attempt to replace it before this time
}

// failed notes that replacing e failed at now, and leaves the source in peace
// for a while.
func (e *entry[V]) failed(now int64) {
	e.rests.Store(now + int64(rest(e.failures.Add(1))))
}

// fence is what a key's past says about which values may still be stored for
// it. Fences are few: they last for seconds.
type fence struct {
	writers int    // writes to the source in progress: nothing loaded is stored
	crossed bool   // two of them overlapped: their order is unknown without versions
	late    bool   // the key was invalidated meanwhile: what they bring may be old
	until   int64  // before this time a load may have read an older state
	floor   uint64 // the newest version seen
	forget  int64  // when floor is of no use any more
}

// admits reports whether what a load read may be stored at now.
func (f fence) admits(version uint64, now int64) bool {
	older := version > 0 && now < f.forget && version < f.floor
	return f.writers == 0 && now >= f.until && !older
}

// over reports whether the fence says nothing any more.
func (f fence) over(now int64) bool {
	return f.writers == 0 && now >= f.until && now >= f.forget
}
