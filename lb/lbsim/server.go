package lbsim

import "github.com/ashlar-go/ashlar/lb"

// server shares its cores equally among its requests (processor sharing).
type server struct {
	id      int32
	fault   fault   // until Scenario.Heal
	speed   float64 // now
	usual   float64
	cores   float64
	jobs    []job   // heap by served
	served  float64 // what a request that is there from the beginning has got, in ns of speed 1
	at      int64   // when served was brought up to date
	version uint32  // of the event that says when the next one is done
	tracker *lb.Tracker
	sent    int // requests on it or on their way to it
	tokens  int // free cores that balancers know of
}

type fault uint8

const (
	sound  fault = iota
	fast         // fails each request at once
	silent       // never answers
)

// job is a request on a server: done when served has reached ends.
type job struct {
	ends float64
	req  int32
}

// rate is how fast each request is served now.
func (s *server) rate() float64 {
	if n := float64(len(s.jobs)); n > s.cores {
		return s.speed * s.cores / n
	}
	return s.speed
}

func (s *server) advance(now int64) {
	s.served += float64(now-s.at) * s.rate()
	s.at = now
}

// next returns when the first of its requests will be done; there must be one.
func (s *server) next() int64 {
	return s.at + int64(max(s.jobs[0].ends-s.served, 0)/s.rate()) + 1
}

func (s *server) push(j job) {
	h := append(s.jobs, j)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if h[up].ends <= j.ends {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = j
	s.jobs = h
}

func (s *server) pop() job {
	h := s.jobs
	top := h[0]
	n := len(h) - 1
	j := h[n]
	h = h[:n]
	s.jobs = h
	if n == 0 {
		return top
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= n {
			break
		}
		if c+1 < n && h[c+1].ends < h[c].ends {
			c++
		}
		if j.ends <= h[c].ends {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = j
	return top
}
