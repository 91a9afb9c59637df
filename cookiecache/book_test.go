package cookiecache_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// page is a visitor's browser at a site that shows their navigation.
type page struct {
	jar  *cookiejar.Jar
	user uint64
}

// view is one page view. It says how many bytes of cookies the browser sent.
func (p *page) view(h http.Handler) (sent int) {
	site := &url.URL{Scheme: "https", Host: "www.example.com", Path: "/"}
	r := httptest.NewRequest("GET", site.String(), nil)
	r.Header.Set("User", fmt.Sprint(p.user))
	for _, ck := range p.jar.Cookies(site) {
		r.AddCookie(ck)
		sent += len(ck.Name) + 1 + len(ck.Value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	p.jar.SetCookies(site, w.Result().Cookies())
	return sent
}

// 7.11: with the navigation of 100 to 500 bytes in the user's cookie, nearly no
// page view needs a shared resource, for days. Visits have five pages; a cache
// that forgets between the visits gets four of five.
func TestBook_7_11_NavigationInTheCookieHitsNearlyAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users, visits, pages = 200, 12, 5
		const day = 24 * time.Hour
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 0))
		var mu sync.Mutex
		fetches := 0
		c := mustNew(t, cookiecache.Config[nav]{
			Ages: cookiecache.Ages{MaxIdle: 30 * day, MaxAge: 365 * day},
			Bind: func(r *http.Request) []byte { return []byte(r.Header.Get("User")) },
		})
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, err := c.Load(w, r, func(context.Context) (nav, error) {
				mu.Lock()
				defer mu.Unlock()
				fetches++
				v := someNav
				_, err := fmt.Sscan(r.Header.Get("User"), &v.User)
				return v, err
			})
			if err != nil || fmt.Sprint(v.User) != r.Header.Get("User") {
				t.Errorf("user %s sees %+v, %v", r.Header.Get("User"), v, err)
			}
		})
		views, perVisit, logins := 0, 0, 0
		var sent, largest int
		for user := range users {
			p := page{jar: must(cookiejar.New(nil)), user: uint64(user)}
			for range visits {
				perVisit++ // such a cache fetches once per visit
				for range pages {
					size := p.view(h)
					views++
					sent += size
					largest = max(largest, size)
					time.Sleep(time.Duration(rnd.IntN(120)) * time.Second)
				}
				// They come back after 3 days in the mean, some after a month.
				time.Sleep(time.Duration(rnd.ExpFloat64() * float64(3*day)))
			}
			logins++
		}
		after := views - logins // the first page of each user is the log-in
		ratio := 1 - float64(fetches-logins)/float64(after)
		t.Logf("seed %d: %d page views after log-in, %d fetches: hit ratio %.4f; forgetting between visits %.4f; cookies of %d bytes in the mean, %d at most",
			seed, after, fetches-logins, ratio, 1-float64(perVisit)/float64(views), sent/views, largest)
		if ratio < 0.999 {
			t.Errorf("seed %d: hit ratio %.4f, want at least 0.999", seed, ratio)
		}
		if largest > 500 {
			t.Errorf("the cookie has %d bytes on the wire", largest)
		}
	})
}

// 7.11: no resource is shared: any server answers, and one that is new, or has
// lost all of its memory, answers as well.
func TestBook_7_11_AnyServerAnswersWithoutAskingAnother(t *testing.T) {
	b := browser{}
	set(t, b, mustNew(t, cookiecache.Config[nav]{}), someNav)
	for range 5 {
		server := mustNew(t, cookiecache.Config[nav]{Keyring: oneKey()})
		if v, loaded, _ := visit(t, b, server, nav{}); loaded || v.User != someNav.User {
			t.Errorf("loaded %v, %+v", loaded, v)
		}
	}
}

// 7.11 and 5.8: losing the cookie loses nothing, as it is a cache.
func TestBook_5_8_LosingTheCookieCostsOneLoad(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{})
	b := browser{}
	visit(t, b, c, someNav)
	clear(b)
	if v, loaded, _ := visit(t, b, c, someNav); !loaded || v.User != someNav.User {
		t.Errorf("loaded %v, %+v", loaded, v)
	}
	if _, loaded, _ := visit(t, b, c, nav{}); loaded {
		t.Error("loaded a second time")
	}
}

// 7.12: cookies are unreadable: neither the value nor that two are equal shows.
func TestBook_7_12_CookiesAreUnreadable(t *testing.T) {
	for _, aead := range aeads {
		s := must(cookiecache.NewSealer("nav", ringOf(cookiecache.Key{ID: 1, Secret: secret(1), AEAD: aead}), cookiecache.Ages{}))
		value := []byte(strings.Repeat("private ", 10))
		one := must(s.AppendSeal(nil, value, cookiecache.Binding{}, cookiecache.Meta{}))
		two := must(s.AppendSeal(nil, value, cookiecache.Binding{}, cookiecache.Meta{}))
		raw := make([]byte, 200)
		n := must(base64.RawURLEncoding.Decode(raw, one))
		if bytes.Contains(raw[:n], []byte("private")) || bytes.Contains(one, []byte("private")) {
			t.Errorf("%v: readable", aead)
		}
		const header = 30 // characters of flags, key and salt, which may be equal
		same := 0
		for i := header; i < len(one); i++ {
			if one[i] == two[i] {
				same++
			}
		}
		if same > len(one)/4 {
			t.Errorf("%v: two cookies of one value agree in %d of %d characters", aead, same, len(one))
		}
	}
}

// 7.12: cookies are unalterable; TestEveryChangedBitIsAMiss tries all changes.
func TestBook_7_12_CookiesAreUnalterable(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{})
	b := browser{}
	set(t, b, c, nav{Admin: false})
	value := b["__Host-nav"]
	for i := range value {
		b["__Host-nav"] = value[:i] + string(value[i]^1) + value[i+1:]
		if _, _, err := c.Get(b.request()); !errors.Is(err, cookiecache.ErrMiss) {
			t.Fatalf("character %d changed: %v", i, err)
		}
	}
}

// 7.12: a time renewed on each visit; too old is a miss. RenewAfter of a second
// is the book's every visit.
func TestBook_7_12_TimeIsRenewedOnEachVisitAndTooOldIsAMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustNew(t, cookiecache.Config[nav]{Ages: cookiecache.Ages{MaxIdle: 20 * time.Minute, RenewAfter: time.Second}})
		b := browser{}
		visit(t, b, c, someNav)
		for range 100 {
			time.Sleep(19 * time.Minute)
			if _, loaded, cookies := visit(t, b, c, nav{}); loaded || cookies != 1 {
				t.Fatalf("active visitor: loaded %v, %d cookies", loaded, cookies)
			}
		}
		time.Sleep(20*time.Minute + time.Second)
		if _, loaded, _ := visit(t, b, c, someNav); !loaded {
			t.Error("used after MaxIdle")
		}
	})
}

// 7.12: a stolen cookie works while it is fresh. What bounds that: the thief can
// renew it, but not beyond MaxAge; it is of no use to another user; and the
// user's epoch ends it at once.
func TestBook_7_12_StolenCookiesWorkWhileFreshAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e epochs
		c := mustNew(t, cookiecache.Config[nav]{Epoch: e.of, Ages: cookiecache.Ages{MaxIdle: time.Hour, MaxAge: 24 * time.Hour}})
		victim := browser{}
		visit(t, victim, c, someNav)
		stolen := browser{"__Host-nav": victim["__Host-nav"]}
		if v, loaded, _ := visit(t, stolen, c, nav{}); loaded || v.User != someNav.User {
			t.Error("a stolen fresh cookie does not work: then this test is wrong about the risk")
		}
		begin := time.Now()
		for {
			time.Sleep(30 * time.Minute)
			if _, _, err := c.Get(stolen.request()); err != nil {
				break
			}
			visit(t, stolen, c, nav{})
		}
		if kept := time.Since(begin); kept <= 24*time.Hour-time.Hour || kept > 24*time.Hour+30*time.Minute {
			t.Errorf("the thief renewed it for %v", kept)
		}
		clear(victim)
		visit(t, victim, c, someNav)
		stolen["__Host-nav"] = victim["__Host-nav"]
		e.least++ // the user logged out everywhere
		if _, _, err := c.Get(stolen.request()); !errors.Is(err, cookiecache.ErrRevoked) {
			t.Errorf("after the revocation: %v", err)
		}
	})
}
