package cookiecache_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// epochs is where the users' epochs are kept.
type epochs struct {
	least uint32
	err   error
	asked int
}

func (e *epochs) of(*http.Request) (uint32, error) { e.asked++; return e.least, e.err }

func TestRaisedEpochRevokesAtOnceOnAllServers(t *testing.T) {
	ring := oneKey()
	var e epochs
	a := mustNew(t, cookiecache.Config[nav]{Keyring: ring, Epoch: e.of})
	b := mustNew(t, cookiecache.Config[nav]{Keyring: ring, Epoch: e.of})
	br := browser{}
	set(t, br, a, someNav)
	if _, _, err := b.Get(br.request()); err != nil {
		t.Fatal(err)
	}
	e.least = 1
	for _, c := range []*cookiecache.Cookie[nav]{a, b} {
		if _, _, err := c.Get(br.request()); !errors.Is(err, cookiecache.ErrRevoked) || !errors.Is(err, cookiecache.ErrMiss) {
			t.Errorf("Get = %v", err)
		}
	}
	if _, loaded, _ := visit(t, br, a, someNav); !loaded {
		t.Error("not loaded anew")
	}
	if _, m, err := b.Get(br.request()); err != nil || m.Epoch != 1 {
		t.Errorf("the new cookie: %+v, %v", m, err)
	}
	e.least = 0 // a server that has not heard yet
	if _, _, err := b.Get(br.request()); err != nil {
		t.Errorf("a cookie of a later epoch: %v", err)
	}
}

func TestRenewalKeepsTheEpoch(t *testing.T) {
	e := epochs{least: 5}
	c := mustNew(t, cookiecache.Config[nav]{Epoch: e.of, Ages: cookiecache.Ages{RenewAfter: 1}})
	br := browser{}
	set(t, br, c, someNav)
	e.least = 4
	if _, loaded, cookies := visit(t, br, c, nav{}); loaded || cookies != 1 {
		t.Fatalf("loaded %v, %d cookies", loaded, cookies)
	}
	if _, m, err := c.Get(br.request()); err != nil || m.Epoch != 5 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestRevocationWhileLoadingWins(t *testing.T) {
	e := epochs{least: 1}
	c := mustNew(t, cookiecache.Config[nav]{Epoch: e.of})
	br := browser{}
	w := discard{http.Header{}}
	_, err := c.Load(w, br.request(), func(context.Context) (nav, error) {
		e.least = 2 // the rights change after they were read
		return someNav, nil
	})
	if err != nil || br.take(w.h) != 1 {
		t.Fatal(err)
	}
	if _, _, err := c.Get(br.request()); !errors.Is(err, cookiecache.ErrRevoked) {
		t.Errorf("the value from before: %v", err)
	}
}

func TestEpochIsAskedForGoodCookiesOnly(t *testing.T) {
	var e epochs
	c := mustNew(t, cookiecache.Config[nav]{Epoch: e.of})
	br := browser{"__Host-nav": "forged"}
	_, _, err := c.Get(br.request())
	if e.asked != 0 || !errors.Is(err, cookiecache.ErrTampered) {
		t.Errorf("asked %d times, %v", e.asked, err)
	}
}

func TestWhenTheEpochIsUnknownNoCookieIsUsed(t *testing.T) {
	down := errors.New("bus is down")
	var e epochs
	c := mustNew(t, cookiecache.Config[nav]{Epoch: e.of})
	br := browser{}
	set(t, br, c, someNav)
	e.err = down
	if _, _, err := c.Get(br.request()); !errors.Is(err, cookiecache.ErrEpoch) || !errors.Is(err, down) || !errors.Is(err, cookiecache.ErrMiss) {
		t.Errorf("Get = %v", err)
	}
	if err := c.Set(discard{http.Header{}}, br.request(), someNav); !errors.Is(err, cookiecache.ErrEpoch) {
		t.Errorf("Set = %v", err)
	}
	v, loaded, cookies := visit(t, br, c, someNav)
	if !loaded || cookies != 0 || v.User != someNav.User {
		t.Errorf("Load: loaded %v, %d cookies, %+v", loaded, cookies, v)
	}
}

func TestGraceIsBoundedWhileTheEpochIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e epochs
		c := mustNew(t, cookiecache.Config[nav]{Epoch: e.of, EpochGrace: 10 * time.Minute,
			Ages: cookiecache.Ages{MaxIdle: time.Hour, RenewAfter: time.Minute}})
		br := browser{}
		set(t, br, c, someNav)
		e.err = errors.New("bus is down")
		for range 10 {
			time.Sleep(time.Minute)
			if _, loaded, cookies := visit(t, br, c, nav{}); loaded || cookies != 0 {
				t.Fatalf("within the grace: loaded %v, %d cookies: a renewal would begin it anew", loaded, cookies)
			}
		}
		time.Sleep(time.Second)
		if _, _, err := c.Get(br.request()); !errors.Is(err, cookiecache.ErrEpoch) {
			t.Errorf("after the grace: %v", err)
		}
		e.err = nil
		if _, loaded, cookies := visit(t, br, c, nav{}); loaded || cookies != 1 {
			t.Errorf("the epoch is known again: loaded %v, %d cookies", loaded, cookies)
		}
	})
}
