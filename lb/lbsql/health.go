package lbsql

// health is the state of one replica as its measurements show it.
type health struct {
	up        bool
	met       bool // it was up before
	good, bad int  // measurements in a row
}

// finding is what one measurement found.
type finding int

const (
	fresh  finding = iota // it answered and is near enough
	stale                 // it answered and is too far behind, or nobody knows how far
	silent                // it did not answer, or is no replica
)

// step is the next state. To be too far behind is a fact and acts at once;
// silence may be an accident and acts after fall of them. Who was away comes
// back after rise good measurements, and the first time after one.
func (h health) step(f finding, rise, fall int) health {
	if f != fresh {
		h.good = 0
		h.bad++
		if f == stale || h.bad >= fall {
			h.up = false
		}
		return h
	}
	h.bad = 0
	h.good++
	if !h.up && (h.good >= rise || !h.met) {
		h.up, h.met = true, true
	}
	return h
}
