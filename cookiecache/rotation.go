package cookiecache

import (
	"fmt"
	"slices"
	"time"
)

// turn says which key seals from a moment on, until the next turn.
type turn struct {
	from time.Time
	key  int // index, -1: none
}

// sealEnd is when the key ceases to seal; zero: never.
func (k *Key) sealEnd() time.Time {
	if k.SealUntil.IsZero() {
		return k.OpenUntil
	}
	return k.SealUntil
}

func (k *Key) seals(now time.Time) bool {
	end := k.sealEnd()
	return !now.Before(k.SealFrom) && (end.IsZero() || now.Before(end))
}

func (k *Key) opens(now time.Time) bool {
	return k.OpenUntil.IsZero() || now.Before(k.OpenUntil)
}

// precedes reports by how much k has the right to seal before other, when both
// may: the one that begins later, and of those the one that ends later.
func (k *Key) precedes(other *Key) int {
	if c := k.SealFrom.Compare(other.SealFrom); c != 0 {
		return c
	}
	a, b := k.sealEnd(), other.sealEnd()
	switch {
	case a.Equal(b):
		return 0
	case a.IsZero():
		return 1
	case b.IsZero():
		return -1
	}
	return a.Compare(b)
}

// schedule returns the turns in order of time; the first begins at the zero
// time. Two keys with the same window for sealing are refused, unless a third
// precedes them all the time.
func schedule(keys []Key) ([]turn, error) {
	moments := []time.Time{{}}
	for i := range keys {
		moments = append(moments, keys[i].SealFrom, keys[i].sealEnd())
	}
	slices.SortFunc(moments, time.Time.Compare)
	moments = slices.CompactFunc(moments, time.Time.Equal)
	var turns []turn
	for _, at := range moments {
		first, rival := -1, -1
		for i := range keys {
			if !keys[i].seals(at) {
				continue
			}
			c := 1
			if first >= 0 {
				c = keys[i].precedes(&keys[first])
			}
			switch {
			case c > 0:
				first, rival = i, -1
			case c == 0:
				rival = i
			}
		}
		if rival >= 0 {
			return nil, fmt.Errorf("cookiecache: keys %d and %d would both seal: give the newer one a later SealFrom, or the older one an OpenUntil",
				keys[first].ID, keys[rival].ID)
		}
		if len(turns) == 0 || turns[len(turns)-1].key != first {
			turns = append(turns, turn{at, first})
		}
	}
	return turns, nil
}

// sealer returns the index of the key that seals now, -1 if none does.
func sealer(turns []turn, now time.Time) int {
	i, found := slices.BinarySearchFunc(turns, now, func(t turn, now time.Time) int { return t.from.Compare(now) })
	if !found {
		i--
	}
	if i < 0 {
		return -1
	}
	return turns[i].key
}
