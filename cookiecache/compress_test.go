package cookiecache_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/cookiecache"
)

func TestCompressionIsOffByDefaultAndSmallerWhenOn(t *testing.T) {
	v := strings.Repeat(`{"label":"Sports","path":"/news/page/sports"},`, 40)
	ring := oneKey()
	plain := textCookie(t, cookiecache.Config[string]{Keyring: ring})
	packed := textCookie(t, cookiecache.Config[string]{Keyring: ring, Compress: true})
	a, b := browser{}, browser{}
	set(t, a, plain, v)
	set(t, b, packed, v)
	if before, after := len(a["__Host-nav"]), len(b["__Host-nav"]); before < len(v) || after > before/5 {
		t.Errorf("%d characters plain, %d compressed", before, after)
	}
	for _, c := range []*cookiecache.Cookie[string]{plain, packed} {
		for _, br := range []browser{a, b} {
			if got, _, err := c.Get(br.request()); err != nil || got != v {
				t.Errorf("Get: %d bytes, %v", len(got), err)
			}
		}
	}
	// What deflate would make longer stays as it is.
	set(t, b, packed, "short")
	if got, _, err := packed.Get(b.request()); err != nil || got != "short" {
		t.Errorf("Get = %q, %v", got, err)
	}
}

func TestSealerOpensWhatACookiePadsAndCompresses(t *testing.T) {
	ring := oneKey()
	s := must(cookiecache.NewSealer("__Host-nav", ring, cookiecache.Ages{}))
	for _, v := range []string{"", "short", strings.Repeat("long ", 500), "\x80\x00\x00"} {
		b := browser{}
		set(t, b, textCookie(t, cookiecache.Config[string]{Keyring: ring, Compress: true}), v)
		got, _, err := s.AppendOpen([]byte("> "), b["__Host-nav"], cookiecache.Binding{Host: "www.example.com"})
		if err != nil || string(got) != "> "+v {
			t.Errorf("%q: %q, %v", v, got, err)
		}
	}
}

func TestDecompressionBombIsRefused(t *testing.T) {
	ring := oneKey()
	small := textCookie(t, cookiecache.Config[string]{Keyring: ring, Compress: true, MaxInflated: 1000})
	if err := small.Set(discard{http.Header{}}, browser{}.request(), strings.Repeat("x", 1001)); err == nil {
		t.Error("Set: accepted beyond MaxInflated")
	} else if e, ok := errors.AsType[*cookiecache.TooLargeError](err); !ok || e.Need != 1001 || e.Have != 1000 {
		t.Errorf("Set = %v", err)
	}
	// A program with a higher limit, and the same keys, sealed it.
	large := textCookie(t, cookiecache.Config[string]{Keyring: ring, Compress: true, MaxInflated: 100 << 20})
	b := browser{}
	set(t, b, large, strings.Repeat("x", 1000))
	if v, _, err := small.Get(b.request()); err != nil || len(v) != 1000 {
		t.Errorf("at the limit: %d bytes, %v", len(v), err)
	}
	for _, size := range []int{1001, 2 << 20} {
		set(t, b, large, strings.Repeat("x", size))
		v, _, err := small.Get(b.request())
		if !errors.Is(err, cookiecache.ErrSchema) || v != "" {
			t.Errorf("%d bytes: got %d, %v", size, len(v), err)
		}
	}
	standard := textCookie(t, cookiecache.Config[string]{Keyring: ring})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		if _, _, err := standard.Get(b.request()); !errors.Is(err, cookiecache.ErrSchema) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / 10; per > 1<<20 {
		t.Errorf("a bomb of 2 MiB makes Get allocate %d bytes", per)
	}
}

func TestPaddingHidesTheLength(t *testing.T) {
	c := textCookie(t, cookiecache.Config[string]{Pad: 32})
	sizes := map[int][]int{}
	for n := range 100 {
		b := browser{}
		set(t, b, c, strings.Repeat("x", n))
		size := len(b["__Host-nav"])
		sizes[size] = append(sizes[size], n)
		if v, _, err := c.Get(b.request()); err != nil || len(v) != n {
			t.Fatalf("%d bytes: %d, %v", n, len(v), err)
		}
	}
	if len(sizes) != 4 {
		t.Errorf("100 lengths have %d sizes, want 4: %v", len(sizes), sizes)
	}
}

// An attacker has a guess put next to a secret, and looks for the guess that
// makes the cookie shorter, being a repetition.
func TestPaddingHidesCompressionsGuesses(t *testing.T) {
	const secret = "csrf=J7fjz2Qk"
	c := textCookie(t, cookiecache.Config[string]{Compress: true})
	padded, unpadded := map[int]int{}, map[int]int{}
	for guess := range 256 {
		v := secret + "; theme=blue; csrf=J7fjz2Q" + string([]byte{byte(guess)}) + "; last visited the front page"
		b := browser{}
		set(t, b, c, v)
		padded[len(b["__Host-nav"])]++
		var buf bytes.Buffer
		w := must(flate.NewWriter(&buf, flate.BestCompression))
		must(w.Write([]byte(v)))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		unpadded[base64.RawURLEncoding.EncodedLen(buf.Len())]++
	}
	if len(unpadded) < 2 {
		t.Errorf("the guesses are all alike even without padding, so this shows nothing: %v", unpadded)
	}
	if len(padded) != 1 {
		t.Errorf("256 guesses have the sizes %v", padded)
	}
}
