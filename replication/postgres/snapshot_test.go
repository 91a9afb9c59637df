package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/replication/postgres"
)

func randomPosition(r *rand.Rand) string {
	xmin := 1 + r.Int64N(12)
	xmax := xmin + r.Int64N(6)
	var open []string
	for x := xmin; x < xmax; x++ {
		if r.IntN(2) == 0 {
			open = append(open, fmt.Sprint(x))
		}
	}
	return fmt.Sprintf("%d:%d:%s", xmin, xmax, strings.Join(open, ","))
}

// Covers is exact: it says what looking at each transaction says.
func TestCoversIsWhatEachTransactionSays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	yes := 0
	for range 50000 {
		a, b := randomPosition(r), randomPosition(r)
		want := true
		for x := int64(1); x < 30; x++ {
			want = want && (postgres.Sees(a, x) || !postgres.Sees(b, x))
		}
		if got := d.Covers(a, b); got != want {
			t.Fatalf("Covers(%s, %s) = %v, want %v", a, b, got, want)
		}
		if want {
			yes++
		}
	}
	if yes < 2500 {
		t.Fatalf("only %d pairs were covered", yes)
	}
	for _, bad := range []string{"", "1:1", "a:b:c"} {
		if d.Covers("5:5:", bad) || d.Covers(bad, "5:5:") {
			t.Errorf("%q covers or is covered", bad)
		}
	}
}

// Numbers are of 64 bits: nothing happens where those of 32 bits wrap.
func TestPositionsPass32Bits(t *testing.T) {
	const before, after = "4294967290:4294967295:4294967290", "4294967290:4294967300:4294967290,4294967299"
	if !d.Covers(after, before) || d.Covers(before, after) {
		t.Error("the order of positions around 2^32 is wrong")
	}
}

func FuzzPosition(f *testing.F) {
	for _, s := range []string{"1:1:", "10:20:10,14,15", "4294967290:4294967300:4294967299", "::", "1:2:3:4", "9223372036854775807:9223372036854775807:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if postgres.ParsePosition(s) != nil {
			if d.Covers(s, s) {
				t.Fatalf("%q is no position and covers itself", s)
			}
			return
		}
		if strings.ContainsAny(s, " '\"\\;") {
			t.Fatalf("%q passed for a position", s)
		}
		if !d.Covers(s, s) {
			t.Fatalf("%q does not cover itself", s)
		}
	})
}
