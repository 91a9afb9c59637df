package cookiecache

import (
	crand "crypto/rand"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"
)

// testRand is seeded anew each time, and says with what.
func testRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestFailingRandomnessSealsNothing(t *testing.T) {
	c, err := New(Config[[]byte]{Name: "nav", Keyring: ring1(t), Codec: rawCodec{}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSealer("nav", ring1(t), Ages{})
	if err != nil {
		t.Fatal(err)
	}
	genuine := crand.Reader
	defer func() { crand.Reader = genuine }()
	for name, reader := range map[string]io.Reader{
		"fails":        iotest.ErrReader(errors.New("no entropy")),
		"fails midway": io.LimitReader(genuine, 15),
		"zeros":        zeros{},
	} {
		crand.Reader = reader
		w := httptest.NewRecorder()
		if err := c.Set(w, httptest.NewRequest("GET", "/", nil), []byte("x")); !errors.Is(err, ErrRandom) || len(w.Header()) != 0 {
			t.Errorf("%s: Set = %v with header %v", name, err, w.Header())
		}
		if out, err := s.AppendSeal([]byte("kept"), []byte("x"), Binding{}, Meta{}); !errors.Is(err, ErrRandom) || string(out) != "kept" {
			t.Errorf("%s: AppendSeal = %q, %v", name, out, err)
		}
	}
	crand.Reader = genuine
	if err := c.Set(discardHeader{}, httptest.NewRequest("GET", "/", nil), []byte("x")); err != nil {
		t.Errorf("with randomness again: %v", err)
	}
}

type discardHeader http.Header

func (d discardHeader) Header() http.Header       { return http.Header{} }
func (discardHeader) Write(b []byte) (int, error) { return len(b), nil }
func (discardHeader) WriteHeader(int)             {}

func ring1(t *testing.T) *Keyring {
	t.Helper()
	k, err := NewKeyring(Key{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// All nonces of 2^20 messages differ (2^16 with the race detector, or with
// -short), and each bit of the ciphertexts is one about half of the time.
func TestNoncesNeverRepeatAndCiphertextsAreUnbiased(t *testing.T) {
	messages := 1 << 20
	if raceEnabled || testing.Short() {
		messages = 1 << 16
	}
	b, err := newBox(make([]byte, 32), XAES256GCM.String(), "nav")
	if err != nil {
		t.Fatal(err)
	}
	const text = 16
	var l = letter{body: make([]byte, text)}
	l.issued = fromWire(0)
	l.renewed = l.issued
	seen := make(map[[seedSize]byte]struct{}, messages)
	var ones [8 * text]int
	var s scratch
	s.bind("nav", Binding{})
	for range messages {
		if err := l.seal(&s, b, 1, 1); err != nil {
			t.Fatal(err)
		}
		nonce := [seedSize]byte(s.raw[headSize:])
		if _, dup := seen[nonce]; dup {
			t.Fatalf("nonce %x came twice", nonce)
		}
		seen[nonce] = struct{}{}
		for i, x := range s.raw[headSize+seedSize:][:text] {
			for j := range 8 {
				ones[8*i+j] += int(x >> j & 1)
			}
		}
	}
	// Six standard deviations: for 128 bits one false alarm in millions of runs.
	half, sigma := float64(messages)/2, 0.5*math.Sqrt(float64(messages))
	for i, n := range ones {
		if d := float64(n) - half; d > 6*sigma || d < -6*sigma {
			t.Errorf("bit %d is one %d times in %d", i, n, messages)
		}
	}
}
