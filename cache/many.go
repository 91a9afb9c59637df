package cache

import (
	"context"
	"errors"
)

// GetMany returns the values of keys. A key that the source does not have is
// missing from the map. Keys that failed are missing too, and named in a
// [ManyError]; the others are in the map all the same. It asks the shared tier
// once for all keys that are not at hand, and LoadMany once for the rest.
func (c *LookAside[K, V]) GetMany(ctx context.Context, keys []K) (map[K]V, error) {
	answers := &answers[K, V]{values: make(map[K]V, len(keys))}
	if c.bypassed() {
		c.directMany(ctx, keys, answers)
		return answers.values, answers.err()
	}
	c.clock.wind()
	asked := c.tags.clock.Load()
	seen := make(map[K]struct{}, len(keys))
	b := c.newBatch(ctx)
	var flights []*flight[K, V]
	var again []K // keys to be looked up one by one
	for _, key := range keys {
		if _, twice := seen[key]; twice {
			continue
		}
		seen[key] = struct{}{}
		switch old, now, what := c.find(key); what {
		case serveRefresh:
			c.refresh(ctx, key, old.fresh)
			fallthrough
		case serve:
			v, _, err := c.serve(old, now)
			answers.add(key, v, err)
		default:
			if f := c.join(key, b); f != nil {
				flights = append(flights, f)
			} else {
				again = append(again, key)
			}
		}
	}
	if len(b.flights) > 0 {
		c.lead(ctx, b)
	}
	for _, f := range flights {
		res := c.wait(ctx, f)
		if c.overtaken(res, f, asked) || f.batch != b && c.mayBeOld(f, res) || res.err != nil && c.mayServeStale(f.key) {
			again = append(again, f.key)
			continue
		}
		v, _, err := c.answer(res, f.batch == b)
		answers.add(f.key, v, err)
	}
	for _, key := range again {
		v, _, err := c.lookup(ctx, key)
		answers.add(key, v, err)
	}
	return answers.values, answers.err()
}

// mayServeStale reports whether the local tier holds something for key that a
// lookup could serve now that loading it failed.
func (c *LookAside[K, V]) mayServeStale(key K) bool {
	_, _, what := c.find(key)
	return what != drop
}

// directMany asks the source for keys.
func (c *LookAside[K, V]) directMany(ctx context.Context, keys []K, a *answers[K, V]) {
	if c.cfg.LoadMany == nil {
		for _, key := range keys {
			v, _, err := c.direct(ctx, key)
			a.add(key, v, err)
		}
		return
	}
	c.counts.bypassed.Add(int64(len(keys)))
	m, err := c.loadMany(ctx, keys)
	for _, key := range keys {
		if l, ok := m[key]; ok {
			a.add(key, l.Value, nil)
		} else {
			a.add(key, l.Value, err)
			if err == nil {
				delete(a.values, key)
			}
		}
	}
}

// answers collects what became of the keys of a GetMany.
type answers[K comparable, V any] struct {
	values map[K]V
	errs   map[K]error
}

func (a *answers[K, V]) add(key K, v V, err error) {
	switch {
	case err == nil:
		a.values[key] = v
	case !errors.Is(err, ErrNotFound):
		if a.errs == nil {
			a.errs = make(map[K]error)
		}
		a.errs[key] = err
	}
}

func (a *answers[K, V]) err() error {
	if len(a.errs) == 0 {
		return nil
	}
	return &ManyError[K]{Errs: a.errs}
}
