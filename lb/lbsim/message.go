package lbsim

import (
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// message is a probe on its way, or a report that comes without a reply.
type message struct {
	server, balancer int32
	report           lb.Report
}

// probe sends what the policy wants for one request.
func (f *farm) probe(b int32) {
	if f.rate == 0 {
		return
	}
	for f.credit[b] += f.rate; f.credit[b] >= 1; f.credit[b]-- {
		n := f.pools[b].ProbeTarget()
		f.events.push(event{at: f.hop(), kind: asked, who: f.message(f.index[n.ID], b)})
		f.probes++
	}
}

// tell sends a server's state to a balancer, unasked.
func (f *farm) tell(server, balancer int32) {
	i := f.message(server, balancer)
	f.reports[i].report = f.servers[server].tracker.Report(time.Duration(f.now))
	f.events.push(event{at: f.hop(), kind: answered, who: i})
}

func (f *farm) message(server, balancer int32) int32 {
	m := message{server: server, balancer: balancer}
	if n := len(f.freeReps); n > 0 {
		i := f.freeReps[n-1]
		f.freeReps = f.freeReps[:n-1]
		f.reports[i] = m
		return i
	}
	f.reports = append(f.reports, m)
	return int32(len(f.reports) - 1)
}
