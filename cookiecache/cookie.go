package cookiecache

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Cookie keeps a value of type T, sealed, in the visitor's browser. It is safe
// for concurrent use; make one per cookie name when the program starts.
type Cookie[T any] struct {
	core  *core
	codec Codec[T]
}

// New checks cfg and returns the cookie. It keeps copies of what cfg holds, but
// follows later changes of cfg.Keyring.
func New[T any](cfg Config[T]) (*Cookie[T], error) { return newCookie(cfg, false) }

func newCookie[T any](cfg Config[T], signed bool) (*Cookie[T], error) {
	core, err := newCore(cfg, signed)
	if err != nil {
		return nil, err
	}
	c := &Cookie[T]{core, cfg.Codec}
	core.readable = func(b []byte) bool {
		var v T
		return c.codec.Decode(b, &v) == nil
	}
	return c, nil
}

// Name is the cookie's name on the wire, with the prefix.
func (c *Cookie[T]) Name() string { return c.core.name }

// Stats returns the counters since New.
func (c *Cookie[T]) Stats() Stats { return c.core.count.stats() }

// Get returns the value in the request's cookie. Every error is [ErrMiss] and
// one of its causes: go on as if there were no cookie. Get renews nothing; that
// is done by [Cookie.Load], or by [Cookie.Middleware] around the handler.
func (c *Cookie[T]) Get(r *http.Request) (T, Meta, error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	v, f, err := c.get(r, s)
	if err != nil {
		return v, Meta{}, err
	}
	return v, f.meta(), nil
}

func (c *Cookie[T]) get(r *http.Request, s *scratch) (T, found, error) {
	f, err := c.core.read(r, s)
	if err == nil {
		var v T
		if err = c.decode(s, &f, &v); err == nil {
			c.core.hit(r.Context(), f.meta())
			return v, f, nil
		}
	}
	c.core.miss(r.Context(), err)
	var zero T
	return zero, found{}, err
}

func (c *Cookie[T]) decode(s *scratch, f *found, v *T) error {
	body, err := f.value(s, c.core.maxInflated)
	if err != nil {
		return err
	}
	if c.codec.Decode(body, v) != nil {
		// The codec's error is left out, since it may quote the value.
		return ErrSchema
	}
	return nil
}

// Set puts v into the response's header, as issued now, in place of what the
// response already had for this cookie, and says there that the response is
// private. It must be called before the body is begun. The cookie is of the epoch
// that Config.Epoch returns now: where v was read a while ago, [Cookie.Load] is
// safer, since it asks for the epoch before it loads.
//
// On an error the header is as it was: a [TooLargeError], [ErrHeaderWritten],
// [ErrNoSealingKey], [ErrEpoch], [ErrClock], [ErrRandom], or the codec's.
func (c *Cookie[T]) Set(w http.ResponseWriter, r *http.Request, v T) error {
	epoch, err := c.core.epochNow(r)
	if err == nil {
		err = c.set(w, r, v, epoch)
	}
	if err != nil {
		c.core.count.failures.Add(1)
	}
	return err
}

func (c *Cookie[T]) set(w http.ResponseWriter, r *http.Request, v T, epoch uint32) error {
	if written(w) {
		return ErrHeaderWritten
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	l, err := c.letter(s, v)
	if err != nil {
		return err
	}
	l.epoch = epoch
	l.issued = time.Now()
	l.renewed = l.issued
	m, err := c.core.put(w.Header(), r, s, &l)
	if err != nil {
		return err
	}
	c.core.wrote(r.Context(), m, false)
	return nil
}

// letter encodes v: codec, then compression, then padding.
func (c *Cookie[T]) letter(s *scratch, v T) (l letter, err error) {
	if s.body, err = c.codec.Append(s.body[:0], v); err != nil {
		return l, fmt.Errorf("cookiecache: encode %s: %w", c.core.name, err)
	}
	l.body = s.body
	if c.core.compress {
		if len(l.body) > c.core.maxInflated {
			return l, &TooLargeError{Need: len(l.body), Have: c.core.maxInflated}
		}
		if s.more, err = deflate(s.more[:0], l.body); err != nil {
			return l, fmt.Errorf("cookiecache: compress %s: %w", c.core.name, err)
		}
		if len(s.more) < len(l.body) {
			l.body = s.more
			l.flags |= flagDeflate
		}
	}
	if c.core.pad > 0 {
		l.body = pad(l.body, c.core.pad)
		l.flags |= flagPadded
	}
	return l, nil
}

// Clear tells the browser to forget the cookie with all its chunks. The visitor
// may have kept a copy, which stays good for as long as Ages allow: to end that
// too, raise the user's epoch. The error is ErrHeaderWritten or nil.
func (c *Cookie[T]) Clear(w http.ResponseWriter, r *http.Request) error {
	if written(w) {
		return ErrHeaderWritten
	}
	c.core.clear(w.Header(), r)
	return nil
}

// Load returns the cookie's value, and renews the cookie when that is due; on a
// miss, whatever the cause, it calls load with the request's context and sets
// the cookie to what load returned. So it must be called before the body is
// begun, and once per request: a second call still sees the cookie that came
// with the request.
//
// The error is load's. That a cookie could not be set or renewed is no error:
// the value is returned, and Trace.Failed is told.
func (c *Cookie[T]) Load(w http.ResponseWriter, r *http.Request, load func(context.Context) (T, error)) (T, error) {
	if v, ok := c.lookup(w, r); ok {
		return v, nil
	}
	// The epoch comes before the value: what is revoked while load runs must
	// not be sealed as belonging to the new epoch.
	epoch, epochErr := c.core.epochNow(r)
	v, err := load(r.Context())
	if err != nil {
		var zero T
		return zero, err
	}
	if err = epochErr; err == nil {
		err = c.set(w, r, v, epoch)
	}
	if err != nil {
		c.core.count.failures.Add(1)
		c.core.failed(r.Context(), err)
	}
	return v, nil
}

// lookup is the part of Load before a miss.
func (c *Cookie[T]) lookup(w http.ResponseWriter, r *http.Request) (T, bool) {
	s := scratches.Get().(*scratch)
	defer s.release()
	v, f, err := c.get(r, s)
	settle(w, c.core)
	if err != nil {
		return v, false
	}
	switch {
	case !f.due || setsCookie(w.Header(), c.core.name):
	case written(w):
		c.core.count.failures.Add(1)
		c.core.failed(r.Context(), ErrHeaderWritten)
	default:
		c.core.renew(w.Header(), r, s, &f)
	}
	return v, true
}

// Middleware renews the request's cookie when that is due, just before the
// handler's response header is written, unless the handler set, renewed or
// cleared it itself. It also makes sure then that a response with the cookie in
// its header says Cache-Control: private and Vary: Cookie. A request whose cookie
// is young leaves the response alone.
//
// Within it Set, Clear and Load notice that the header has been written. Flush,
// Hijack, http.NewResponseController, 1xx responses and streaming work as
// without it.
func (c *Cookie[T]) Middleware(next http.Handler) http.Handler { return c.core.middleware(next) }
