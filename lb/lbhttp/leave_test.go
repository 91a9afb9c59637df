package lbhttp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// Clients that leave (hard test 12): whatever their request waits for, it ends.

func TestClientThatLeavesTheQueue(t *testing.T) {
	begun, release := make(chan struct{}, 10), make(chan struct{})
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-release
	})
	p, err := lb.New(lb.Config{Nodes: []lb.Node{node}, Limit: 1, Queue: lb.Queue{Len: 10, Wait: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	addr, s, _ := serve(t, lbhttp.ServerConfig{Pool: p})
	first, r := dial(t, addr)
	say(t, first, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	<-begun
	second, _ := dial(t, addr)
	say(t, second, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	testnet.Eventually(t, "the second waits", func() bool { return p.Stats().Waiting == 1 })
	second.Close()
	testnet.Eventually(t, "the second has left", func() bool { return p.Stats().Waiting == 0 && s.Stats().Aborted == 1 })
	close(release)
	response(t, r, "GET")
	if len(begun) > 0 || p.Nodes()[0].Failed > 0 {
		t.Error("the backend got the request of a client that had gone, or was charged for it")
	}
}

func TestDrainEndsTheQueueWithForce(t *testing.T) {
	begun := make(chan struct{}, 10)
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
	})
	p, err := lb.New(lb.Config{Nodes: []lb.Node{node}, Limit: 1, Queue: lb.Queue{Len: 10, Wait: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	addr, _, stop := serve(t, lbhttp.ServerConfig{Pool: p, Drain: 20 * time.Millisecond})
	for range 2 {
		conn, _ := dial(t, addr)
		say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	}
	<-begun
	testnet.Eventually(t, "one waits", func() bool { return p.Stats().Waiting == 1 })
	stop()
	if n := p.Stats().Waiting; n != 0 {
		t.Errorf("%d wait after the end", n)
	}
}

func TestClientThatLeavesDuringTheDial(t *testing.T) {
	dialing := make(chan struct{})
	p := pool(t, nil, lb.Node{ID: "a", Addr: "a"})
	addr, s, _ := serve(t, lbhttp.ServerConfig{Pool: p, ConnectTimeout: time.Hour, Dial: func(ctx context.Context, n *lb.Node) (net.Conn, error) {
		close(dialing)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	conn, _ := dial(t, addr)
	say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	<-dialing
	conn.Close()
	testnet.Eventually(t, "it is noticed", func() bool { return s.Stats().Aborted == 1 })
	if p.Nodes()[0].Failed > 0 {
		t.Error("the node is charged")
	}
}

// The backend reads nothing, so that no write to it ends either.
func TestClientThatLeavesDuringTheUpload(t *testing.T) {
	got, release := make(chan struct{}), make(chan struct{})
	p := pool(t, nil, scripted(t, func(conn net.Conn, r *bufio.Reader) {
		readHead(r)
		close(got)
		<-release
	}))
	defer close(release)
	addr, s, _ := serve(t, lbhttp.ServerConfig{Pool: p})
	conn, _ := dial(t, addr)
	say(t, conn, "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 1000000000\r\n\r\n")
	<-got
	conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	io.Copy(conn, &pattern{}) // until all buffers are full
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
	testnet.Eventually(t, "it is noticed", func() bool { return s.Stats().Aborted == 1 })
	if p.Nodes()[0].Failed > 0 {
		t.Error("the node is charged")
	}
}
