package lbtcp_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

var (
	loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	nobody   = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
)

// behind serves h behind a Listener.
func behind(t *testing.T, cfg lbtcp.ListenerConfig, h http.HandlerFunc) (addr string) {
	t.Helper()
	cfg.Listener = listen(t)
	l, err := lbtcp.NewListener(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
		if err := l.Close(); err != nil {
			t.Errorf("second Close = %v", err)
		}
	})
	return l.Addr().String()
}

const plainGet = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

func TestListenerTellsServersTheClient(t *testing.T) {
	addr := behind(t, lbtcp.ListenerConfig{From: loopback}, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.RemoteAddr)
	})
	h := lbtcp.Header{Source: netip.MustParseAddrPort("[2001:db8::7]:1000"), Destination: netip.MustParseAddrPort("[2001:db8::1]:80")}
	for _, v := range []lbtcp.ProxyVersion{lbtcp.ProxyV1, lbtcp.ProxyV2} {
		conn := dial(t, addr)
		for _, b := range []byte(h.Append(nil, v)) { // in the smallest pieces
			conn.Write([]byte{b})
		}
		write(t, conn, plainGet)
		if all, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(all), "\r\n[2001:db8::7]:1000") {
			t.Errorf("version %d: %q %v", v, all, err)
		}
	}
	conn := dial(t, addr) // a check of the proxy itself keeps its own address
	write(t, conn, string(lbtcp.Header{}.Append(nil, lbtcp.ProxyV2))+plainGet)
	if all, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(all), conn.LocalAddr().String()) {
		t.Errorf("%q %v", all, err)
	}
}

func TestListenerRefusesForgedHeaders(t *testing.T) {
	served := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }
	addr := behind(t, lbtcp.ListenerConfig{From: nobody}, served)
	h := lbtcp.Header{Source: netip.MustParseAddrPort("192.0.2.7:1000"), Destination: netip.MustParseAddrPort("192.0.2.1:80")}
	for _, v := range []lbtcp.ProxyVersion{lbtcp.ProxyV1, lbtcp.ProxyV2} {
		conn := dial(t, addr)
		write(t, conn, string(h.Append(nil, v))+plainGet)
		if all, _ := io.ReadAll(conn); len(all) > 0 && !strings.HasPrefix(string(all), "HTTP/1.1 400 ") {
			t.Errorf("version %d from a stranger is served: %q", v, all)
		}
	}
	conn := dial(t, addr)
	write(t, conn, "P") // may become one, or POST
	write(t, conn, strings.Replace(plainGet, "GET", "OST", 1))
	if all, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(all), conn.LocalAddr().String()) {
		t.Errorf("%q %v", all, err)
	}
}

func TestListenerDoesNotWaitForOneClientWhileOthersCome(t *testing.T) {
	refused := make(chan error, 2)
	addr := behind(t, lbtcp.ListenerConfig{From: loopback, Timeout: time.Second, Refused: func(_ netip.AddrPort, err error) { refused <- err }},
		func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	silent := dial(t, addr)
	conn := dial(t, addr)
	write(t, conn, "PROXY UNKNOWN\r\n"+plainGet)
	if all, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(all), "hello") {
		t.Errorf("%q %v", all, err)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("a client without a header is answered")
	}
	if err := <-refused; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a deadline", err)
	}
	wrong := dial(t, addr)
	write(t, wrong, plainGet)
	if _, err := wrong.Read(make([]byte, 1)); err == nil {
		t.Error("a proxy that writes no header is answered")
	}
	if err := <-refused; !errors.Is(err, lbtcp.ErrHeader) {
		t.Errorf("%v, want ErrHeader", err)
	}
}

func TestListenerCloseEndsThoseThatWait(t *testing.T) {
	inner := listen(t)
	l, err := lbtcp.NewListener(lbtcp.ListenerConfig{Listener: inner, From: loopback, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() { _, err := l.Accept(); accepted <- err }()
	conn := dial(t, inner.Addr().String())
	write(t, conn, "PROXY ")
	time.Sleep(10 * time.Millisecond) // likely within the header by now; right in any case
	l.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("still open")
	}
}
