package memcached

import (
	"strings"
	"testing"
)

// legal is memcached's rule.
func legal(key string) bool {
	return len(key) > 0 && len(key) <= 250 && !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

func TestKeysThatMemcachedTakesStayAsTheyAre(t *testing.T) {
	for _, key := range []string{"a", "article:42", "größe", strings.Repeat("k", 250), "a~b"} {
		if got := wireKey(key); got != key {
			t.Errorf("%q is sent as %q", key, got)
		}
	}
}

func TestOtherKeysAreHashedAndNeverMeet(t *testing.T) {
	odd := []string{"", " ", "a b", "k\r\nflush_all\r\n", "\x00", "a\x7f", strings.Repeat("k", 251), strings.Repeat("k", 252),
		"~", "~h~", clockKey, gutterKey("a"), markKey("a"), hashedKey(hashedPrefix, "a b")}
	seen := make(map[string]string)
	for _, key := range odd {
		wire := wireKey(key)
		if !legal(wire) || wire == key || !strings.HasPrefix(wire, hashedPrefix) {
			t.Errorf("%q is sent as %q", key, wire)
		}
		if other, ok := seen[wire]; ok {
			t.Errorf("%q and %q meet at %q", key, other, wire)
		}
		seen[wire] = key
	}
}

func FuzzKeys(f *testing.F) {
	for _, key := range []string{"", "a", "a b", "~h~", "k\r\nflush_all", strings.Repeat("k", 251)} {
		f.Add(key, "a")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, wire := range []string{wireKey(a), gutterKey(a), markKey(a)} {
			if !legal(wire) {
				t.Fatalf("%q is sent as %q", a, wire)
			}
		}
		if a != b && wireKey(a) == wireKey(b) {
			t.Fatalf("%q and %q are both sent as %q", a, b, wireKey(a))
		}
		if w := wireKey(a); w == gutterKey(b) || w == markKey(b) || w == clockKey {
			t.Fatalf("%q is sent as one of our own keys, %q", a, w)
		}
	})
}
