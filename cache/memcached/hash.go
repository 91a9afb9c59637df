package memcached

import (
	"encoding/binary"
	"math/bits"
)

// The placement of keys must be the same in every process, on every machine
// and with every version of Go, so the hash is a published one with vectors in
// the tests: XXH64 with seed 0 (Collet, xxHash specification).
const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
	prime3 uint64 = 0x165667B19E3779F9
	prime4 uint64 = 0x85EBCA77C2B2AE63
	prime5 uint64 = 0x27D4EB2F165667C5
)

// hash64 returns XXH64 of s.
func hash64(s string) uint64 {
	var h uint64
	n := uint64(len(s))
	if len(s) >= 32 {
		a, b, c, d := prime1, prime2, uint64(0), uint64(0)
		a, d = a+prime2, d-prime1 // in variables: the constants would overflow
		for ; len(s) >= 32; s = s[32:] {
			a = round(a, word(s))
			b = round(b, word(s[8:]))
			c = round(c, word(s[16:]))
			d = round(d, word(s[24:]))
		}
		h = bits.RotateLeft64(a, 1) + bits.RotateLeft64(b, 7) + bits.RotateLeft64(c, 12) + bits.RotateLeft64(d, 18)
		for _, lane := range [...]uint64{a, b, c, d} {
			h = (h^round(0, lane))*prime1 + prime4
		}
	} else {
		h = prime5
	}
	h += n
	for ; len(s) >= 8; s = s[8:] {
		h = bits.RotateLeft64(h^round(0, word(s)), 27)*prime1 + prime4
	}
	if len(s) >= 4 {
		h = bits.RotateLeft64(h^uint64(half(s))*prime1, 23)*prime2 + prime3
		s = s[4:]
	}
	for i := range len(s) {
		h = bits.RotateLeft64(h^uint64(s[i])*prime5, 11) * prime1
	}
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}

func round(acc, lane uint64) uint64 {
	return bits.RotateLeft64(acc+lane*prime2, 31) * prime1
}

func word(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.LittleEndian.Uint64(b[:])
}

func half(s string) uint32 {
	var b [4]byte
	copy(b[:], s)
	return binary.LittleEndian.Uint32(b[:])
}

// mix makes one well-spread number of two hashes: the finalizer of SplitMix64
// (Steele, Lea and Flood, 2014) over their difference.
func mix(a, b uint64) uint64 {
	x := a ^ b
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}
