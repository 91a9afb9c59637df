package testnet

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"
)

const echoPort = 7

// Echo answers the probes to all addresses of a node, from the address that
// was asked, until the test ends.
func (n *Node) Echo() {
	n.t.Helper()
	var conn *net.UDPConn
	err := n.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", &net.UDPAddr{Port: echoPort})
		return err
	})
	if err == nil {
		err = packetInfo(conn)
	}
	if err != nil {
		n.t.Fatalf("testnet: %s: %v", n.Name, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf, oob := make([]byte, 64), make([]byte, 256)
		for {
			k, o, _, from, err := conn.ReadMsgUDPAddrPort(buf, oob)
			if err != nil {
				return
			}
			k += copy(buf[k:], n.Name)
			// The control message says to which address the probe came; sent, it says
			// from which one the answer goes.
			_, _, _ = conn.WriteMsgUDPAddrPort(buf[:k], oob[:o], from)
		}
	})
	n.t.Cleanup(func() {
		conn.Close()
		wg.Wait()
	})
}

// packetInfo asks for the address to which a datagram came. The socket is one
// for both families.
func packetInfo(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if failed = syscall.SetsockoptInt(int(fd), syscall.SOL_IP, syscall.IP_PKTINFO, 1); failed == nil {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_IPV6, syscall.IPV6_RECVPKTINFO, 1)
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

// Probe asks one address once a millisecond.
type Probe struct {
	t    testing.TB
	addr netip.Addr
	conn *net.UDPConn
	stop chan struct{}
	wg   sync.WaitGroup

	mu   sync.Mutex
	sent []sentProbe // guarded by mu, by sequence number
}

type sentProbe struct {
	at   time.Time
	back time.Time // zero: never
	by   string
}

// Report is what a probe saw. Probes sent in the last grace are left out, for
// their answers may be on their way.
type Report struct {
	Sent, Lost int
	// Longest is the longest time without an answer: from one answer to the next,
	// or from the first probe, or to the end.
	Longest time.Duration
	// By is how many each node answered.
	By map[string]int
}

func (r Report) String() string {
	return fmt.Sprintf("%d sent, %d lost, silence at most %v, answered %v", r.Sent, r.Lost, r.Longest.Round(100*time.Microsecond), r.By)
}

// Probe begins to ask addr from the client. The probe ends with the test, or by
// Stop.
func (l *Lab) Probe(addr netip.Addr) *Probe {
	l.t.Helper()
	p := &Probe{t: l.t, addr: addr, stop: make(chan struct{})}
	err := l.Client.Do(func() (err error) {
		// Not connected, so that no refusal ends it.
		p.conn, err = net.ListenUDP("udp", nil)
		return err
	})
	if err != nil {
		l.t.Fatalf("testnet: %v", err)
	}
	p.wg.Go(p.send)
	p.wg.Go(p.receive)
	l.t.Cleanup(p.end)
	return p
}

func (p *Probe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stop:
	default:
		close(p.stop)
		p.conn.Close()
	}
}

func (p *Probe) send() {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	to := netip.AddrPortFrom(p.addr, echoPort)
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		n := len(p.sent)
		p.sent = append(p.sent, sentProbe{at: time.Now()})
		p.mu.Unlock()
		// An address that nobody has is an error here, and a lost probe.
		_, _ = p.conn.WriteToUDPAddrPort(binary.BigEndian.AppendUint32(nil, uint32(n)), to)
	}
}

func (p *Probe) receive() {
	buf := make([]byte, 64)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			select {
			case <-p.stop:
				return
			default: // a refusal that the kernel reports
				continue
			}
		}
		now := time.Now()
		if n < 4 || from.Addr().Unmap() != p.addr {
			continue
		}
		seq := binary.BigEndian.Uint32(buf)
		p.mu.Lock()
		if int(seq) < len(p.sent) && p.sent[seq].back.IsZero() {
			p.sent[seq].back, p.sent[seq].by = now, string(buf[4:n])
		}
		p.mu.Unlock()
	}
}

// AnsweredBy waits until the node answers a probe that is sent from now on.
func (p *Probe) AnsweredBy(name string) {
	p.t.Helper()
	p.mu.Lock()
	since := len(p.sent)
	p.mu.Unlock()
	for deadline := time.Now().Add(Patience); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		var last sentProbe
		for _, s := range p.sent[since:] {
			if !s.back.IsZero() {
				last = s
			}
		}
		p.mu.Unlock()
		if last.by == name {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("testnet: %v is not answered by %s within %v, but by %q", p.addr, name, Patience, last.by)
		}
	}
}

// Stop waits for the answers on their way, ends the probe and reports.
func (p *Probe) Stop() Report {
	const grace = 100 * time.Millisecond
	time.Sleep(grace)
	p.end()
	p.wg.Wait()
	end := time.Now().Add(-grace)
	r := Report{By: map[string]int{}}
	var last time.Time
	for _, s := range p.sent {
		if s.at.After(end) {
			break
		}
		if last.IsZero() {
			last = s.at
		}
		r.Sent++
		if s.back.IsZero() {
			r.Lost++
			continue
		}
		r.By[s.by]++
		r.Longest = max(r.Longest, s.back.Sub(last))
		last = s.back
	}
	if !last.IsZero() {
		r.Longest = max(r.Longest, end.Sub(last))
	}
	return r
}
