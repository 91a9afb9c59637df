package hatest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/ashlar-go/ashlar/ha"
)

// LAN is a network in memory on which hosts have addresses. It is safe for
// concurrent use.
type LAN struct {
	mu    sync.Mutex
	hosts map[string]*Plumber
	owner map[netip.Prefix]string // what clients believe, by the last announcement
	gaps  int
}

// Host returns the Plumber of a host, which is the same for the same name.
func (l *LAN) Host(name string) *Plumber {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts == nil {
		l.hosts, l.owner = make(map[string]*Plumber), make(map[netip.Prefix]string)
	}
	p := l.hosts[name]
	if p == nil {
		p = &Plumber{lan: l, name: name, faults: make(map[string]fault), watchers: make(map[int]func(ha.PlumberEvent)),
			neighbours: make(map[string][]netip.Addr), told: make(map[ha.VIP][]netip.Addr)}
		l.hosts[name] = p
	}
	return p
}

// On returns the addresses of a host, in order.
func (l *LAN) On(host string) []ha.VIP {
	p := l.Host(host)
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(p.vips)
}

// Addresses returns the hosts that have each address: more than one while it is
// handed over.
func (l *LAN) Addresses() map[netip.Prefix][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[netip.Prefix][]string)
	for name, p := range l.hosts {
		for _, v := range p.vips {
			all[v.Prefix] = append(all[v.Prefix], name)
		}
	}
	return all
}

// Reaches returns the host that clients reach at the address: the last one that
// announced it, if it has it; otherwise "".
func (l *LAN) Reaches(prefix netip.Prefix) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.hosts[l.owner[prefix]]; p != nil && slices.ContainsFunc(p.vips, func(v ha.VIP) bool { return v.Prefix == prefix }) {
		return p.name
	}
	return ""
}

// Gaps counts how often an address was on no host any more: 0 as long as each
// move was made before the old owner let go.
func (l *LAN) Gaps() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gaps
}

// Plumber is a host of a [LAN]. It can do all that package ha asks for but Renew,
// and can be made to fail.
type Plumber struct {
	lan      *LAN
	name     string
	vips     []ha.VIP         // guarded by lan.mu, sorted
	faults   map[string]fault // guarded by lan.mu
	watchers map[int]func(ha.PlumberEvent)
	watched  int

	neighbours map[string][]netip.Addr // guarded by lan.mu
	told       map[ha.VIP][]netip.Addr // guarded by lan.mu
}

type fault struct {
	times int
	err   error
}

// ErrFault is the error of Fail without one of its own.
var ErrFault = errors.New("hatest: made to fail")

// Fail makes the next n calls of Attach, Detach or Announce fail with err, or with
// ErrFault if it is nil; a negative n means all calls, 0 none.
func (p *Plumber) Fail(op string, n int, err error) {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if err == nil {
		err = ErrFault
	}
	p.faults[op] = fault{n, err}
}

func (p *Plumber) failing(ctx context.Context, op string) error {
	f := p.faults[op]
	if f.times == 0 {
		return ctx.Err()
	}
	if f.times > 0 {
		f.times--
		p.faults[op] = f
	}
	return f.err
}

// Attach implements ha.Plumber.
func (p *Plumber) Attach(ctx context.Context, v ha.VIP) error {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if err := p.failing(ctx, "Attach"); err != nil {
		return err
	}
	if !slices.Contains(p.vips, v) {
		p.vips = append(p.vips, v)
		slices.SortFunc(p.vips, func(a, b ha.VIP) int { return a.Prefix.Compare(b.Prefix) })
	}
	return nil
}

// Detach implements ha.Plumber.
func (p *Plumber) Detach(ctx context.Context, v ha.VIP) error {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if err := p.failing(ctx, "Detach"); err != nil {
		return err
	}
	p.remove(v)
	return nil
}

func (p *Plumber) remove(v ha.VIP) {
	i := slices.Index(p.vips, v)
	if i < 0 {
		return
	}
	p.vips = slices.Delete(p.vips, i, i+1)
	for _, other := range p.lan.hosts {
		if slices.Contains(other.vips, v) {
			return
		}
	}
	p.lan.gaps++
}

// Announce implements ha.Plumber. It fails for an address that is not here: the
// order of events is wrong then.
func (p *Plumber) Announce(ctx context.Context, v ha.VIP, to []netip.Addr) error {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if err := p.failing(ctx, "Announce"); err != nil {
		return err
	}
	if !slices.Contains(p.vips, v) {
		return errors.New("hatest: " + v.String() + " is announced and not attached")
	}
	p.lan.owner[v.Prefix] = p.name
	for _, a := range to {
		if !slices.Contains(p.told[v], a) {
			p.told[v] = append(p.told[v], a)
		}
	}
	return nil
}

// Attached implements ha.Inventory.
func (p *Plumber) Attached(ctx context.Context) ([]ha.VIP, error) {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	return slices.Clone(p.vips), ctx.Err()
}

// Neighbours implements ha.NeighbourLister, with what Meet was told.
func (p *Plumber) Neighbours(ctx context.Context, iface string) ([]netip.Addr, error) {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	return slices.Clone(p.neighbours[iface]), ctx.Err()
}

// Meet makes the host know neighbours.
func (p *Plumber) Meet(iface string, addrs ...netip.Addr) {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	p.neighbours[iface] = append(p.neighbours[iface], addrs...)
}

// Told returns the neighbours that the host announced an address to one by one.
func (p *Plumber) Told(v ha.VIP) []netip.Addr {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	return slices.Clone(p.told[v])
}

// Watch implements ha.Watcher.
func (p *Plumber) Watch(ctx context.Context, f func(ha.PlumberEvent)) error {
	p.lan.mu.Lock()
	p.watched++
	id := p.watched
	p.watchers[id] = f
	p.lan.mu.Unlock()
	<-ctx.Done()
	p.lan.mu.Lock()
	delete(p.watchers, id)
	p.lan.mu.Unlock()
	return ctx.Err()
}

// Happen makes something happen to the host: an address is removed by somebody
// else (ha.Lost), or an interface loses its link or gets it back.
func (p *Plumber) Happen(e ha.PlumberEvent) {
	p.lan.mu.Lock()
	if e.What == ha.Lost {
		p.remove(e.VIP)
	}
	var tell []func(ha.PlumberEvent)
	for _, f := range p.watchers {
		tell = append(tell, f)
	}
	p.lan.mu.Unlock()
	for _, f := range tell {
		f(e)
	}
}
