package lbtcp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// A node that dies in the middle must not look like one that has said all.
func TestResetsArePassedOn(t *testing.T) {
	node := server(t, func(conn *net.TCPConn) {
		io.WriteString(conn, "the first half")
		io.ReadFull(conn, make([]byte, 2))
		conn.SetLinger(0) // Close resets
	})
	addr, p, _ := serve(t, lbtcp.Config{Pool: pool(t, nil, node)})
	conn := dial(t, addr)
	read(t, conn, len("the first half"))
	write(t, conn, "ok")
	if rest, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client: %q %v, want a reset", rest, err)
	}
	eventually(t, "the connection is over", func() bool { return p.Stats().Open == 0 })

	ended := make(chan error, 1) // and the other way
	node = server(t, func(conn *net.TCPConn) {
		io.ReadFull(conn, make([]byte, 2))
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	})
	addr, _, _ = serve(t, lbtcp.Config{Pool: pool(t, nil, node)})
	conn = dial(t, addr)
	write(t, conn, "ok")
	conn.SetLinger(0)
	conn.Close()
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("server: %v, want a reset", err)
	}
}

// A client that is gone ends its node's connection, though the node is not
// reading and so much was sent that nothing more can be written (hard test 12).
func TestAbortOfAClientReachesANodeThatDoesNotRead(t *testing.T) {
	aborted := make(chan struct{})
	ended := make(chan error, 1)
	node := server(t, func(conn *net.TCPConn) {
		<-aborted // and has read nothing until then
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	})
	done := make(chan error, 1)
	addr, _, _ := serve(t, lbtcp.Config{Pool: pool(t, nil, node),
		Trace: &lbtcp.Trace{Done: func(_ *lbtcp.Client, _ *lb.Node, _, _ int64, err error) { done <- err }}})
	conn := dial(t, addr)
	conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // until all buffers are full, or nearly
	for {
		if _, err := conn.Write(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	begin := time.Now()
	conn.SetLinger(0)
	conn.Close()
	if err := <-done; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
	t.Logf("noticed after %v", time.Since(begin))
	close(aborted)
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("server: %v, want a reset", err)
	}
}

// A reader that is slow slows the sender down: between the two there is no more
// than sockets and one pipe hold.
func TestSlowReadersHoldSendersBack(t *testing.T) {
	var sent atomic.Int64
	node := server(t, func(conn *net.TCPConn) {
		for chunk := make([]byte, 64<<10); sent.Load() < 256<<20; {
			n, err := conn.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	addr, _, _ := serve(t, lbtcp.Config{Pool: pool(t, nil, node)})
	conn := dial(t, addr)
	conn.SetReadBuffer(64 << 10)
	var last int64 = -1
	eventually(t, "the sender stands still", func() bool {
		time.Sleep(100 * time.Millisecond)
		now := sent.Load()
		still := now == last && now > 0
		last = now
		return still
	})
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d MiB were taken from the sender for a reader that read nothing", n>>20)
	}
	conn.SetDeadline(time.Now().Add(3 * patience))
	if n, err := io.Copy(io.Discard, conn); err != nil || n != sent.Load() {
		t.Errorf("%d of %d bytes, %v", n, sent.Load(), err)
	}
}

// scarce fails as a process does that has no descriptors left.
type scarce struct {
	net.Listener
	fail  atomic.Int64
	calls atomic.Int64
}

func (l *scarce) Accept() (net.Conn, error) {
	l.calls.Add(1)
	if l.fail.Load() > 0 {
		l.fail.Add(-1)
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestAcceptOutOfDescriptorsBacksOffAndGoesOn(t *testing.T) {
	node := server(t, func(conn *net.TCPConn) { io.Copy(conn, conn) })
	p, err := lbtcp.New(lbtcp.Config{Pool: pool(t, nil, node)})
	if err != nil {
		t.Fatal(err)
	}
	l := &scarce{Listener: listen(t)}
	l.fail.Store(6)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- p.Run(ctx, l) }()
	conn := dial(t, l.Addr().String())
	write(t, conn, "x")
	read(t, conn, 1)
	if took, n := time.Since(begin), l.calls.Load(); took < (5+10+20+40+80+160)*time.Millisecond || n > 8 {
		t.Errorf("%d calls of Accept, of which 6 failed, within %v", n, took)
	}
	conn.Close()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func TestConnectTimeoutIsFollowedByAnotherNode(t *testing.T) {
	node := server(t, func(conn *net.TCPConn) { io.Copy(conn, conn) })
	var hung atomic.Int64
	addr, p, _ := serve(t, lbtcp.Config{
		Pool: pool(t, lb.RoundRobin{}, lb.Node{ID: "hangs", Addr: "192.0.2.1:1"}, node), ConnectTimeout: 20 * time.Millisecond,
		Dial: func(ctx context.Context, n *lb.Node) (net.Conn, error) {
			if n.ID == "hangs" { // as a machine that is off
				hung.Add(1)
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			return net.Dial("tcp", n.Addr)
		},
	})
	for range 4 {
		conn := dial(t, addr)
		write(t, conn, "x")
		read(t, conn, 1)
		conn.Close()
	}
	if s := p.Stats(); hung.Load() == 0 || s.Retries != hung.Load() || s.Failed != 0 {
		t.Errorf("%+v, %d hung", s, hung.Load())
	}
}

// Something that moves in either direction keeps a connection.
func TestTrafficOneWayIsNotIdle(t *testing.T) {
	for _, clientTalks := range []bool{true, false} {
		const beats = 30
		talk := func(w io.Writer) {
			for range beats {
				time.Sleep(20 * time.Millisecond)
				if _, err := w.Write([]byte("x")); err != nil {
					t.Errorf("ended while there was traffic: %v", err)
					return
				}
			}
		}
		heard := make(chan int64, 1)
		node := server(t, func(conn *net.TCPConn) {
			if clientTalks {
				n, _ := io.Copy(io.Discard, conn)
				heard <- n
			} else {
				talk(conn)
			}
		})
		addr, _, _ := serve(t, lbtcp.Config{Pool: pool(t, nil, node), IdleTimeout: 400 * time.Millisecond})
		conn := dial(t, addr)
		var n int64
		if clientTalks {
			talk(conn)
			conn.Close()
			n = <-heard
		} else {
			n, _ = io.Copy(io.Discard, conn)
		}
		if n != beats {
			t.Errorf("%d of %d arrived", n, beats)
		}
	}
}

// Nodes come and go while connections are made: none of them fails, and all
// leases come back.
func TestMembershipChurnsUnderLoad(t *testing.T) {
	var nodes []lb.Node
	for range 4 {
		nodes = append(nodes, server(t, func(conn *net.TCPConn) { io.Copy(conn, conn); conn.CloseWrite() }))
	}
	pl := pool(t, nil, nodes...)
	addr, p, stop := serve(t, lbtcp.Config{Pool: pl})
	ctx, cancel := context.WithCancel(context.Background())
	var churn, load sync.WaitGroup
	churn.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := pl.Set(slices.Concat(nodes[i%4:], nodes[:i%4])[:1+i%4]); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	for k := range 8 {
		load.Go(func() {
			for i := range 25 {
				conn := dial(t, addr)
				want := bytes.Repeat([]byte{byte(k)}, 1+i*1000)
				go func() { conn.Write(want); conn.CloseWrite() }()
				if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
				}
				conn.Close()
			}
		})
	}
	load.Wait()
	cancel()
	churn.Wait()
	stop()
	if s := p.Stats(); s.Failed != 0 || s.Open != 0 || s.Accepted != 200 {
		t.Errorf("%+v", s)
	}
}

func TestTrustedClientsThatGoOnAtOnceLoseNothing(t *testing.T) {
	node := server(t, func(conn *net.TCPConn) { io.Copy(conn, conn); conn.CloseWrite() })
	addr, _, _ := serve(t, lbtcp.Config{Pool: pool(t, nil, node), ProxyFrom: loopback})
	for _, size := range []int{0, 1, 100, 1 << 20} {
		conn := dial(t, addr)
		data := bytes.Repeat([]byte("d"), size)
		go func() {
			fmt.Fprintf(conn, "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n%s", data)
			conn.CloseWrite()
		}()
		if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d of %d bytes, %v", len(got), size, err)
		}
	}
}
