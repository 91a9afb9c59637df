package cookiecache

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"os"
	"testing"
)

// xaesAEAD is the plain XAES-256-GCM of the specification, with 24 byte nonces.
func xaesSeal(t *testing.T, key, nonce, plain, aad []byte) []byte {
	t.Helper()
	x, err := newXAES(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := x.derive([12]byte(nonce))
	if err != nil {
		t.Fatal(err)
	}
	sealed := aead.Seal(nil, nonce[12:], plain, aad)
	if got, err := aead.Open(nil, nonce[12:], sealed, aad); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("does not open: %v", err)
	}
	return sealed
}

// The vectors of c2sp.org/XAES-256-GCM; in the second the doubling carries.
func TestXAESAgreesWithTheSpecification(t *testing.T) {
	for _, v := range []struct {
		key                 byte
		k1, aad, ciphertext string
	}{
		{1, "e531954aca063d5b8d9c47a47d4cc6f0", "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "23810ec50edb99f374409466ed1f4b7b", "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		key := bytes.Repeat([]byte{v.key}, 32)
		x, err := newXAES(key)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(x.k1[:]); got != v.k1 {
			t.Errorf("key %d: K1 = %s, want %s", v.key, got, v.k1)
		}
		got := xaesSeal(t, key, []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM"), []byte(v.aad))
		if hex.EncodeToString(got) != v.ciphertext {
			t.Errorf("key %d: %x, want %s", v.key, got, v.ciphertext)
		}
	}
}

// The specification's accumulated vectors: random keys, nonces, texts from
// SHAKE-128, all results hashed. The long one takes seconds: ASHLAR_LONG=1.
func TestXAESAgreesWithTheAccumulatedVectors(t *testing.T) {
	n, want := 10_000, "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	if os.Getenv("ASHLAR_LONG") != "" {
		n, want = 1_000_000, "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15"
	}
	source, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = source.Read(b) // never fails
		return b
	}
	for range n {
		key, nonce := read(32), read(24)
		plain := read(int(read(1)[0]))
		aad := read(int(read(1)[0]))
		_, _ = sum.Write(xaesSeal(t, key, nonce, plain, aad)) // never fails
	}
	got := make([]byte, 32)
	_, _ = sum.Read(got)
	if hex.EncodeToString(got) != want {
		t.Errorf("%d iterations: %x, want %s", n, got, want)
	}
}

func TestSaltCacheIsBoundedAndKeepsWhatItHas(t *testing.T) {
	var c saltCache
	salt := func(n int) (s [saltSize]byte) { return [saltSize]byte{0: byte(n), 1: byte(n >> 8), 2: byte(n >> 16)} }
	const many = 10_000
	for n := range many {
		c.put(&salted{salt: salt(n)})
		if c.get(salt(n)) == nil {
			t.Fatalf("salt %d is gone at once", n)
		}
	}
	held := 0
	for n := range many {
		if s := c.get(salt(n)); s != nil {
			held++
			if s.salt != salt(n) {
				t.Fatalf("asked for salt %d, got %x", n, s.salt)
			}
		}
	}
	if held != saltSets*saltWays {
		t.Errorf("%d of %d salts are held, want %d", held, many, saltSets*saltWays)
	}
}

func TestForgedCookiesDoNotEnterTheSaltCache(t *testing.T) {
	sealing, err := newXAESBox(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	opening, err := newXAESBox(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, headSize+seedSize, 100)
	if err := sealing.draw(raw[headSize:]); err != nil {
		t.Fatal(err)
	}
	raw, err = sealing.seal(append(raw, "text"...), nil)
	if err != nil {
		t.Fatal(err)
	}
	salt := [saltSize]byte(raw[headSize:])
	raw[len(raw)-1] ^= 1
	if _, ok := opening.open(nil, raw, nil); ok || opening.known.get(salt) != nil {
		t.Errorf("forged: opened %v, cached %v", ok, opening.known.get(salt) != nil)
	}
	raw[len(raw)-1] ^= 1
	if _, ok := opening.open(nil, raw, nil); !ok || opening.known.get(salt) == nil {
		t.Errorf("genuine: opened %v, cached %v", ok, opening.known.get(salt) != nil)
	}
}

func TestASaltSealsABoundedNumber(t *testing.T) {
	b, err := newXAESBox(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	seed := make([]byte, seedSize)
	salts := map[[saltSize]byte]int{}
	draw := func() {
		if err := b.draw(seed); err != nil {
			t.Fatal(err)
		}
		salts[[saltSize]byte(seed)]++
	}
	draw()
	draw()
	if len(salts) != 1 {
		t.Fatalf("%d salts for two messages", len(salts))
	}
	if left := b.cur.Load().left.Load(); left != sealsPerSalt-2 {
		t.Fatalf("the salt may seal %d more, want %d", left, sealsPerSalt-2)
	}
	b.cur.Load().left.Store(1)
	draw()
	draw()
	if len(salts) != 2 || salts[[saltSize]byte(seed)] != 1 {
		t.Errorf("salts after the bound: %v", salts)
	}
}
