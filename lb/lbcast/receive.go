package lbcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// ReceiverConfig says what a [Receiver] listens to and whom it believes.
type ReceiverConfig struct {
	// Report takes in what a node said; required: usually Pool.Report. Its error
	// means that there is no such node. Called on Run's goroutine, and
	// must not block.
	Report func(id string, r lb.Report) error
	// Listen are IP addresses with ports: multicast groups, which are joined, or
	// addresses of this machine. Required.
	Listen []string
	// Interface is the name of the network interface on which groups are joined;
	// default the system's choice.
	Interface string
	// Cluster is the senders' Cluster; default "".
	Cluster string
	// Secrets are those that senders may sign with, at most 8; required.
	Secrets [][]byte
	// From are the networks that packets may come from; others are dropped
	// before anything is computed. Default any.
	From []netip.Prefix
	// MaxAge is how far a packet's time may be from the clock here, either way;
	// default 5s. See the package's guarantees.
	MaxAge time.Duration
	// Senders is how many senders are remembered; default 4096. More are
	// refused.
	Senders int
	// Trace is optional.
	Trace ReceiverTrace
	// Logger hears when reading stops working, and works again; default none.
	Logger *slog.Logger
}

// ReceiverTrace are functions that hear what a receiver does. They are called
// on Run's goroutines and must not block.
type ReceiverTrace struct {
	Listening func(addr netip.AddrPort)            // a socket is open
	Refused   func(from netip.AddrPort, err error) // a packet was not believed, or its node is unknown; err is for errors.Is
}

// Stats are a receiver's counters since it was made: each packet is in
// Accepted or in one of the causes.
type Stats struct {
	Accepted  int64 // handed to Report, which knew the node
	Malformed int64 // too short, too long, or no packet of ours
	Unwelcome int64 // from outside the networks of From
	Foreign   int64 // signed with an unknown key
	Forged    int64 // wrong signature
	Stale     int64 // too old, or from the future
	Replayed  int64 // not newer than what was heard before
	Full      int64 // of one sender too many
	Unknown   int64 // Report did not know the node
	Lost      int64 // sequence numbers that never came, or came too late
	Senders   int64 // remembered now
}

// Receiver hears reports and hands them on. It is safe for concurrent use.
type Receiver struct {
	cfg    ReceiverConfig
	keys   []key
	listen []endpoint
	log    *slog.Logger

	accepted, malformed, unwelcome, foreign, forged atomic.Int64
	stale, replayed, full, unknown, lost, senders   atomic.Int64

	memory memory // owned by the goroutine in Run
}

// letter is a packet whose signature is right.
type letter struct {
	message
	from netip.AddrPort
}

// NewReceiver checks cfg. It opens nothing.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	keys, err := keysOf(cfg.Secrets, cfg.Cluster)
	if err != nil {
		return nil, err
	}
	listen, err := endpoints(cfg.Listen, cfg.Interface)
	if err != nil {
		return nil, err
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = 5 * time.Second
	}
	if cfg.Senders == 0 {
		cfg.Senders = 4096
	}
	switch {
	case cfg.Report == nil:
		return nil, errors.New("lbcast: ReceiverConfig.Report is required")
	case cfg.MaxAge < 0 || cfg.MaxAge > 24*time.Hour:
		return nil, fmt.Errorf("lbcast: ReceiverConfig.MaxAge is %v, want at most a day", cfg.MaxAge)
	case cfg.Senders < 0:
		return nil, fmt.Errorf("lbcast: ReceiverConfig.Senders is %d", cfg.Senders)
	}
	cfg.Secrets, cfg.From = nil, slices.Clone(cfg.From)
	r := &Receiver{
		cfg: cfg, keys: keys, listen: listen, log: cfg.Logger,
		memory: memory{maxAge: cfg.MaxAge, most: cfg.Senders, newest: make(map[string]heard)},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

// Stats returns the counters.
func (r *Receiver) Stats() Stats {
	return Stats{
		Accepted:  r.accepted.Load(),
		Malformed: r.malformed.Load(),
		Unwelcome: r.unwelcome.Load(),
		Foreign:   r.foreign.Load(),
		Forged:    r.forged.Load(),
		Stale:     r.stale.Load(),
		Replayed:  r.replayed.Load(),
		Full:      r.full.Load(),
		Unknown:   r.unknown.Load(),
		Lost:      r.lost.Load(),
		Senders:   r.senders.Load(),
	}
}

// Run listens until ctx ends, and returns its cause, or the error of opening a
// socket. Call it once at a time. What was heard is remembered from one call to
// the next.
func (r *Receiver) Run(ctx context.Context) error {
	var conns []*net.UDPConn
	closeAll := func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}
	for _, e := range r.listen {
		c, err := listen(e)
		if err != nil {
			closeAll()
			return fmt.Errorf("lbcast: listen on %v: %w", e.addr, err)
		}
		conns = append(conns, c)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer closeAll()
	letters := make(chan letter)
	for _, c := range conns {
		if f := r.cfg.Trace.Listening; f != nil {
			f(c.LocalAddr().(*net.UDPAddr).AddrPort())
		}
		wg.Go(func() { r.read(ctx, c, letters) })
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l := <-letters:
			r.judge(l, time.Now().UnixNano())
		}
	}
}

func listen(e endpoint) (*net.UDPConn, error) {
	a := net.UDPAddrFromAddrPort(e.addr)
	if e.multicast() {
		return net.ListenMulticastUDP(e.network(), e.iface, a)
	}
	return net.ListenUDP(e.network(), a)
}

// read takes packets in until the socket is closed, and passes on those that are
// signed as they should be.
func (r *Receiver) read(ctx context.Context, c *net.UDPConn, letters chan<- letter) {
	b := make([]byte, maxPacket+1) // one that is longer shows by filling it
	failing := false
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if failing != (err != nil) && ctx.Err() == nil {
			failing = err != nil
			if failing {
				r.log.Warn("lbcast: cannot read", "err", err)
			} else {
				r.log.Info("lbcast: can read again")
			}
		}
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			select { // do not spin
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
		m, err := r.open(b[:n], from.Addr())
		if err != nil {
			r.refuse(from, err)
			continue
		}
		select {
		case <-ctx.Done():
		case letters <- letter{m, from}:
		}
	}
}

// open is what can be said of a packet by itself.
func (r *Receiver) open(b []byte, from netip.Addr) (message, error) {
	if len(r.cfg.From) > 0 && !slices.ContainsFunc(r.cfg.From, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return message{}, ErrUnwelcome
	}
	return open(b, r.keys)
}

// judge hands a report on if it is news.
func (r *Receiver) judge(l letter, now int64) {
	lost, err := r.memory.check(l.message, now)
	if err == nil {
		// A node that the pool does not know is not remembered: what it said
		// changed nothing, and it may cost no memory.
		err = r.cfg.Report(l.id, l.report)
	}
	if err != nil {
		r.refuse(l.from, err)
		return
	}
	r.memory.note(l.message)
	r.accepted.Add(1)
	r.lost.Add(int64(min(lost, 1<<32)))
	r.senders.Store(int64(len(r.memory.newest)))
}

func (r *Receiver) refuse(from netip.AddrPort, err error) {
	n := &r.unknown
	switch err {
	case ErrMalformed:
		n = &r.malformed
	case ErrUnwelcome:
		n = &r.unwelcome
	case ErrForeign:
		n = &r.foreign
	case ErrForged:
		n = &r.forged
	case ErrStale:
		n = &r.stale
	case ErrReplayed:
		n = &r.replayed
	case ErrFull:
		n = &r.full
	}
	n.Add(1)
	if f := r.cfg.Trace.Refused; f != nil {
		f(from, err)
	}
}
