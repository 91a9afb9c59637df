package cookiecache

import (
	"bytes"
	"testing"
)

// BenchmarkSalt shows what remembering derived keys saves: the same 500 bytes
// are opened with and without.
func BenchmarkSalt(b *testing.B) {
	box, err := newXAESBox(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		b.Fatal(err)
	}
	raw := make([]byte, headSize+seedSize, 600)
	if err := box.draw(raw[headSize:]); err != nil {
		b.Fatal(err)
	}
	if raw, err = box.seal(append(raw, make([]byte, 500)...), nil); err != nil {
		b.Fatal(err)
	}
	for _, known := range []bool{true, false} {
		b.Run(map[bool]string{true: "remembered", false: "derived"}[known], func(b *testing.B) {
			dst := make([]byte, 0, 600)
			b.ReportAllocs()
			for b.Loop() {
				if !known {
					box.known.set([saltSize]byte(raw[headSize:]))[0].Store(nil)
				}
				if _, ok := box.open(dst, raw, nil); !ok {
					b.Fatal("not opened")
				}
			}
		})
	}
}
