package lbcast

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// SenderConfig says what a [Sender] tells whom.
type SenderConfig struct {
	// ID is the node's ID in the pools of the balancers. Required, at most 128
	// bytes.
	ID string
	// Report returns what the node has to say; required. Run calls it from one
	// goroutine. With a tracker: func() lb.Report { return t.Report(now()) }.
	Report func() lb.Report
	// To are IP addresses with ports, of multicast groups or of balancers;
	// required.
	To []string
	// Interface is the name of the network interface for groups; default the
	// system's choice. A group of IPv6 needs it.
	Interface string
	// Cluster keeps clusters apart that share a group or a secret; default "".
	Cluster string
	// Secret signs the packets; required, at least 16 bytes.
	Secret []byte
	// Every is how often, from 100ms to 1s; default 250ms. The times vary by a
	// fifth, so that servers do not speak all at once.
	Every time.Duration
	// Logger hears when sending stops working, and works again; default none.
	Logger *slog.Logger
}

// Sender tells balancers how its node is. It is safe for concurrent use.
type Sender struct {
	cfg SenderConfig
	key key
	to  []endpoint
	log *slog.Logger

	sent, failed atomic.Int64
}

// SenderStats are a sender's counters since it was made.
type SenderStats struct {
	Sent   int64 // packets, counted for each address
	Failed int64 // packets that the system did not take
}

// NewSender checks cfg. It opens nothing.
func NewSender(cfg SenderConfig) (*Sender, error) {
	keys, err := keysOf([][]byte{cfg.Secret}, cfg.Cluster)
	if err != nil {
		return nil, err
	}
	to, err := endpoints(cfg.To, cfg.Interface)
	if err != nil {
		return nil, err
	}
	if cfg.Every == 0 {
		cfg.Every = 250 * time.Millisecond
	}
	switch {
	case cfg.ID == "" || len(cfg.ID) > maxID:
		return nil, fmt.Errorf("lbcast: SenderConfig.ID has %d bytes, want 1 to %d", len(cfg.ID), maxID)
	case cfg.Report == nil:
		return nil, errors.New("lbcast: SenderConfig.Report is required")
	case cfg.Every < 100*time.Millisecond || cfg.Every > time.Second:
		return nil, fmt.Errorf("lbcast: SenderConfig.Every is %v, want 100ms to 1s", cfg.Every)
	}
	for _, e := range to {
		switch {
		case e.addr.Port() == 0 || e.addr.Addr().IsUnspecified():
			return nil, fmt.Errorf("lbcast: nobody is at %v", e.addr)
		case e.multicast() && e.addr.Addr().Is6() && e.iface == nil:
			return nil, fmt.Errorf("lbcast: the group %v needs SenderConfig.Interface", e.addr)
		}
	}
	s := &Sender{cfg: cfg, key: keys[0], to: to, log: cfg.Logger}
	s.cfg.Secret = nil
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// Stats returns the counters.
func (s *Sender) Stats() SenderStats {
	return SenderStats{Sent: s.sent.Load(), Failed: s.failed.Load()}
}

// Run sends until ctx ends, and returns its cause, or the error of opening a
// socket. What cannot be sent is counted, not tried again: the next report
// comes soon. Each call of Run is an epoch of its own.
func (s *Sender) Run(ctx context.Context) error {
	var out []*outlet
	defer func() {
		for _, o := range out {
			_ = o.conn.Close()
		}
	}()
	for _, e := range s.to {
		o, err := dial(e)
		if err != nil {
			return fmt.Errorf("lbcast: socket for %v: %w", e.addr, err)
		}
		out = append(out, o)
	}
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // never fails
	m := message{epoch: binary.BigEndian.Uint64(nonce[:]), id: s.cfg.ID}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		m.seq++
		m.at = time.Now().UnixNano()
		m.report = s.cfg.Report()
		packet := s.key.seal(m)
		for _, o := range out {
			s.send(o, packet)
		}
		timer.Reset(s.cfg.Every - s.cfg.Every/10 + mrand.N(s.cfg.Every/5))
	}
}

func (s *Sender) send(o *outlet, packet []byte) {
	_, err := o.conn.WriteToUDPAddrPort(packet, o.to)
	if err != nil {
		s.failed.Add(1)
	} else {
		s.sent.Add(1)
	}
	if failing := err != nil; failing != o.failing {
		o.failing = failing
		if failing {
			s.log.Warn("lbcast: cannot send", "to", o.to, "err", err)
		} else {
			s.log.Info("lbcast: can send again", "to", o.to)
		}
	}
}

// outlet is a socket to send to one address; owned by Run.
type outlet struct {
	conn    *net.UDPConn
	to      netip.AddrPort
	failing bool
}

// dial opens a socket that is not connected: a balancer that is down, and says
// so by ICMP, must not make the next write fail. A group of IPv4 is reached
// through the interface whose address the socket has. All groups have a TTL of 1.
func dial(e endpoint) (*outlet, error) {
	local := &net.UDPAddr{}
	to := e.addr
	via := e.iface != nil && e.multicast()
	if via && to.Addr().Is4() {
		ip, err := address4(e.iface)
		if err != nil {
			return nil, err
		}
		local.IP = ip
	}
	conn, err := net.ListenUDP(e.network(), local)
	if err != nil {
		return nil, err
	}
	if via && to.Addr().Is6() {
		if err := via6(conn, e.iface); err != nil {
			_ = conn.Close()
			return nil, err
		}
		to = netip.AddrPortFrom(to.Addr().WithZone(e.iface.Name), to.Port())
	}
	return &outlet{conn: conn, to: to}, nil
}

// address4 is the first IPv4 address of an interface.
func address4(i *net.Interface) (net.IP, error) {
	addrs, err := i.Addrs()
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			return n.IP.To4(), nil
		}
	}
	return nil, fmt.Errorf("interface %s has no IPv4 address", i.Name)
}
