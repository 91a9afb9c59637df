package ha

import (
	"net"
	"net/netip"
	"slices"
)

// udpPath is a Path that is open.
type udpPath struct {
	cfg     Path
	conn    *net.UDPConn // sends, and receives what is sent to this member
	readers []*net.UDPConn
	lines   *net.TCPListener
	targets []netip.AddrPort
}

func openPath(cfg Path) (*udpPath, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(cfg.Listen))
	if err != nil {
		return nil, err
	}
	p := &udpPath{cfg: cfg, conn: conn, readers: []*net.UDPConn{conn}, targets: slices.Clone(cfg.Peers)}
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort() // the lifelines are at the same port
	if p.lines, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at)); err != nil {
		p.close()
		return nil, err
	}
	if cfg.Multicast.IsValid() {
		p.targets = []netip.AddrPort{cfg.Multicast}
		iface, err := ifaceOf(cfg.Listen.Addr())
		if err != nil {
			p.close()
			return nil, err
		}
		group, err := net.ListenMulticastUDP("udp", iface, net.UDPAddrFromAddrPort(cfg.Multicast))
		if err != nil {
			p.close()
			return nil, err
		}
		p.readers = append(p.readers, group)
	}
	return p, nil
}

// ifaceOf finds the interface that has the address.
func ifaceOf(addr netip.Addr) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for i := range all {
		addrs, err := all[i].Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(net.IP(addr.AsSlice())) {
				return &all[i], nil
			}
		}
	}
	return nil, &net.AddrError{Err: "no interface has this address", Addr: addr.String()}
}

// send does not report errors: a frame that was not sent is one that was lost.
func (p *udpPath) send(frame []byte) {
	for _, to := range p.targets {
		_, _ = p.conn.WriteToUDPAddrPort(frame, to)
	}
}

func (p *udpPath) close() {
	for _, c := range p.readers {
		_ = c.Close()
	}
	if p.lines != nil {
		_ = p.lines.Close()
	}
}

// read opens frames until the socket is closed.
func (n *Node) read(conn *net.UDPConn) {
	seal := newSealer(n.cfg.Keys)
	buf := make([]byte, maxFrame)
	for {
		size, from, err := conn.ReadFromUDPAddrPort(buf)
		if n.ctx.Err() != nil {
			return
		}
		if err != nil {
			sleep(n.ctx, n.cfg.Heartbeat)
			continue
		}
		h, err := seal.open(buf[:size])
		if err != nil {
			n.stats.bad.Add(1)
			continue
		}
		n.stats.heard.Add(1)
		h.at = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		select {
		case n.inputs <- Input{Kind: Heard, Heartbeat: h}:
		default:
			n.stats.dropped.Add(1)
		}
	}
}
