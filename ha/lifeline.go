package ha

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// A lifeline is a TCP connection to another member that carries nothing but a
// hello. When the process at its other end dies, however it does, its kernel ends
// the connection: this is seen within a millisecond, where silence takes a window.
// An end alone is no proof, though: the line is dialled again at once, and only if
// the kernel there says that nobody listens, or another process does, the process
// is gone. Silence on the line means nothing.

// accept says hello to those who want to know when this process ends.
func (n *Node) accept(p *udpPath) {
	seal := newSealer(n.cfg.Keys)
	hello := seal.seal(make([]byte, 2), &Heartbeat{from: n.cfg.Self, boot: n.core.boot, seq: 1})
	binary.BigEndian.PutUint16(hello, uint16(len(hello)-2))
	for {
		conn, err := p.lines.AcceptTCP()
		if n.ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		if err != nil {
			sleep(n.ctx, n.cfg.Heartbeat)
			continue
		}
		n.wait.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(n.ctx, func() { _ = conn.Close() })()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := conn.Write(hello); err != nil {
				return
			}
			_ = conn.SetDeadline(time.Time{})
			_, _ = conn.Read(make([]byte, 1)) // ends with the other process
		})
	}
}

// watchProcess keeps a lifeline to a member that was heard. The loop calls it.
func (n *Node) watchProcess(member string) {
	p := n.core.peer(member)
	if p == nil || !p.at.IsValid() || n.lines[member] == p.at.String() {
		return
	}
	n.lines[member] = p.at.String()
	at := p.at
	n.wait.Go(func() { n.hold(member, at) })
}

// hold dials as long as the node runs. Members that moved to another address have
// another one that holds their line; this one then finds nobody, now and then.
func (n *Node) hold(member string, at netip.AddrPort) {
	var boot uint64 // of the process that was last at the other end
	pause := max(n.cfg.Heartbeat, 50*time.Millisecond)
	for n.ctx.Err() == nil {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(n.ctx, "tcp", at.String())
		if err != nil {
			if boot != 0 && errors.Is(err, syscall.ECONNREFUSED) {
				n.input(Input{Kind: Gone, Member: member, Boot: boot})
				boot = 0
			}
			sleep(n.ctx, pause)
			pause = min(2*pause, time.Second)
			continue
		}
		pause = max(n.cfg.Heartbeat, 50*time.Millisecond)
		stop := context.AfterFunc(n.ctx, func() { _ = conn.Close() })
		now, err := n.readHello(conn, member)
		if err == nil && boot != 0 && now != boot {
			n.input(Input{Kind: Gone, Member: member, Boot: boot})
		}
		if err == nil {
			boot = now
			_, _ = conn.Read(make([]byte, 1)) // nothing comes but the end
		} else {
			sleep(n.ctx, pause)
		}
		stop()
		_ = conn.Close()
	}
}

func (n *Node) readHello(conn net.Conn, member string) (boot uint64, err error) {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return 0, err
	}
	frame := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, frame); err != nil {
		return 0, err
	}
	h, err := newSealer(n.cfg.Keys).open(frame)
	if err == nil && h.from != member {
		err = errFrame
	}
	if err != nil {
		return 0, err
	}
	return h.boot, nil
}
