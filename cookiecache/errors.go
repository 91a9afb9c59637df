package cookiecache

import (
	"errors"
	"fmt"
)

// ErrMiss is in the error of every cookie that is not used, whatever the cause:
// errors.Is(err, ErrMiss) means "ask the source", never "answer with an error".
var ErrMiss = errors.New("cookiecache: miss")

// The causes of a miss. Each of them is also [ErrMiss]. They are for the
// observer (Trace.Miss, Stats); a visitor should not be told which it was.
var (
	// ErrAbsent: the request carries no such cookie.
	ErrAbsent error = &cause{"no such cookie", 0}
	// ErrTampered: not made by these keys for this name, host and Bind, or not
	// in its one canonical spelling. A rising rate of it is an alarm.
	ErrTampered error = &cause{"not authentic", 1}
	// ErrUnknownKey: the key ring has no key of this number, or not any more.
	ErrUnknownKey error = &cause{"unknown or retired key", 2}
	// ErrIncomplete: some of the cookies that the value was split over are
	// missing, of another generation, or more than Config.MaxChunks.
	ErrIncomplete error = &cause{"chunks are missing", 3}
	// ErrFuture: made later than this machine's clock plus the skew.
	ErrFuture error = &cause{"from the future", 4}
	// ErrExpired: older than Ages.MaxAge since it was first set.
	ErrExpired error = &cause{"older than MaxAge", 5}
	// ErrIdle: older than Ages.MaxIdle since it was last renewed.
	ErrIdle error = &cause{"idle for longer than MaxIdle", 6}
	// ErrEpoch: Config.Epoch failed, and the cookie is older than EpochGrace.
	// The error of Config.Epoch is wrapped too.
	ErrEpoch error = &cause{"revocation epoch unknown", 7}
	// ErrRevoked: of an epoch before the one that Config.Epoch demands.
	ErrRevoked error = &cause{"revoked", 8}
	// ErrSchema: authentic and fresh, but of another schema than the codec's,
	// or otherwise not decodable by it.
	ErrSchema error = &cause{"unknown schema", 9}
)

// cause is one reason for a miss. Where several cookies of one name fail, the
// one that got furthest gives the reason: weight orders them.
type cause struct {
	text   string
	weight int
}

func (c *cause) Error() string { return "cookiecache: miss: " + c.text }
func (c *cause) Unwrap() error { return ErrMiss }

// causeOf is the sentinel in err, nil if there is none.
func causeOf(err error) *cause {
	c, _ := errors.AsType[*cause](err)
	return c
}

// further returns the error of the cookie that got further.
func further(a, b error) error {
	ca, cb := causeOf(a), causeOf(b)
	if ca == nil || cb != nil && cb.weight > ca.weight {
		return b
	}
	return a
}

var (
	// ErrHeaderWritten is the error of Set and Clear when the response's header
	// is on its way, so that no cookie can be added. It is detected below
	// [Cookie.Middleware] only: plain net/http drops such a cookie silently.
	ErrHeaderWritten = errors.New("cookiecache: the response's header is already written")

	// ErrNoSealingKey is the error of Set when no key's window for sealing
	// covers the present.
	ErrNoSealingKey = errors.New("cookiecache: no key may seal now")

	// ErrClock is the error of Set when this machine's clock is outside the
	// years 2000 to 2135 that the format can express.
	ErrClock = errors.New("cookiecache: the clock is outside the years 2000 to 2135")

	// ErrRandom is the error of Set when crypto/rand.Reader fails. Nothing was
	// sealed and no header written.
	ErrRandom = errors.New("cookiecache: no randomness")
)

// TooLargeError is the error of Set for a value that does not fit. No header
// was written. Take it out of an error by errors.AsType.
type TooLargeError struct {
	Need int // bytes needed: name and value of all cookies, or the value before compression
	Have int // bytes allowed for the same
}

// Error gives both sizes.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("cookiecache: value too large: needs %d bytes of %d", e.Need, e.Have)
}
