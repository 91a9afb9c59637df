package lbsql

import "time"

// history is what is known of the primary's past: where it stood and when. It
// turns a replica's position into an age without comparing two machines'
// clocks. Times are of one monotonic clock of ours.
type history struct {
	marks []mark // oldest first; positions and times grow
	keep  time.Duration
}

// mark says that all that was committed before at is contained in pos.
type mark struct {
	at  time.Duration
	pos Position
}

// most bounds a history whatever Config says.
const most = 4096

// add notes that the primary, asked at the time at, answered pos. A position
// that went back is another history: it reports false and begins anew.
func (h *history) add(at time.Duration, pos Position) bool {
	n := len(h.marks)
	if n > 0 && pos < h.marks[n-1].pos {
		h.marks = append(h.marks[:0], mark{at, pos})
		return false
	}
	if n > 0 && pos == h.marks[n-1].pos {
		// Nothing was written since: who has it all has it all as of now.
		h.marks[n-1].at = at
		return true
	}
	h.marks = append(h.marks, mark{at, pos})
	old := 0
	for old < len(h.marks)-1 && (at-h.marks[old+1].at > h.keep || len(h.marks)-old > most) {
		old++
	}
	h.marks = append(h.marks[:0], h.marks[old:]...)
	return true
}

// lag returns how far a replica at pos was behind the primary when that
// answered last: it has all that was committed longer than that before. It is
// false when the history does not reach back so far; then the lag is more than
// that, or nothing is known at all.
//
// A primary that is away does not make its replicas older: there is nothing
// that they could miss, as far as anybody knows.
func (h *history) lag(pos Position) (time.Duration, bool) {
	n := len(h.marks)
	if n == 0 {
		return 0, false
	}
	last := h.marks[n-1].at
	for i := n - 1; i >= 0; i-- {
		if pos >= h.marks[i].pos {
			return last - h.marks[i].at, true
		}
	}
	return last - h.marks[0].at, false
}
