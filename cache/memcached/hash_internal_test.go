package memcached

import (
	"strings"
	"testing"
)

// The vectors are from another implementation (cespare/xxhash) and the
// specification's own.
func TestHashIsXXH64(t *testing.T) {
	for s, want := range map[string]uint64{
		"":                                 0xef46db3751d8e999,
		"a":                                0xd24ec4f1a98c6e5b,
		"abc":                              0x44bc2cf5ad770999,
		"key:42":                           0x37322fc6b3fbe496,
		"12345678":                         0xd2d02f08cf7cfd4a,
		"0123456789abcdef0123456789abcde":  0x1fdfc63febacfde7,
		"0123456789abcdef0123456789abcdef": 0x642a94958e71e6c5,
		strings.Repeat("ashlar ", 40):      0xc96c31b62701858c,
	} {
		if got := hash64(s); got != want {
			t.Errorf("hash of %q: %#x, want %#x", s, got, want)
		}
	}
}
