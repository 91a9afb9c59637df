package testnet

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// Patience bounds waits for what must happen. It decides nothing else, so that
// a machine that is busy fails no test.
const Patience = 20 * time.Second

// loopback is an address of this process alone, as far as the system has
// several: ports that a test gives up and wants again, or wants to be closed,
// are not taken meanwhile by whatever else runs on the machine.
var loopback = sync.OnceValue(func() string {
	own := fmt.Sprintf("127.%d.%d.%d", 1+os.Getpid()>>16%254, os.Getpid()>>8&0xff, os.Getpid()&0xff)
	l, err := net.Listen("tcp", own+":0")
	if err != nil {
		return "127.0.0.1"
	}
	l.Close()
	return own
})

// Listen returns a TCP listener on a free port of loopback, which is closed when
// the test ends.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	return ListenOn(t, loopback()+":0")
}

// ListenOn is Listen at an address that was one of Listen's before.
func ListenOn(t testing.TB, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
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

// Gone returns an address at which nobody listens: the port was free just now.
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
