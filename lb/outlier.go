package lb

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// Outlier says when a node is taken out for failing, and for how long: Eject,
// then twice that if it fails again at once, and so on. A node that comes back
// is on trial: one failure before the first success takes it out again, and its
// share grows slowly as in Config.SlowStart, within ten seconds without one.
// Nobody is taken out beyond MaxShare of the nodes.
//
// Nodes that only answer slowly are not taken out unless Slow says so: policies
// that measure see them, and give them what they can do.
type Outlier struct {
	Consecutive int           // failures in a row; default 5, negative never
	Eject       time.Duration // how long the first time; default 30s
	MaxEject    time.Duration // how long at most; default 5m
	MaxShare    float64       // of the nodes that may be out; default 0.1, but always one of two or more
	// Slow takes out nodes whose mean latency in an Interval is so many times the
	// median of the others', for policies that do not measure; at least 1.5,
	// default 0: none.
	Slow float64
	// Interval is how often Run compares the nodes' success rates and latencies,
	// and takes out those that stand out; default 10s, negative never. Compared
	// are nodes with at least 50 requests in it, if these are at least five. See
	// [Pool.Run].
	Interval time.Duration
}

func (o Outlier) fill() (Outlier, error) {
	if o.Consecutive == 0 {
		o.Consecutive = 5
	}
	if o.Eject <= 0 {
		o.Eject = 30 * time.Second
	}
	if o.MaxEject <= 0 {
		o.MaxEject = 5 * time.Minute
	}
	if o.MaxShare == 0 {
		o.MaxShare = 0.1
	}
	if o.Interval == 0 {
		o.Interval = 10 * time.Second
	}
	if !(o.MaxShare > 0) || o.MaxShare > 1 {
		return o, errRange("Outlier.MaxShare", o.MaxShare)
	}
	if o.Slow != 0 && !(o.Slow >= 1.5) {
		return o, errRange("Outlier.Slow", o.Slow)
	}
	return o, nil
}

// trialRamp is the slow start of a node that was out, if Config.SlowStart says
// nothing.
const trialRamp = 10 * time.Second

const (
	rateVolume = 50   // requests in an interval that a node needs to be judged
	rateNodes  = 5    // nodes that must have so many
	rateSpread = 1.9  // standard deviations below the mean that stand out (Envoy's)
	rateApart  = 0.05 // and at least so far below it: small differences are chance
)

// outlying returns which of the nodes fail more than the others, going by
// their requests and failures in one interval.
func outlying(sent, failed []int64) []int {
	var judged []int
	var sum, squares float64
	rate := func(i int) float64 { return 1 - float64(failed[i])/float64(sent[i]) }
	for i := range sent {
		if sent[i] >= rateVolume {
			judged = append(judged, i)
			sum += rate(i)
			squares += rate(i) * rate(i)
		}
	}
	n := float64(len(judged))
	if n < rateNodes {
		return nil
	}
	mean := sum / n
	limit := mean - max(rateSpread*math.Sqrt(max(squares/n-mean*mean, 0)), rateApart)
	return slices.DeleteFunc(judged, func(i int) bool { return rate(i) >= limit })
}

// slower returns which of the nodes take more than factor times the median of
// the others' mean latencies, going by their requests in one interval and the
// sum of their latencies.
func slower(sent []int64, busy []time.Duration, factor float64) []int {
	type one struct {
		node int
		mean float64
	}
	var judged []one
	for i := range sent {
		if sent[i] >= rateVolume {
			judged = append(judged, one{i, float64(busy[i]) / float64(sent[i])})
		}
	}
	if len(judged) < rateNodes {
		return nil
	}
	slices.SortFunc(judged, func(a, b one) int { return cmp.Compare(a.mean, b.mean) })
	var out []int
	for k, j := range judged {
		// The median without it: of an even number the upper of the middle two.
		middle := (len(judged) - 1) / 2
		if middle >= k {
			middle++
		}
		if j.mean > factor*judged[middle].mean {
			out = append(out, j.node)
		}
	}
	slices.Reverse(out) // the slowest first, while some may still be taken out
	return out
}

// watchPeers compares the nodes until ctx ends.
func (p *Pool) watchPeers(ctx context.Context) {
	tick := time.NewTicker(p.outlier.Interval)
	defer tick.Stop()
	type counts struct {
		sent, failed int64
		busy         time.Duration
	}
	before := make(map[*Member]counts)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.mu.Lock()
		members := slices.Clone(p.members)
		p.mu.Unlock()
		now := make(map[*Member]counts, len(members))
		sent, failed := make([]int64, len(members)), make([]int64, len(members))
		busy := make([]time.Duration, len(members))
		for i, m := range members {
			p.mu.Lock()
			sum := m.fold()
			p.mu.Unlock()
			c := counts{int64(m.Acquired()), int64(m.fails.Load()), sum}
			if b, ok := before[m]; ok {
				sent[i], failed[i], busy[i] = c.sent-b.sent, c.failed-b.failed, c.busy-b.busy
			}
			now[m] = c
		}
		before = now
		for _, i := range outlying(sent, failed) {
			p.eject(members[i], p.now(), "failed more often than the others")
		}
		if p.outlier.Slow > 0 {
			for _, i := range slower(sent, busy, p.outlier.Slow) {
				p.eject(members[i], p.now(), "answered more slowly than the others")
			}
		}
	}
}

// eject takes m out, if it is not out already and others may be.
func (p *Pool) eject(m *Member, now time.Duration, why string) {
	p.change(func() {
		out := 1
		for _, o := range p.members {
			if now < o.state.ejected {
				out++
			}
		}
		n := len(p.members)
		if now < m.state.ejected || n < 2 || out > max(1, int(p.outlier.MaxShare*float64(n))) {
			return
		}
		if now-m.state.ejected > p.outlier.MaxEject {
			m.state.times = 0 // it was well for long
		}
		d := p.outlier.Eject << min(m.state.times, 20)
		if d <= 0 || d > p.outlier.MaxEject {
			d = p.outlier.MaxEject
		}
		m.state.times++
		m.state.ejected = now + d
		m.begin(m.state.ejected, cmp.Or(p.ramp, trialRamp))
		p.ejections.Add(1)
		m.inRow.Store(int32(max(p.outlier.Consecutive-1, 0))) // on trial afterwards
		p.log.Warn("lb: node taken out", "node", m.Node().ID, "for", d, "why", why)
	})
}
