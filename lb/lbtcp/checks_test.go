package lbtcp_test

import (
	"context"
	"io"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// Each probe against a server that serves, and against one that answers and
// does not (hard test 16).
func TestProbesTellServersThatServe(t *testing.T) {
	const banner = ""
	for _, tt := range []struct {
		name   string
		probe  lbtcp.Probe
		asks   string // the question's beginning, "" if the server speaks first
		answer string
		good   bool
	}{
		{"SMTP", lbtcp.SMTP(), banner, "220-mail.example\r\n220 ESMTP\r\n", true},
		{"SMTP", lbtcp.SMTP(), banner, "554 no service\r\n", false},
		{"SMTP", lbtcp.SMTP(), banner, "421 too busy\r\n", false},
		{"SMTP", lbtcp.SMTP(), banner, "2200\r\n", false},
		{"IMAP", lbtcp.IMAP(), banner, "* OK [CAPABILITY IMAP4rev1] ready\r\n", true},
		{"IMAP", lbtcp.IMAP(), banner, "* BYE overloaded\r\n", false},
		{"IMAP", lbtcp.IMAP(), banner, "* OKAY\r\n", false},
		{"POP3", lbtcp.POP3(), banner, "+OK ready <1@x>\r\n", true},
		{"POP3", lbtcp.POP3(), banner, "-ERR no\r\n", false},
		{"LDAP", lbtcp.LDAP(), "\x30", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", true},
		{"LDAP, no anonymous clients", lbtcp.LDAP(), "\x30", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x30\x04\x00\x04\x00", true},
		{"LDAP, unavailable", lbtcp.LDAP(), "\x30", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x34\x04\x00\x04\x00", false},
		{"LDAP, long form", lbtcp.LDAP(), "\x30", "\x30\x81\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", true},
		{"LDAP, nonsense", lbtcp.LDAP(), "\x30", "\x30\x84\xff\xff\xff\xff", false},
		{"MySQL", lbtcp.MySQL(), banner, "\x4a\x00\x00\x00\x0a8.4.0\x00" + strings.Repeat("x", 67), true},
		{"MySQL, too many connections", lbtcp.MySQL(), banner, "\x17\x00\x00\x00\xff\x10\x04Too many connections", false},
		{"PostgreSQL", lbtcp.PostgreSQL(), "\x00\x00\x00\x08\x04\xd2\x16\x2f", "N", true},
		{"PostgreSQL", lbtcp.PostgreSQL(), "\x00\x00\x00\x08\x04\xd2\x16\x2f", "E", false},
		{"Redis", lbtcp.Redis(), "PING\r\n", "+PONG\r\n", true},
		{"Redis, with password", lbtcp.Redis(), "PING\r\n", "-NOAUTH Authentication required.\r\n", true},
		{"Redis, loading", lbtcp.Redis(), "PING\r\n", "-LOADING Redis is loading the dataset in memory\r\n", false},
		{"memcached", lbtcp.Memcached(), "version\r\n", "VERSION 1.6.18\r\n", true},
		{"memcached", lbtcp.Memcached(), "version\r\n", "ERROR\r\n", false},
		{"HTTP", lbtcp.HTTP(lbtcp.HTTPCheck{Path: "/up"}), "GET /up HTTP/1.0\r\n", "HTTP/1.1 200 OK\r\n\r\n", true},
		{"HTTP, 404", lbtcp.HTTP(lbtcp.HTTPCheck{Path: "/up"}), "GET /up HTTP/1.0\r\n", "HTTP/1.1 404 No\r\n\r\n", false},
		{"HTTP, 404 wanted", lbtcp.HTTP(lbtcp.HTTPCheck{Status: 404}), "GET / HTTP/1.0\r\n", "HTTP/1.0 404 No\r\n\r\n", true},
		{"HTTP, body", lbtcp.HTTP(lbtcp.HTTPCheck{Body: regexp.MustCompile("^ready$")}), "GET / ", "HTTP/1.1 200 OK\r\nX: y\r\n\r\nready", true},
		{"HTTP, error page", lbtcp.HTTP(lbtcp.HTTPCheck{Body: regexp.MustCompile("^ready$")}), "GET / ", "HTTP/1.1 200 OK\r\nX: y\r\n\r\n200 OK: database error", false},
		{"HTTP, no HTTP", lbtcp.HTTP(lbtcp.HTTPCheck{}), "GET / ", "220 mail\r\n", false},
	} {
		node := server(t, func(conn *net.TCPConn) {
			if got := make([]byte, len(tt.asks)); len(got) > 0 {
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != tt.asks {
					return
				}
			}
			io.WriteString(conn, tt.answer)
			conn.CloseWrite()
			io.Copy(io.Discard, conn)
		})
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := tt.probe(ctx, &node)
		cancel()
		if (err == nil) != tt.good {
			t.Errorf("%s, %q: %v", tt.name, tt.answer, err)
		}
	}
}

// A server that accepts and says nothing is down when the time is over.
func TestProbesOfServersThatHang(t *testing.T) {
	node := server(t, func(conn *net.TCPConn) { io.Copy(io.Discard, conn) })
	for name, probe := range map[string]lbtcp.Probe{
		"SMTP": lbtcp.SMTP(), "IMAP": lbtcp.IMAP(), "POP3": lbtcp.POP3(), "LDAP": lbtcp.LDAP(), "MySQL": lbtcp.MySQL(),
		"PostgreSQL": lbtcp.PostgreSQL(), "Redis": lbtcp.Redis(), "memcached": lbtcp.Memcached(), "HTTP": lbtcp.HTTP(lbtcp.HTTPCheck{}),
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		if err := probe(ctx, &node); err == nil {
			t.Errorf("%s: no error", name)
		}
		cancel()
	}
}

// Probes are what a pool's checks ask with (lb.Check): a server whose page says
// error is taken out and comes back.
func TestPoolChecksWithAProbe(t *testing.T) {
	var broken atomic.Bool
	node := server(t, func(conn *net.TCPConn) {
		body := "ready"
		if broken.Load() {
			body = "error"
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"+body)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	})
	p, err := lb.New(lb.Config{Nodes: []lb.Node{node}, Check: lb.Check{
		Func: lbtcp.HTTP(lbtcp.HTTPCheck{Body: regexp.MustCompile("^ready$")}), Interval: 20 * time.Millisecond, Timeout: patience,
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	state := func(want string) func() bool { return func() bool { return p.Nodes()[0].State == want } }
	eventually(t, "up", state("up"))
	broken.Store(true)
	eventually(t, "down", state("down"))
	broken.Store(false)
	eventually(t, "up again", state("up"))
	cancel()
	<-done
}

// dnsQuery is a query for a name, with an ID.
func dnsQuery(id byte, name string) []byte {
	q := []byte{0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		q = append(append(q, byte(len(label))), label...)
	}
	return append(q, 0, 0, 1, 0, 1)
}

// dnsServer answers each query by what script makes of it.
func dnsServer(t *testing.T, script func(q []byte) [][]byte) lb.Node {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, a := range script(append([]byte(nil), buf[:n]...)) {
				conn.WriteTo(a, from)
			}
		}
	}()
	return lb.Node{ID: conn.LocalAddr().String(), Addr: conn.LocalAddr().String()}
}

func reply(q []byte) []byte {
	a := append([]byte(nil), q...)
	a[2] |= 0x80
	return a
}

func TestDNSQueriesAreBalancedAndAskedAgain(t *testing.T) {
	var first, second atomic.Int64
	good := dnsServer(t, func(q []byte) [][]byte {
		first.Add(1)
		forged := reply(q)
		forged[1] ^= 1
		other := reply(dnsQuery(q[1], "bank.example"))
		return [][]byte{{1, 2}, q, forged, other, append(reply(q), "answer"...)}
	})
	silent := dnsServer(t, func(q []byte) [][]byte { second.Add(1); return nil })
	dead, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := lb.Node{ID: "closed", Addr: dead.LocalAddr().String()}
	dead.Close()

	d, err := lbtcp.NewDNS(lbtcp.DNSConfig{Pool: pool(t, lb.RoundRobin{}, good, silent, closed), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	client, stop := runDNS(t, d)
	client.Write([]byte("no query"))
	for i := range byte(12) {
		q := dnsQuery(i, "www.example")
		client.Write(q)
		buf := make([]byte, 512)
		n, err := client.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if buf[1] != i || !strings.HasSuffix(string(buf[:n]), "answer") {
			t.Errorf("query %d: %q", i, buf[:n])
		}
	}
	stop()
	if s := d.Stats(); s.Answers != 12 || s.Dropped != 1 || s.Failed != 0 || s.Retries == 0 || second.Load() == 0 || first.Load() != 12 {
		t.Errorf("%+v, %d, %d", s, first.Load(), second.Load())
	}
}
