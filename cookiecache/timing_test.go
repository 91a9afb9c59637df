package cookiecache_test

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// ASHLAR_TIMING=1 measures, by Welch's t over a million refusals in random
// order, whether the time tells at which byte the tag is wrong. A value of |t|
// below 4.5 says no. It is printed and decides nothing: other work on the
// machine disturbs it.
func TestTimeOfRefusals(t *testing.T) {
	if os.Getenv("ASHLAR_TIMING") == "" {
		t.Skip("takes seconds: set ASHLAR_TIMING=1")
	}
	s := must(cookiecache.NewSealer("x", oneKey(), cookiecache.Ages{}))
	at := cookiecache.Binding{Host: "h"}
	wire := must(s.AppendSeal(nil, make([]byte, 101), at, cookiecache.Meta{})) // 147 bytes: the tag ends a group of 3
	flip := func(char int) string {
		b := []byte(string(wire))
		if b[char] = 'A'; wire[char] == 'A' {
			b[char] = 'Q'
		}
		return string(b)
	}
	first, last := flip(len(wire)-21), flip(len(wire)-2)
	measure := func(a, b string) float64 {
		var n, sum, squares [2]float64
		dst := make([]byte, 0, 1000)
		for range 1_000_000 {
			k := rand.IntN(2)
			in := [2]string{a, b}[k]
			begin := time.Now()
			_, _, err := s.AppendOpen(dst, in, at)
			d := float64(time.Since(begin))
			if err == nil {
				t.Fatal("accepted")
			}
			if d > 20_000 { // interrupted
				continue
			}
			n[k]++
			sum[k] += d
			squares[k] += d * d
		}
		mean := func(k int) float64 { return sum[k] / n[k] }
		variance := func(k int) float64 { return squares[k]/n[k] - mean(k)*mean(k) }
		t.Logf("means %.1f and %.1f ns", mean(0), mean(1))
		return (mean(0) - mean(1)) / math.Sqrt(variance(0)/n[0]+variance(1)/n[1])
	}
	t.Logf("tag wrong at its first against its last byte: t = %.2f", measure(first, last))
	t.Logf("the same against itself:                      t = %.2f", measure(first, string([]byte(first))))
}
