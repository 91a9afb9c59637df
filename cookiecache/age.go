package cookiecache

import (
	"errors"
	"time"
)

// Ages limits how long a cookie is good for. Times in cookies have a resolution
// of one second and are rounded down, so a cookie is never used longer than
// these say, and up to one second less.
type Ages struct {
	// MaxIdle is the age since the last renewal beyond which a cookie is a
	// miss: the book's X. Default 7 days; negative: no such limit.
	MaxIdle time.Duration
	// MaxAge is the age since the first Set beyond which a cookie is a miss,
	// however often it was renewed. It is what ends a thief's use of a stolen
	// cookie, so it cannot be switched off. Default 30 days.
	MaxAge time.Duration
	// RenewAfter is the age from which a visit renews a cookie; below it a
	// visit costs no Set-Cookie, except that a cookie sealed with another key
	// than the present one is renewed from an age of a minute. Default
	// MaxIdle/10, or none if MaxIdle is negative; negative: never renew.
	RenewAfter time.Duration
	// Skew is by how much the servers' clocks may differ: cookies from further
	// in the future are a miss. Default 30 s; negative: none.
	Skew time.Duration
}

// resealAfter is the age from which a cookie sealed with another key than the
// present one is renewed. Not at once, because during a roll-out of new keys
// the servers disagree about the present one, and would rewrite each other's
// cookies at every request.
const resealAfter = time.Minute

func (a Ages) withDefaults() (Ages, error) {
	const day = 24 * time.Hour
	if a.MaxIdle == 0 {
		a.MaxIdle = 7 * day
	}
	if a.MaxAge == 0 {
		a.MaxAge = 30 * day
	}
	if a.MaxAge < time.Second {
		return a, errors.New("cookiecache: Ages.MaxAge must be at least a second")
	}
	if a.MaxIdle > 0 && a.MaxIdle < time.Second {
		return a, errors.New("cookiecache: Ages.MaxIdle must be at least a second, or negative for no limit")
	}
	switch {
	case a.RenewAfter == 0 && a.MaxIdle > 0:
		a.RenewAfter = a.MaxIdle / 10
	case a.RenewAfter == 0:
		a.RenewAfter = -1
	case a.MaxIdle > 0 && a.RenewAfter >= a.MaxIdle:
		return a, errors.New("cookiecache: Ages.RenewAfter must be less than MaxIdle: a cookie that old is not renewed but a miss")
	}
	switch {
	case a.Skew == 0:
		a.Skew = 30 * time.Second
	case a.Skew < 0:
		a.Skew = 0
	}
	return a, nil
}

// judge returns the cause of a miss, or nil.
func (a Ages) judge(now, issued, renewed time.Time) error {
	age, idle := now.Sub(issued), now.Sub(renewed)
	switch {
	case age < -a.Skew || idle < -a.Skew:
		return ErrFuture
	case age > a.MaxAge:
		return ErrExpired
	case a.MaxIdle > 0 && idle > a.MaxIdle:
		return ErrIdle
	}
	return nil
}

// due reports whether a visit now renews the cookie; oldKey says that another
// key than the cookie's would seal it.
func (a Ages) due(now, renewed time.Time, oldKey bool) bool {
	if a.RenewAfter < 0 {
		return false
	}
	idle := now.Sub(renewed)
	return idle >= a.RenewAfter || oldKey && idle >= resealAfter
}

// keep is how long from now the browser should keep a cookie: until it would be
// a miss, but at most 400 days, as browsers do (RFC 6265bis, section 5.5).
func (a Ages) keep(now, issued time.Time) time.Duration {
	left := a.MaxAge - now.Sub(issued)
	if a.MaxIdle > 0 {
		left = min(left, a.MaxIdle)
	}
	return max(0, min(left, 400*24*time.Hour))
}
