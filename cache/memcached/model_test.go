package memcached_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
	"github.com/ashlar-go/ashlar/cache/memcached"
)

// Random calls are answered as by the tier in memory, which is the contract
// written down without a network: same hits, same leases, same refusals.
func TestRandomCallsAreAnsweredAsByTheModel(t *testing.T) {
	_, addrs := start(t, 1)
	real := open(t, memcached.Config{}, addrs...)
	for seed := range uint64(40) {
		pair := &paired{t: t, rng: rand.New(rand.NewPCG(seed, 0)), model: cachetest.NewMemory(), real: real, prefix: fmt.Sprintf("s%d-", seed)}
		for range 150 {
			pair.step()
		}
		if t.Failed() {
			for _, line := range pair.log[max(0, len(pair.log)-25):] {
				t.Log(line)
			}
			t.Fatalf("seed %d", seed)
		}
	}
}

// paired calls both tiers alike.
type paired struct {
	t           *testing.T
	rng         *rand.Rand
	model, real tagTier
	prefix      string
	log         []string
	grants      []grant // leases and fences that were handed out
	version     uint64
}

type tagTier interface {
	cache.Tier
	cache.TagTier
}

// grant is one lease, as each tier calls it.
type grant struct {
	key         string
	fence       bool
	model, real cache.Lease
}

const longer = 20 * time.Second // than the test takes for one seed

func (p *paired) step() {
	key := p.prefix + []string{"a", "b"}[p.rng.IntN(2)]
	switch n := p.rng.IntN(20); {
	case n < 7:
		p.get(key)
	case n < 11:
		p.fill()
	case n < 13:
		p.fence(key)
	case n < 17:
		p.put(key)
	case n < 19:
		hold := time.Duration(0)
		if p.rng.IntN(8) == 0 {
			hold = longer
		}
		err1, err2 := p.model.Invalidate(p.t.Context(), []string{key}, hold), p.real.Invalidate(p.t.Context(), []string{key}, hold)
		p.check(fmt.Sprintf("invalidate %s for %v", key, hold), err1, err2, true)
	default:
		tag := []string{p.prefix + "t"}
		err1, err2 := p.model.InvalidateTags(p.t.Context(), tag), p.real.InvalidateTags(p.t.Context(), tag)
		p.check("invalidate tag", err1, err2, true)
	}
}

func (p *paired) check(what string, err1, err2 error, same bool) {
	p.t.Helper()
	p.log = append(p.log, what)
	if err1 != nil || err2 != nil || !same {
		p.t.Errorf("%s: the model says otherwise (%v, %v)", what, err1, err2)
	}
}

func (p *paired) get(key string) {
	want := cache.Want{Refresh: p.rng.IntN(2) == 0, Tagged: p.rng.IntN(2) == 0}
	if p.rng.IntN(4) > 0 {
		want.Lease = longer
	}
	m, err1 := p.model.Get(p.t.Context(), []string{key}, want)
	r, err2 := p.real.Get(p.t.Context(), []string{key}, want)
	a, b := m[0], r[0]
	same := a.Found == b.Found && a.Busy == b.Busy && (a.Lease.Token != 0) == (b.Lease.Token != 0) &&
		string(a.Entry.Value) == string(b.Entry.Value) && a.Entry.Absent == b.Entry.Absent &&
		a.Entry.Version == b.Entry.Version && slices.Equal(a.Entry.Tags, b.Entry.Tags)
	p.check(fmt.Sprintf("get %s with %+v: model %+v, memcached %+v", key, want, a, b), err1, err2, same)
	if a.Lease.Token != 0 && b.Lease.Token != 0 {
		p.grants = append(p.grants, grant{key, false, a.Lease, b.Lease})
	}
}

// any returns one of the last few grants, which may have ended.
func (p *paired) any(fence bool) (g grant, ok bool) {
	for i := len(p.grants) - 1; i >= max(0, len(p.grants)-8); i-- {
		if p.grants[i].fence == fence && p.rng.IntN(2) == 0 {
			return p.grants[i], true
		}
	}
	return g, false
}

// entry invents what a loader or writer brings.
func (p *paired) entry() cache.Entry {
	e := entry(fmt.Sprint("value ", p.rng.Uint32()))
	switch p.rng.IntN(8) {
	case 0:
		e.Absent, e.Value = true, nil
	case 1:
		e.Tags = []string{p.prefix + "t"}
	case 2:
		e.Loaded = time.Now().Add(-2 * time.Minute) // out of date already
	}
	switch p.rng.IntN(3) {
	case 0:
		p.version++
		e.Version = p.version
	case 1:
		e.Version = max(p.version, 3) - uint64(p.rng.IntN(3))
	}
	return e
}

func (p *paired) fill() {
	g, ok := p.any(false)
	if !ok {
		return
	}
	e := p.entry()
	if p.rng.IntN(5) == 0 {
		e = cache.Entry{}
	}
	s1, err1 := p.model.Fill(p.t.Context(), g.key, g.model, e)
	s2, err2 := p.real.Fill(p.t.Context(), g.key, g.real, e)
	p.check(fmt.Sprintf("fill %s under %v with %+v: model %t, memcached %t", g.key, g.real, e, s1, s2), err1, err2, s1 == s2)
}

func (p *paired) fence(key string) {
	a, err1 := p.model.Fence(p.t.Context(), key, longer)
	b, err2 := p.real.Fence(p.t.Context(), key, longer)
	p.check(fmt.Sprintf("fence %s: %v", key, b), err1, err2, a.Token != 0 && b.Token != 0)
	p.grants = append(p.grants, grant{key, true, a, b})
}

func (p *paired) put(key string) {
	g, ok := p.any(true)
	if !ok {
		g = grant{key: key}
	}
	e := p.entry()
	s1, err1 := p.model.Put(p.t.Context(), g.key, g.model, e)
	s2, err2 := p.real.Put(p.t.Context(), g.key, g.real, e)
	p.check(fmt.Sprintf("put %s under %v with %+v: model %t, memcached %t", g.key, g.real, e, s1, s2), err1, err2, s1 == s2)
}
