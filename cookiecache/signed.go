package cookiecache

import (
	"context"
	"net/http"
)

// Signed keeps a value of type T in the visitor's browser, authentic but
// readable: for values that a proxy or another program without the keys
// should be able to read. In all else it is like [Cookie]; a value
// of the one is a miss for the other. It is safe for concurrent use.
type Signed[T any] struct {
	c *Cookie[T]
}

// NewSigned checks cfg and returns the cookie, as [New] does. The keys' AEAD is
// not used: the tag is HMAC-SHA256 (RFC 2104) in full length.
func NewSigned[T any](cfg Config[T]) (*Signed[T], error) {
	c, err := newCookie(cfg, true)
	if err != nil {
		return nil, err
	}
	return &Signed[T]{c}, nil
}

// Name is as [Cookie.Name].
func (c *Signed[T]) Name() string { return c.c.Name() }

// Stats is as [Cookie.Stats].
func (c *Signed[T]) Stats() Stats { return c.c.Stats() }

// Get is as [Cookie.Get].
func (c *Signed[T]) Get(r *http.Request) (T, Meta, error) { return c.c.Get(r) }

// Set is as [Cookie.Set].
func (c *Signed[T]) Set(w http.ResponseWriter, r *http.Request, v T) error { return c.c.Set(w, r, v) }

// Clear is as [Cookie.Clear].
func (c *Signed[T]) Clear(w http.ResponseWriter, r *http.Request) error { return c.c.Clear(w, r) }

// Load is as [Cookie.Load].
func (c *Signed[T]) Load(w http.ResponseWriter, r *http.Request, load func(context.Context) (T, error)) (T, error) {
	return c.c.Load(w, r, load)
}

// Middleware is as [Cookie.Middleware].
func (c *Signed[T]) Middleware(next http.Handler) http.Handler { return c.c.Middleware(next) }
