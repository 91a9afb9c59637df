package cookiecache

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
)

// encoding is how values are written: RFC 4648 section 5 without padding.
var encoding = base64.RawURLEncoding

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// sextets has, for each of four places, the bits that a character stands for;
// invalid is set for what is not in the alphabet.
var sextets = func() (t [4][256]uint32) {
	for place := range t {
		for c := range t[place] {
			t[place][c] = invalid
		}
		for i := range len(alphabet) {
			t[place][alphabet[i]] = uint32(i) << (18 - 6*place)
		}
	}
	return t
}()

const invalid = 1 << 31

// decodeBase64 appends to dst, which should have room, the bytes of src. It
// accepts only what encoding makes, so that each value has one spelling: where
// encoding/base64 skips CR and LF, even when strict, this refuses. It also takes
// half the time, and base64 is most of the cost of opening a cookie.
func decodeBase64[S string | []byte](dst []byte, src S) ([]byte, bool) {
	begin, n := len(dst), len(src)
	size := encoding.DecodedLen(n)
	if n%4 == 1 {
		return dst, false
	}
	// Whole words are stored, so there is room for the excess of the last one.
	dst = slices.Grow(dst, size+8)
	out := dst[begin : begin+size+8]
	var bad uint32
	i, o := 0, 0
	for ; i+8 <= n; i, o = i+8, o+6 {
		in := src[i : i+8]
		a := sextets[0][in[0]] | sextets[1][in[1]] | sextets[2][in[2]] | sextets[3][in[3]]
		b := sextets[0][in[4]] | sextets[1][in[5]] | sextets[2][in[6]] | sextets[3][in[7]]
		bad |= a | b
		binary.BigEndian.PutUint64(out[o:o+8], uint64(a)<<40|uint64(b&0xffffff)<<16)
	}
	for ; i < n; i, o = i+4, o+3 {
		var v uint32
		for place := range min(4, n-i) {
			v |= sextets[place][src[i+place]]
		}
		bad |= v
		switch n - i {
		case 2:
			bad |= v << 16 & 0xffff0000 // the last four bits must be zero
		case 3:
			bad |= v << 24
		}
		binary.BigEndian.PutUint32(out[o:o+4], v<<8)
	}
	if bad>>24 != 0 {
		return dst, false
	}
	return dst[:begin+size], true
}
