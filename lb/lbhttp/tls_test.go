package lbhttp_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

var revoked = map[string]bool{"revoked": true}

// identify is the book's news site: premium and paying readers have
// certificates, all others are free (hard test 15).
func identify(s *tls.ConnectionState) lbhttp.Identity {
	name := "free"
	if len(s.VerifiedChains) > 0 && !revoked[s.PeerCertificates[0].Subject.CommonName] {
		name = s.PeerCertificates[0].Subject.CommonName
	}
	tier := map[string]uint8{"premium": 1, "paying": 2}[name]
	return lbhttp.Identity{Tier: tier, Fields: [][2]string{{"X-Reader", name + "\r\n"}, {"no token", "x"}}}
}

func TestCertificatesDecideTheTier(t *testing.T) {
	ca := testnet.NewAuthority(t)
	serverCert := ca.Issue(t, "server")
	config := func() *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{serverCert}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ca.Pool}
	}
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		var readers []string
		for name, values := range r.Header {
			if strings.EqualFold(strings.ReplaceAll(name, "_", "-"), "X-Reader") {
				readers = append(readers, values...)
			}
		}
		fmt.Fprintf(w, "%v %s", readers, r.Header.Get("X-Forwarded-Proto"))
	})
	var tier atomic.Int64
	native, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node), TLS: config(), Identify: identify,
		Choose: func(h *lbhttp.Head, r *lb.Request) { tier.Store(int64(r.Tier)) }})

	tr, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: pool(t, nil, node),
		Choose: func(r *http.Request, lr *lb.Request) { tier.Store(int64(lbhttp.Tier(r.Context()))) }})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.CloseIdleConnections()
	h, err := lbhttp.NewProxy(lbhttp.ProxyConfig{Transport: tr, Identify: identify})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = config()
	s.StartTLS()
	defer s.Close()

	for _, addr := range []string{native, s.Listener.Addr().String()} {
		for name, want := range map[string]struct {
			tier int64
			body string
		}{
			"premium": {1, "[premium] https"}, "paying": {2, "[paying] https"}, "revoked": {0, "[free] https"}, "": {0, "[free] https"},
		} {
			cc := &tls.Config{RootCAs: ca.Pool, ServerName: "e"}
			if name != "" {
				cc.Certificates = []tls.Certificate{ca.Issue(t, name)}
			}
			conn, err := tls.Dial("tcp", addr, cc)
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(patience))
			for range 2 { // per request, on one connection
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: e\r\nX-Reader: premium\r\nX_READER: premium\r\nX-Forwarded-Proto: gopher\r\n\r\n")
				if _, body := response(t, bufio.NewReader(conn), "GET"); body != want.body || tier.Load() != want.tier {
					t.Errorf("%q: tier %d, %q; want %d, %q", name, tier.Load(), body, want.tier, want.body)
				}
			}
			conn.Close()
		}
	}
}

// A client that leaves while it waits is noticed behind TLS too.
func TestClientAbortBehindTLS(t *testing.T) {
	ca := testnet.NewAuthority(t)
	stopped := make(chan struct{})
	begun := make(chan struct{})
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(stopped)
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node), TLS: &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "server")}}})
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool, ServerName: "e"})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	<-begun
	conn.Close()
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("the backend goes on")
	}
}
