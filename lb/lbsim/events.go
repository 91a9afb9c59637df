package lbsim

// event is something that will happen.
type event struct {
	at   int64 // ns
	kind kind
	who  int32  // server, balancer or request, by kind
	seq  uint32 // version of a server's next end
}

type kind uint8

const (
	arrival  kind = iota // a request comes to a balancer
	reaches              // a request reaches its server
	finishes             // a server's next request is served
	returns              // a reply is back at the balancer
	asked                // a probe reaches its server
	answered             // a report reaches its balancer
	slows                // a server gets slow
	recovers             // a server is itself again
	tells                // a server tells all balancers its state
	joins                // the newcomer joins
	warms                // the newcomer is cold no more
)

// queue is a heap of events with four children a node, which keeps the ways
// short.
type queue []event

func (q *queue) push(e event) {
	h := append(*q, e)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 4
		if h[up].at <= e.at {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
	*q = h
}

func (q *queue) pop() event {
	h := *q
	top := h[0]
	n := len(h) - 1
	e := h[n]
	h = h[:n]
	*q = h
	if n == 0 {
		return top
	}
	i := 0
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, n); c++ {
			if h[c].at < h[least].at {
				least = c
			}
		}
		if e.at <= h[least].at {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = e
	return top
}
