package lb

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// plant is a node whose cores are shared by the requests in flight, and demand
// that always wants more than the limit, or a part of what the node can do.
type plant struct {
	g     *gauge
	rnd   *rand.Rand
	now   time.Duration
	cores float64
	speed float64
	jobs  []plantJob
	done  int
}

type plantJob struct {
	left  float64 // ns of work
	begun time.Duration
}

func newPlant(a Adaptive, cores float64) *plant {
	a, err := a.fill(0)
	if err != nil {
		panic(err)
	}
	return &plant{g: newGauge(a), rnd: rand.New(rand.NewPCG(1, 2)), cores: cores, speed: 1}
}

// run plays d with so many requests asking for a place at any time.
func (p *plant) run(d time.Duration, demand int) {
	const step = 100 * time.Microsecond
	for end := p.now + d; p.now < end; p.now += step {
		for len(p.jobs) < min(int(p.g.limit), demand) {
			p.jobs = append(p.jobs, plantJob{left: p.rnd.ExpFloat64() * float64(10*time.Millisecond), begun: p.now})
		}
		rate := p.speed * min(1, p.cores/float64(max(len(p.jobs), 1))) * float64(step)
		for i := 0; i < len(p.jobs); {
			if p.jobs[i].left -= rate; p.jobs[i].left > 0 {
				i++
				continue
			}
			n := len(p.jobs)
			p.g.ended(p.now, p.now-p.jobs[i].begun+step, false, n)
			p.jobs[i] = p.jobs[n-1]
			p.jobs = p.jobs[:n-1]
			p.done++
		}
	}
}

// mean is the mean limit over d.
func (p *plant) mean(d time.Duration, demand int) float64 {
	sum := 0.0
	const parts = 100
	for range parts {
		p.run(d/parts, demand)
		sum += p.g.limit
	}
	return sum / parts
}

func TestAdaptiveLimitConvergesNearCapacity(t *testing.T) {
	sizes := []float64{4, 16}
	if os.Getenv("ASHLAR_SOAK") == "1" {
		sizes = append(sizes, 64)
	}
	for _, cores := range sizes {
		for _, start := range []int{2, 16, 200} {
			p := newPlant(Adaptive{Start: start}, cores)
			p.run(20*time.Second, 10_000)
			p.done = 0
			got := p.mean(10*time.Second, 10_000)
			could := cores * 1000 // of 10 ms in 10 s
			t.Logf("%v cores from %d: limit %.1f, %.1f %% of capacity used", cores, start, got, float64(p.done)/could*100)
			if got < cores*0.8 || got > cores*2.5 || float64(p.done) < 0.8*could {
				t.Errorf("%v cores from %d: limit %.1f, %d of %.0f done", cores, start, got, p.done, could)
			}
		}
	}
}

func TestAdaptiveLimitDoesNotCreepInOverload(t *testing.T) {
	p := newPlant(Adaptive{}, 16)
	p.run(20*time.Second, 10_000)
	minutes := 1
	if os.Getenv("ASHLAR_SOAK") == "1" {
		minutes = 10
	}
	for minute := range minutes {
		if got := p.mean(time.Minute, 10_000); got > 40 {
			t.Fatalf("minute %d of overload: limit %.1f for 16 cores", minute, got)
		}
	}
}

func TestAdaptiveLimitFallsWithinASecondAndRecovers(t *testing.T) {
	p := newPlant(Adaptive{}, 15)
	p.run(20*time.Second, 10_000)
	usual := p.mean(5*time.Second, 10_000)
	p.cores = 5 // a third of it
	least := math.Inf(1)
	for range 10 {
		p.run(100*time.Millisecond, 10_000)
		least = min(least, p.g.limit)
	}
	if least > usual/2 {
		t.Errorf("a second after the node lost two thirds: limit %.1f of %.1f", least, usual)
	}
	p.run(5*time.Second, 10_000)
	if got := p.mean(10*time.Second, 10_000); got > 5*2.8 {
		t.Errorf("with a third of the cores the limit is %.1f, it was %.1f", got, usual)
	}
	p.cores = 15
	p.run(10*time.Second, 10_000)
	if got := p.mean(5*time.Second, 10_000); got < usual*0.7 {
		t.Errorf("after recovery the limit is %.1f, it was %.1f", got, usual)
	}
}

func TestAdaptiveLimitDoesNotStarveAfterIdleTime(t *testing.T) {
	p := newPlant(Adaptive{}, 16)
	p.run(20*time.Second, 10_000)
	p.run(time.Minute, 1)
	p.now += time.Hour
	p.jobs = nil
	if p.g.limit < 12 {
		t.Errorf("after idle time the limit is %.1f", p.g.limit)
	}
	p.done = 0
	p.run(2*time.Second, 10_000)
	if p.done < 16*200*8/10 {
		t.Errorf("%d done in the first two seconds, could be 3200", p.done)
	}
}

// Whatever comes, the limit stays in its bounds.
func FuzzAdaptiveLimit(f *testing.F) {
	f.Add(uint64(1), int64(time.Millisecond))
	f.Fuzz(func(t *testing.T, seed uint64, scale int64) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		a, err := Adaptive{Min: 2, Start: 5, Max: 50}.fill(0)
		if err != nil {
			t.Fatal(err)
		}
		g := newGauge(a)
		var now time.Duration
		for range 5000 {
			now += time.Duration(rnd.ExpFloat64() * float64(5*time.Millisecond))
			g.ended(now, time.Duration(rnd.ExpFloat64()*float64(scale)), rnd.IntN(20) == 0, rnd.IntN(60))
			if !(g.limit >= 2 && g.limit <= 50) {
				t.Fatalf("limit %v", g.limit)
			}
		}
	})
}
