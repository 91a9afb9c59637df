package lbtcp_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"reflect"
	"testing"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// introduced is a node that tells which PROXY header it got, and echoes the rest.
func introduced(t *testing.T) (lb.Node, <-chan lbtcp.Header) {
	heads := make(chan lbtcp.Header, 1)
	return server(t, func(conn *net.TCPConn) {
		var buf []byte
		one := make([]byte, 1)
		for {
			if _, err := conn.Read(one); err != nil {
				return
			}
			buf = append(buf, one...)
			if h, n, err := lbtcp.ParseHeader(buf); err != nil || n > 0 {
				heads <- h
				io.Copy(conn, conn)
				return
			}
		}
	}), heads
}

// What the proxy in front says about a client reaches the node through two of us.
func TestHeadersArePassedOnWithAllTheySay(t *testing.T) {
	node, heads := introduced(t)
	behind, _, _ := serve(t, lbtcp.Config{Pool: pool(t, nil, node), ProxyFrom: loopback, ProxyTo: lbtcp.ProxyV2})
	front, _, _ := serve(t, lbtcp.Config{Pool: pool(t, nil, lb.Node{ID: "2", Addr: behind}), ProxyFrom: loopback, ProxyTo: lbtcp.ProxyV2})
	h := lbtcp.Header{
		Source: netip.MustParseAddrPort("192.0.2.7:1000"), Destination: netip.MustParseAddrPort("198.51.100.1:443"),
		Authority: "www.example", ALPN: "h2", UniqueID: "42",
		TLS:        &lbtcp.TLS{Certificate: true, Verified: true, Version: "TLSv1.3", CommonName: "jo", Cipher: "c", Signature: "s", Key: "k"},
		Extensions: []lbtcp.Extension{{Type: 0xE0, Value: []byte("more")}},
	}
	conn := dial(t, front)
	write(t, conn, string(h.Append(nil, lbtcp.ProxyV2))+"data")
	if got := read(t, conn, 4); got != "data" {
		t.Fatalf("%q", got)
	}
	if got := <-heads; !reflect.DeepEqual(got, h) {
		t.Errorf("the node got %+v, want %+v", got, h)
	}
}

func TestNodesLearnTheServerNameOfTheClientHello(t *testing.T) {
	node, heads := introduced(t)
	p := pool(t, nil, node)
	addr, _, _ := serve(t, lbtcp.Config{Peek: true, HeadTimeout: patience, ProxyTo: lbtcp.ProxyV2,
		Route: func(context.Context, *lbtcp.Client) (*lb.Pool, lb.Request) { return p, lb.Request{} }})
	conn := dial(t, addr)
	tls.Client(conn, &tls.Config{ServerName: "www.example", InsecureSkipVerify: true}).Handshake() // an echo is no TLS
	h := <-heads
	if h.Authority != "www.example" || h.Source.String() != conn.LocalAddr().String() {
		t.Errorf("%+v", h)
	}
}
