//go:build !race

package cookiecache_test

import (
	"net/http"
	"testing"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// The race detector makes sync.Pool forget things at random, so this is not
// for it.
func TestBytesAreSealedAndOpenedWithoutAllocating(t *testing.T) {
	for _, aead := range aeads {
		s := must(cookiecache.NewSealer("__Host-nav", ringOf(cookiecache.Key{ID: 1, Secret: secret(1), AEAD: aead}), cookiecache.Ages{}))
		at := cookiecache.Binding{Host: "www.example.com", Bind: []byte("user")}
		value, dst := make([]byte, 500), make([]byte, 0, 2000)
		wire := string(must(s.AppendSeal(nil, value, at, cookiecache.Meta{})))
		if n := testing.AllocsPerRun(1000, func() { must(s.AppendSeal(dst, value, at, cookiecache.Meta{})) }); n != 0 {
			t.Errorf("%v: AppendSeal allocates %v times", aead, n)
		}
		if n := testing.AllocsPerRun(1000, func() {
			if _, _, err := s.AppendOpen(dst, wire, at); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%v: AppendOpen allocates %v times", aead, n)
		}
	}
}

func TestHitAllocatesLittle(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{})
	b := browser{"lang": "en", "theme": "dark"}
	set(t, b, c, someNav)
	r, w := b.request(), discard{http.Header{}}
	// Two for net/http's cookies, one for the value, one for its strings, one
	// for its slice.
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := c.Load(w, r, nil); err != nil {
			t.Error(err)
		}
	}); n > 6 {
		t.Errorf("Load allocates %v times", n)
	}
}
