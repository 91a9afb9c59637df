package group

// history is what a member has published, as far as it fits: it repairs what
// others have missed.
type history struct {
	most  int // bytes
	size  int
	last  map[string]uint64   // by subject: the number of its newest message
	kept  map[string][][]byte // by subject: its newest messages, oldest first
	order []string            // of which subject each kept message is, oldest first
}

func newHistory(most int) *history {
	return &history{most: most, last: map[string]uint64{}, kept: map[string][][]byte{}}
}

// next returns the number of the next message of subject.
func (h *history) next(subject string) uint64 { return h.last[subject] + 1 }

// add notes that data was published as the next message of subject.
func (h *history) add(subject string, data []byte) {
	h.last[subject]++
	h.kept[subject] = append(h.kept[subject], data)
	h.order = append(h.order, subject)
	h.size += len(data)
	for h.size > h.most {
		oldest := h.order[0]
		h.order[0] = ""
		h.order = h.order[1:]
		list := h.kept[oldest]
		h.size -= len(list[0])
		list[0] = nil
		if list = list[1:]; len(list) == 0 {
			delete(h.kept, oldest)
		} else {
			h.kept[oldest] = list
		}
	}
}

// messages returns those from first to last that are kept, as many as fit into
// room bytes, but one at least; and the number of the first of them, which is
// later than asked for if older ones are gone.
func (h *history) messages(subject string, first, last uint64, room int) (uint64, [][]byte) {
	list := h.kept[subject]
	oldest := h.last[subject] + 1 - uint64(len(list))
	first = max(first, oldest)
	last = min(last, h.last[subject])
	if first > last {
		return h.last[subject] + 1, nil
	}
	list = list[first-oldest : last-oldest+1]
	for i, m := range list {
		if room -= len(m) + 8; room < 0 && i > 0 {
			return first, list[:i]
		}
	}
	return first, list
}
