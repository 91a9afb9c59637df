package cookiecache_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// text is a codec that adds nothing, so that sizes can be counted.
type text struct{}

func (text) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }
func (text) Decode(b []byte, v *string) error            { *v = string(b); return nil }

func textCookie(t testing.TB, cfg cookiecache.Config[string]) *cookiecache.Cookie[string] {
	cfg.Codec = text{}
	return newWith(t, cfg)
}

func TestLargestValueFitsAndOneByteMoreIsRefused(t *testing.T) {
	for _, length := range []int{1, 3, 10, 128} {
		name := strings.Repeat("n", length)
		for chunks := 1; chunks <= 4; chunks++ {
			c := textCookie(t, cookiecache.Config[string]{Name: name, MaxChunks: chunks})
			// 4096 characters are name and value; further cookies are called
			// name.1 and so on, and begin with 8 characters of generation.
			chars := 4096 - len(c.Name()) + (chunks-1)*(4096-len(c.Name())-2-8)
			most := chars*6/8 - cookiecache.Overhead
			b := browser{}
			v := strings.Repeat("é", most)[:most]
			h := set(t, b, c, v)
			if len(b) != chunks {
				t.Errorf("name of %d: %d cookies, want %d", length, len(b), chunks)
			}
			for _, line := range h.Values("Set-Cookie") {
				if size := len(pair(line)) - 1; size > 4096 {
					t.Errorf("name and value have %d bytes", size)
				}
			}
			if got, m, err := c.Get(b.request()); err != nil || got != v || m.Chunks != chunks {
				t.Errorf("name of %d, %d chunks: %d bytes of %d, %+v, %v", length, chunks, len(got), len(v), m, err)
			}
			w := discard{http.Header{}}
			err := c.Set(w, b.request(), v+"x")
			e, ok := errors.AsType[*cookiecache.TooLargeError](err)
			if !ok || len(w.h) != 0 || e.Have != chunks*4096 || e.Need <= e.Have || e.Need > e.Have+2 {
				t.Errorf("name of %d, %d chunks, one byte more: %v, header %v", length, chunks, err, w.h)
			}
			if chunks == 1 && length <= 27 && most < 3000 {
				t.Errorf("one cookie holds only %d bytes", most)
			}
		}
	}
}

func TestOverheadIs46Bytes(t *testing.T) {
	if cookiecache.Overhead != 46 {
		t.Errorf("Overhead = %d", cookiecache.Overhead)
	}
	b := browser{}
	set(t, b, textCookie(t, cookiecache.Config[string]{}), strings.Repeat("x", 500))
	if got, want := len(b["__Host-nav"]), (546*8+5)/6; got != want {
		t.Errorf("500 bytes are %d characters, want %d", got, want)
	}
}

// chunked returns a browser with a value over three cookies.
func chunked(t *testing.T, c *cookiecache.Cookie[string], v string) browser {
	t.Helper()
	b := browser{}
	set(t, b, c, strings.Repeat(v, 1000))
	if len(b) != 3 {
		t.Fatalf("%d cookies, want 3", len(b))
	}
	return b
}

func TestChunksAreAllOrNothing(t *testing.T) {
	c := textCookie(t, cookiecache.Config[string]{MaxBytes: 1500, MaxChunks: 3})
	one, two := chunked(t, c, "one"), chunked(t, c, "two")
	const n0, n1, n2 = "__Host-nav", "__Host-nav.1", "__Host-nav.2"
	for _, tt := range []struct {
		what   string
		change func(b browser)
		want   error
	}{
		{"unchanged", func(b browser) {}, nil},
		{"first missing", func(b browser) { delete(b, n0) }, cookiecache.ErrAbsent},
		{"second missing", func(b browser) { delete(b, n1) }, cookiecache.ErrIncomplete},
		{"third missing", func(b browser) { delete(b, n2) }, cookiecache.ErrIncomplete},
		{"third of another generation", func(b browser) { b[n2] = two[n2] }, cookiecache.ErrIncomplete},
		{"first of another generation", func(b browser) { b[n0] = two[n0] }, cookiecache.ErrIncomplete},
		{"third of another generation that claims to be of this", func(b browser) { b[n2] = one[n2][:8] + two[n2][8:] }, cookiecache.ErrTampered},
		{"exchanged", func(b browser) { b[n1], b[n2] = b[n2], b[n1] }, cookiecache.ErrTampered},
		{"one twice", func(b browser) { b[n2] = b[n1] }, cookiecache.ErrTampered},
		{"cut", func(b browser) { b[n2] = b[n2][:len(b[n2])-1] }, cookiecache.ErrTampered},
		{"a character moved", func(b browser) { b[n1], b[n2] = b[n1][:len(b[n1])-1], b[n2][:8]+b[n1][len(b[n1])-1:]+b[n2][8:] }, nil},
		{"fewer announced", func(b browser) { b[n0] = "IQ" + b[n0][2:] }, cookiecache.ErrTampered},
		{"more announced", func(b browser) { b[n0] = "Iw" + b[n0][2:] }, cookiecache.ErrIncomplete},
		{"empty", func(b browser) { b[n1] = "" }, cookiecache.ErrIncomplete},
	} {
		b := maps.Clone(one)
		tt.change(b)
		v, _, err := c.Get(b.request())
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
		if (v != "") != (tt.want == nil) {
			t.Errorf("%s: a value of %d bytes with %v", tt.what, len(v), err)
		}
	}
}

func TestPlantedChunksDoNotHideTheGenuineOnes(t *testing.T) {
	c := textCookie(t, cookiecache.Config[string]{MaxBytes: 1500, MaxChunks: 3})
	b, other := chunked(t, c, "one"), chunked(t, c, "two")
	const n1, n2 = "__Host-nav.1", "__Host-nav.2"
	r := b.request()
	r.Header["Cookie"] = append([]string{
		n1 + "=" + other[n1],
		n1 + "=" + b[n1][:8] + other[n1][8:], // knows the generation
		n2 + "=" + b[n2][:8] + "AAAA",
		"__Host-nav=" + other["__Host-nav"],
	}, r.Header["Cookie"]...)
	if v, _, err := c.Get(r); err != nil || v != strings.Repeat("one", 1000) {
		t.Errorf("Get: %d bytes, %v", len(v), err)
	}
}

func TestLeftoversAreRemovedInTheSameResponse(t *testing.T) {
	c := textCookie(t, cookiecache.Config[string]{MaxBytes: 1500, MaxChunks: 3})
	b := chunked(t, c, "one")
	h := set(t, b, c, "short")
	if len(h.Values("Set-Cookie")) != 3 || len(b) != 1 {
		t.Errorf("after a small value: %q, browser has %d cookies", h.Values("Set-Cookie"), len(b))
	}
	b = chunked(t, c, "one")
	w := discard{http.Header{}}
	if err := c.Clear(w, b.request()); err != nil {
		t.Fatal(err)
	}
	if b.take(w.h) != 3 || len(b) != 0 {
		t.Errorf("after Clear the browser has %d cookies", len(b))
	}
	// Also those that a former program, with more chunks, left behind.
	b = chunked(t, c, "one")
	one := textCookie(t, cookiecache.Config[string]{MaxBytes: 1500})
	if _, _, err := one.Get(b.request()); !errors.Is(err, cookiecache.ErrIncomplete) {
		t.Errorf("more chunks than MaxChunks: %v", err)
	}
	set(t, b, one, "short")
	if len(b) != 1 {
		t.Errorf("the browser has %d cookies", len(b))
	}
}

func TestChunkedValuesAreRenewedWhole(t *testing.T) {
	c := textCookie(t, cookiecache.Config[string]{MaxBytes: 1500, MaxChunks: 3, Ages: cookiecache.Ages{RenewAfter: 1}})
	b := chunked(t, c, "one")
	old := maps.Clone(b)
	if _, loaded, cookies := visit(t, b, c, ""); loaded || cookies != 3 {
		t.Errorf("loaded %v, %d cookies", loaded, cookies)
	}
	for name := range b {
		if b[name] == old[name] {
			t.Errorf("%s is the old one", name)
		}
	}
	if v, _, err := c.Get(b.request()); err != nil || v != strings.Repeat("one", 1000) {
		t.Errorf("Get: %d bytes, %v", len(v), err)
	}
}

// Any mixture of the cookies of several generations is one of them or a miss.
func TestGenerationsNeverMix(t *testing.T) {
	c := textCookie(t, cookiecache.Config[string]{MaxBytes: 700, MaxChunks: 4})
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	values := map[string]bool{}
	var all []browser
	for i := range 6 {
		v := strings.Repeat(fmt.Sprint(i), 300+300*rnd.IntN(5))
		values[v] = true
		b := browser{}
		set(t, b, c, v)
		all = append(all, b)
	}
	hits := 0
	for range 2000 {
		b := browser{}
		for _, name := range []string{"__Host-nav", "__Host-nav.1", "__Host-nav.2", "__Host-nav.3"} {
			if v, ok := all[rnd.IntN(1+rnd.IntN(len(all)))][name]; ok {
				b[name] = v
			}
		}
		v, _, err := c.Get(b.request())
		if err == nil && !values[v] || err != nil && !errors.Is(err, cookiecache.ErrMiss) {
			t.Fatalf("seed %d: %q, %v", seed, v, err)
		}
		if err == nil {
			hits++
		}
	}
	if hits == 0 {
		t.Errorf("seed %d: no mixture was whole", seed)
	}
}
