package lb

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The least of a table is a least one, and each of equals is as likely.
func TestLeastIsAnyOfEquals(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 1 + rnd.IntN(70)
		table := make(costTable, n)
		least := math.Inf(1)
		for slot := range table {
			table[slot].Store(place(slot, n))
			c := float64(rnd.IntN(5)) * 1e12
			table.set(slot, math.Float32bits(float32(c*c)))
			least = min(least, table.cost(slot))
		}
		for range 50 {
			if slot := table.least(rnd.Uint64()); table.cost(slot) != least {
				t.Fatalf("%d slots: slot %d costs %v, the least %v", n, slot, table.cost(slot), least)
			}
		}
	}
	for _, n := range []int{3, 5, 7, 32, 33} {
		table := make(costTable, n)
		for slot := range table {
			table[slot].Store(place(slot, n))
		}
		const draws = 20000
		got := make([]int, n)
		for range draws {
			got[table.least(rnd.Uint64())]++
		}
		for slot, k := range got {
			if mean := float64(draws) / float64(n); math.Abs(float64(k)-mean) > 6*math.Sqrt(mean) {
				t.Errorf("slot %d of %d equals was chosen %d times, want about %.0f", slot, n, k, mean)
			}
		}
	}
	// Some of them, in a row: none is forgotten, and none is everybody's favourite.
	const n, equals, draws = 20, 11, 20000
	table := make(costTable, n)
	for slot := range table {
		table[slot].Store(place(slot, n))
		if slot >= equals {
			table.set(slot, math.Float32bits(1))
		}
	}
	got := make([]int, n)
	for range draws {
		got[table.least(rnd.Uint64())]++
	}
	for slot, k := range got {
		if mean := draws / equals; slot < equals && (k < mean/3 || k > 3*mean) || slot >= equals && k > 0 {
			t.Errorf("of %d equals in a row: %v", equals, got)
			break
		}
	}
}
