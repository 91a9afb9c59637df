package lbsim

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Scenario is one farm and its traffic. Zero fields take the defaults, so that
// a scenario says only what is special about it.
type Scenario struct {
	Name      string
	Servers   int           // default 100
	Balancers int           // each with a pool of its own; default 10
	Load      float64       // offered work over what the servers can do in the long run; default 0.8
	Cores     int           // of each server; default 4
	Work      time.Duration // mean, on one core of speed 1; default 10ms
	Dist      Dist          // of the work; default Exponential
	Delay     time.Duration // one way between balancer and server; default 250us, negative none
	Jitter    float64       // each delay is longer by a random part of up to this times Delay
	Speeds    []float64     // of the servers, in turn; default all 1
	Noise     Noise         // default none
	Fast      int           // so many servers, the first ones, fail each request at once, as a reset connection does
	Silent    int           // so many after these take requests and probes and never answer
	Timeout   time.Duration // of requests to silent servers, which fail then; default 1s
	Fall      time.Duration // when servers begin to fail or to be silent; default at once
	Heal      time.Duration // when they serve again as others do; default never
	Newcomer  Newcomer      // default none
	Requests  int           // measured; default 300,000
	Warmup    int           // requests before that; default a quarter of Requests
	Seed      uint64        // of everything random
	Window    time.Duration // of Result.Sent; default none
}

// Dist is how the work of requests is distributed.
type Dist uint8

const (
	// Exponential work has a coefficient of variation of 1.
	Exponential Dist = iota
	// LogNormal work has a heavy tail: a coefficient of variation of 2.1.
	LogNormal
	// Constant work is all the same.
	Constant
	// Bimodal work is short nine times out of ten, and 20 times as long else.
	Bimodal
)

// String returns the name.
func (d Dist) String() string {
	switch d {
	case Exponential:
		return "exponential"
	case LogNormal:
		return "log-normal"
	case Constant:
		return "constant"
	case Bimodal:
		return "bimodal"
	}
	return fmt.Sprintf("Dist(%d)", uint8(d))
}

// sample draws work with the mean 1.
func (d Dist) sample(r *rand.Rand) float64 {
	switch d {
	case LogNormal:
		const s2 = 1.69 // ln(1 + 2.1^2)
		return math.Exp(math.Sqrt(s2)*r.NormFloat64() - s2/2)
	case Constant:
		return 1
	case Bimodal:
		const short = 1 / 2.9
		if r.IntN(10) == 0 {
			return 20 * short
		}
		return short
	}
	return r.ExpFloat64()
}

// Noise slows each server down now and then, as neighbours on a shared machine
// do.
type Noise struct {
	Every  time.Duration // mean time from one beginning to the next; default none
	For    time.Duration // how long it lasts
	Factor float64       // speed meanwhile
}

// Newcomer makes the last server join late, and cold.
type Newcomer struct {
	At     time.Duration // when it joins; default never: it is there from the beginning
	For    time.Duration // how long it is cold
	Factor float64       // its speed meanwhile
}

// Hetero are the speeds of the research table: three in ten servers at half
// speed, five at 1, two at 2.
var Hetero = []float64{0.5, 1, 2, 1, 0.5, 1, 1, 2, 0.5, 1}

// Noisy is the noise of the research table.
var Noisy = Noise{Every: 2 * time.Second, For: 400 * time.Millisecond, Factor: 0.35}

func (s Scenario) fill() (Scenario, error) {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&s.Servers, 100)
	def(&s.Balancers, 10)
	def(&s.Cores, 4)
	def(&s.Requests, 300_000)
	def(&s.Warmup, s.Requests/4)
	if s.Load == 0 {
		s.Load = 0.8
	}
	if s.Work == 0 {
		s.Work = 10 * time.Millisecond
	}
	if s.Delay == 0 {
		s.Delay = 250 * time.Microsecond
	}
	s.Delay = max(s.Delay, 0)
	if s.Speeds == nil {
		s.Speeds = []float64{1}
	}
	if s.Noise.Every == 0 {
		s.Noise.Factor = 1
	}
	if s.Timeout == 0 {
		s.Timeout = time.Second
	}
	for _, v := range s.Speeds {
		if !(v > 0) || math.IsInf(v, 0) {
			return s, fmt.Errorf("lbsim: a server has speed %v", v)
		}
	}
	switch {
	case s.Servers < 1 || s.Balancers < 1 || s.Cores < 1 || s.Requests < 1 || s.Warmup < 0 || s.Work < 0:
		return s, errors.New("lbsim: a number of the scenario is negative")
	case !(s.Load > 0) || s.Load > 10:
		return s, fmt.Errorf("lbsim: load %v, want more than 0 and at most 10", s.Load)
	case !(s.Jitter >= 0) || s.Jitter > 1000:
		return s, fmt.Errorf("lbsim: jitter %v, want 0 to 1000", s.Jitter)
	case s.Noise.Every != 0 && (s.Noise.For <= 0 || s.Noise.Every <= s.Noise.For || !(s.Noise.Factor > 0)):
		return s, fmt.Errorf("lbsim: noise %+v makes no sense", s.Noise)
	case s.Fast < 0 || s.Silent < 0 || s.Fast+s.Silent > s.Servers:
		return s, fmt.Errorf("lbsim: %d and %d of %d servers fail", s.Fast, s.Silent, s.Servers)
	case s.Timeout < 0 || s.Fall < 0 || s.Heal < 0 || s.Window < 0:
		return s, errors.New("lbsim: a time of the scenario is negative")
	case s.Newcomer.At < 0 || s.Newcomer.At > 0 && (s.Servers < 2 || s.Newcomer.For <= 0 || !(s.Newcomer.Factor > 0)):
		return s, fmt.Errorf("lbsim: newcomer %+v among %d servers makes no sense", s.Newcomer, s.Servers)
	}
	return s, nil
}

// speed of server i.
func (s *Scenario) speed(i int) float64 { return s.Speeds[i%len(s.Speeds)] }

// capacity is the work that all servers do in a second, in seconds of speed 1.
func (s *Scenario) capacity() float64 {
	sum := 0.0
	for i := range s.Servers {
		sum += s.speed(i)
	}
	if n := s.Noise; n.Every > 0 {
		slow := float64(n.For) / float64(n.Every)
		sum *= 1 - slow*(1-n.Factor)
	}
	return sum * float64(s.Cores)
}
