package testnet

import (
	"net"
	"testing"
	"time"
)

// Patience bounds waits for what must happen. It decides nothing else, so that
// a machine that is busy fails no test.
const Patience = 20 * time.Second

// Listen returns a TCP listener on a free port of 127.0.0.1, which is closed
// when the test ends.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Serve runs a script on each connection, which is closed when the script ends
// and fails after Patience. It returns the server's address.
func Serve(t testing.TB, script func(conn *net.TCPConn)) (addr string) {
	t.Helper()
	l := Listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(Patience))
				script(conn.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().String()
}

// Gone returns an address at which nobody listens, most likely: the port was
// free just now.
func Gone(t testing.TB) (addr string) {
	t.Helper()
	l := Listen(t)
	l.Close()
	return l.Addr().String()
}

// Dial connects to a server. The connection fails after Patience and is closed
// when the test ends.
func Dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(Patience))
	return conn.(*net.TCPConn)
}

// Eventually waits until cond is true, and ends the test if that never happens.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}
