// Package cookiecache keeps a visitor's small, hot data in the visitor's own
// browser, sealed: a cache tier that no server has to hold, that survives for
// days, and whose hit rate is near 100 % (chapter 7 of the book: the navigation
// of 100 to 500 bytes per user).
//
// Start with [New] and [Cookie.Load]: Load returns the cookie's value, or calls
// the loader and sets the cookie. Values are sealed by an AEAD with keys from a
// [Keyring]; [Signed] is for values that may be read. [Sealer] works on bytes.
// docs/cookiecache.md has the wire format, byte by byte.
//
// # Guarantees
//
//   - A value is used only if a holder of the keys sealed it for this name, host
//     and Config.Bind; any changed, moved, cut or respelled cookie is a miss.
//   - A value is never used longer than Ages.MaxAge after it was first set, nor
//     longer than Ages.MaxIdle after the last renewal, measured on this
//     machine's clock, which is assumed to be within Ages.Skew of the others'.
//   - A visit below Ages.RenewAfter sets no cookie.
//   - With Config.Epoch, a cookie from before the user's epoch is never used.
//   - Chunks of one value are used all or none; generations never mix.
//   - Rotation of keys loses no cookie younger than MaxIdle, if every server can
//     open with a key before the first one seals with it.
//
// # What happens when
//
//   - a cookie is bad in any way: Get returns an error that is [ErrMiss], Load
//     calls the loader. The visitor sees no difference; Trace and Stats know why.
//   - the value is too large: Set returns a [TooLargeError] and writes nothing;
//     Load returns the value all the same.
//   - the header has been written: below [Cookie.Middleware] Set returns
//     [ErrHeaderWritten]; elsewhere net/http drops the cookie silently.
//   - Config.Epoch fails: a miss, or for cookies renewed within Config.EpochGrace
//     a hit. Nothing is set or renewed meanwhile.
//   - crypto/rand fails: Set returns [ErrRandom] and writes nothing.
//
// # What it is not
//
// It is a cache; the loader is the truth. A visitor can always send an older
// cookie of their own again, so it is no place for balances, counters or tokens
// that are good once. And within MaxIdle a stolen cookie works: MaxAge, Bind and
// Epoch bound for how long, from where, and whether still.
package cookiecache
