package cookiecache

import (
	"testing"
	"time"
)

func TestTheKeyThatBeginsLastSeals(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	never := time.Time{}
	for _, tt := range []struct {
		name string
		keys []Key
		want map[int]int // hour to ID, -1: none
	}{
		{"one key", []Key{{ID: 1}}, map[int]int{0: 1, 23: 1}},
		{"a key to come", []Key{{ID: 1}, {ID: 2, SealFrom: at(12)}}, map[int]int{11: 1, 12: 2, 23: 2}},
		{"in any order", []Key{{ID: 2, SealFrom: at(12)}, {ID: 1}}, map[int]int{11: 1, 12: 2}},
		{"the new one ends: the old one seals again", []Key{{ID: 1}, {ID: 2, SealFrom: at(12), SealUntil: at(18)}}, map[int]int{11: 1, 12: 2, 17: 2, 18: 1}},
		{"a gap", []Key{{ID: 1, SealUntil: at(6)}, {ID: 2, SealFrom: at(12)}}, map[int]int{5: 1, 6: -1, 11: -1, 12: 2}},
		{"one without an end precedes one with", []Key{{ID: 1, OpenUntil: at(12)}, {ID: 2}}, map[int]int{0: 2, 13: 2}},
		{"retired long ago", []Key{{ID: 1, SealUntil: at(1)}, {ID: 2}}, map[int]int{0: 2, 2: 2}},
		{"OpenUntil ends sealing too", []Key{{ID: 1, OpenUntil: at(6)}}, map[int]int{5: 1, 6: -1}},
		{"three", []Key{{ID: 1, OpenUntil: at(20)}, {ID: 2, SealFrom: at(4), OpenUntil: at(22)}, {ID: 3, SealFrom: at(8)}}, map[int]int{3: 1, 4: 2, 7: 2, 8: 3, 23: 3}},
		{"rivals that a third precedes always", []Key{{ID: 1, SealFrom: at(1), SealUntil: at(3)}, {ID: 2, SealFrom: at(1), SealUntil: at(3)}, {ID: 3, SealFrom: at(1), OpenUntil: never}}, map[int]int{0: -1, 1: 3}},
	} {
		turns, err := schedule(tt.keys)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for hour, want := range tt.want {
			got := -1
			if i := sealer(turns, at(hour)); i >= 0 {
				got = int(tt.keys[i].ID)
			}
			if got != want {
				t.Errorf("%s: at %d h key %d seals, want %d", tt.name, hour, got, want)
			}
		}
	}
}

// At each moment of many random rings: the schedule agrees with the definition.
func TestScheduleAgreesWithItsDefinition(t *testing.T) {
	rnd := testRand(t)
	for range 2000 {
		keys := make([]Key, 1+rnd.IntN(5))
		moment := func() time.Time {
			if n := rnd.IntN(8); n > 0 {
				return time.Unix(int64(n), 0)
			}
			return time.Time{}
		}
		for i := range keys {
			keys[i] = Key{ID: byte(i), SealFrom: moment(), SealUntil: moment(), OpenUntil: moment()}
		}
		turns, err := schedule(keys)
		if err != nil {
			continue // two alike
		}
		for s := range 10 {
			now := time.Unix(int64(s), 0)
			want := -1
			for i := range keys {
				if keys[i].seals(now) && (want < 0 || keys[i].precedes(&keys[want]) > 0) {
					want = i
				}
			}
			if got := sealer(turns, now); got != want {
				t.Fatalf("%v at %d: key %d seals, want %d", keys, s, got, want)
			}
		}
	}
}

func TestTwoKeysForTheSameTimeAreRefused(t *testing.T) {
	at := time.Unix(1000, 0)
	for _, keys := range [][]Key{
		{{ID: 1}, {ID: 2}},
		{{ID: 1, SealFrom: at}, {ID: 2, SealFrom: at}},
		{{ID: 1, OpenUntil: at}, {ID: 2, SealUntil: at}},
	} {
		if _, err := schedule(keys); err == nil {
			t.Errorf("%v was accepted", keys)
		}
	}
}
