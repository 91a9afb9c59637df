package testnet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
)

// server answers each line with the same line, and notes the lines that it got.
type server struct {
	ln net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	lines []string
	conns []net.Conn
	slow  time.Duration // before each answer
}

func newServer(t *testing.T) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{ln: ln}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		s.hangUp()
		s.wg.Wait()
	})
	return s
}

func (s *server) addr() string { return s.ln.Addr().String() }

func (s *server) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *server) serve(c net.Conn) {
	defer c.Close()
	var pending []byte
	buf := make([]byte, 1<<20)
	for {
		n, err := c.Read(buf)
		pending = append(pending, buf[:n]...)
		for {
			line, rest, ok := bytes.Cut(pending, []byte("\n"))
			if !ok {
				break
			}
			s.mu.Lock()
			s.lines = append(s.lines, string(line))
			slow := s.slow
			s.mu.Unlock()
			time.Sleep(slow)
			if string(line) != "quiet" {
				if _, err := fmt.Fprintf(c, "%s\n", line); err != nil {
					return
				}
			}
			pending = rest
		}
		if err != nil {
			return
		}
	}
}

func (s *server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines)
}

// got waits until the server has those lines, and fails if it never does.
func (s *server) got(t *testing.T, want ...string) {
	t.Helper()
	var lines []string
	for range 200 {
		s.mu.Lock()
		lines = append(lines[:0], s.lines...)
		s.mu.Unlock()
		if fmt.Sprint(lines) == fmt.Sprint(want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the server got %q, want %q", lines, want)
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c.(*net.TCPConn)
}

// ask sends a line and returns the answer.
func ask(c net.Conn, line string) error {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return err
	}
	buf := make([]byte, len(line)+1)
	if _, err := io.ReadFull(c, buf); err != nil {
		return err
	}
	if string(buf) != line+"\n" {
		return fmt.Errorf("answer is %q", buf)
	}
	return nil
}

func mustAsk(t *testing.T, c net.Conn, line string) {
	t.Helper()
	if err := ask(c, line); err != nil {
		t.Fatal(err)
	}
}

func wantReset(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("error is %v, want a reset", err)
	}
}

func TestForwardsAndCountsChunks(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	a, b := dial(t, p.Addr()), dial(t, p.Addr())
	for _, line := range []string{"one", "two", "three"} {
		mustAsk(t, a, line)
		mustAsk(t, b, line)
	}
	if n := p.Chunks(); n != 6 {
		t.Errorf("counts %d chunks, want 6", n)
	}
}

func TestForwardsLargeDataUnchanged(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	mustAsk(t, dial(t, p.Addr()), strings.Repeat("0123456789", 1<<19))
}

func TestCutAfterLosesTheReplyOfAChunkThatTheServerGot(t *testing.T) {
	for _, slow := range []time.Duration{0, 300 * time.Millisecond} { // less and more than the proxy waits
		s := newServer(t)
		p := testnet.NewProxy(t, s.addr())
		c := dial(t, p.Addr())
		mustAsk(t, c, "zero")
		s.mu.Lock()
		s.slow = slow
		s.mu.Unlock()
		p.CutAfter(2)
		mustAsk(t, c, "one")
		wantReset(t, ask(c, "two"))
		if err := ask(c, "three"); err == nil {
			t.Error("the connection still works")
		}
		s.got(t, "zero", "one", "two")
		mustAsk(t, dial(t, p.Addr()), "four")
		s.got(t, "zero", "one", "two", "four")
	}
}

func TestCutAfterDoesNotWaitForAReplyThatNeverComes(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	c := dial(t, p.Addr())
	p.CutAfter(1)
	start := time.Now()
	wantReset(t, ask(c, "quiet"))
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
	s.got(t, "quiet")
}

func TestCutAfterGivesTheServerAllOfALargeChunk(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	for range 10 {
		c := dial(t, p.Addr())
		p.CutAfter(1)
		// The first lines are answered while the last are still unread.
		lines := strings.Repeat("x\n", 20000)
		if _, err := io.WriteString(c, lines); err != nil {
			wantReset(t, err) // it came in two, and was cut in between
		}
		_, err := io.Copy(io.Discard, c)
		wantReset(t, err)
	}
	if n := p.Chunks(); n != 10 {
		t.Errorf("%d chunks were forwarded, want 10", n)
	}
	// The lines are short of 64 KiB, so that most came as one chunk; the server
	// has got all of those, although nobody read its answers.
	whole := 0
	for range 100 {
		if whole = s.count() / 20000; whole >= 8 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the server got all of %d chunks, of 10", whole)
}

func TestCutBeforeForwardsNothingOfTheChunk(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	c := dial(t, p.Addr())
	p.CutBefore(3)
	mustAsk(t, c, "one")
	mustAsk(t, c, "two")
	wantReset(t, ask(c, "three"))
	if n := p.Chunks(); n != 2 {
		t.Errorf("counts %d chunks, want 2", n)
	}
	mustAsk(t, dial(t, p.Addr()), "four")
	s.got(t, "one", "two", "four")
}

func TestCutsCanBeTakenBack(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	c := dial(t, p.Addr())
	p.CutBefore(1)
	p.CutBefore(0)
	p.CutAfter(1)
	p.CutAfter(0)
	mustAsk(t, c, "one")
	mustAsk(t, c, "two")
}

func TestEveryRequestOfASessionCanBeCut(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	session := func() (answered int, err error) {
		c, err := net.Dial("tcp", p.Addr())
		if err != nil {
			return 0, err
		}
		defer c.Close()
		for answered = range 5 {
			if err := ask(c, "x"); err != nil {
				return answered, err
			}
		}
		return 5, nil
	}
	if _, err := session(); err != nil {
		t.Fatal(err)
	}
	n := p.Chunks()
	for i := 1; i <= n; i++ {
		for name, cut := range map[string]func(int){"before": p.CutBefore, "after": p.CutAfter} {
			cut(i)
			if answered, err := session(); err == nil || answered != i-1 {
				t.Errorf("cut %s %d: %d answers, %v", name, i, answered, err)
			}
			if answered, err := session(); err != nil {
				t.Errorf("after the cut %s %d: %d answers, %v", name, i, answered, err)
			}
		}
	}
}

func TestCutEndsAllConnectionsOfNow(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	a, b := dial(t, p.Addr()), dial(t, p.Addr())
	mustAsk(t, a, "a")
	mustAsk(t, b, "b")
	p.Cut()
	for _, c := range []net.Conn{a, b} {
		_, err := c.Read(make([]byte, 1))
		wantReset(t, err)
	}
	mustAsk(t, dial(t, p.Addr()), "c")
	if n := p.Conns(); n < 1 || n > 3 {
		t.Errorf("%d connections, want the new one and perhaps the ends of two", n)
	}
}

func TestPauseHoldsEverythingBackAndResumeLosesNothing(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	c := dial(t, p.Addr())
	mustAsk(t, c, "zero")
	p.Pause()
	p.Pause()
	late := dial(t, p.Addr()) // is accepted, and silent
	for _, c := range []*net.TCPConn{c, late} {
		if _, err := io.WriteString(c, "one\n"); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		var timeout net.Error
		if n, err := c.Read(make([]byte, 10)); n > 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("read %d bytes, %v, want nothing", n, err)
		}
	}
	s.got(t, "zero")
	p.Resume()
	p.Resume()
	for _, c := range []*net.TCPConn{c, late} {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, 4)
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "one\n" {
			t.Fatalf("%q, %v", buf, err)
		}
		mustAsk(t, c, "two")
	}
}

func TestPausedConnectionsCanBeCut(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	c := dial(t, p.Addr())
	mustAsk(t, c, "zero")
	p.Pause()
	if _, err := io.WriteString(c, "one\n"); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	_, err := c.Read(make([]byte, 1))
	wantReset(t, err)
	p.Resume()
	mustAsk(t, dial(t, p.Addr()), "two")
	s.got(t, "zero", "two")
}

func TestDelayHoldsBothWaysBack(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	c := dial(t, p.Addr())
	mustAsk(t, c, "zero")
	p.Delay(30 * time.Millisecond)
	start := time.Now()
	mustAsk(t, c, "one")
	if d := time.Since(start); d < 60*time.Millisecond {
		t.Errorf("there and back took %v", d)
	}
	p.Delay(0)
	mustAsk(t, c, "two")
}

func TestServerThatCannotBeReachedIsAReset(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	p := testnet.NewProxy(t, ln.Addr().String())
	c, err := net.Dial("tcp", p.Addr())
	if err == nil { // else the reset was quicker than the dial
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	wantReset(t, err)
}

func TestServersEndReachesTheClientAfterAllData(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	c := dial(t, p.Addr())
	mustAsk(t, c, "one")
	s.hangUp()
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %d, %v, want EOF", n, err)
	}
}

func TestClientThatStopsSendingStillGetsItsReply(t *testing.T) {
	s := newServer(t)
	s.slow = 50 * time.Millisecond
	p := testnet.NewProxy(t, s.addr())
	c := dial(t, p.Addr())
	if _, err := io.WriteString(c, "last\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "last\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNothingIsLeftWhenTheTestEnds(t *testing.T) {
	s := newServer(t)
	s.slow = 50 * time.Millisecond
	var addr string
	var clients []*net.TCPConn
	t.Run("inner", func(t *testing.T) {
		p := testnet.NewProxy(t, s.addr())
		addr = p.Addr()
		for i := range 9 {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c.(*net.TCPConn))
			switch i % 3 {
			case 0:
				mustAsk(t, c, "x")
			case 1:
				p.CutAfter(1)
				_ = ask(c, "quiet")
			}
		}
		p.Delay(time.Hour)
		_, _ = io.WriteString(clients[0], "held back\n")
		p.Pause()
		_, _ = io.WriteString(clients[3], "held back\n")
	})
	if c, err := net.Dial("tcp", addr); err == nil {
		_ = c.Close()
		t.Error("the listener is still open")
	}
	for _, c := range clients {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil {
			wantReset(t, err)
		}
		_ = c.Close()
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if i := bytes.Index(stacks, []byte("testnet.(*")); i >= 0 {
		t.Errorf("a goroutine is left: %s", stacks[i:min(i+500, len(stacks))])
	}
}

// Faults come from other goroutines than the traffic.
func TestFaultsAtAnyTimeNeitherHangNorRace(t *testing.T) {
	s := newServer(t)
	p := testnet.NewProxy(t, s.addr())
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := net.Dial("tcp", p.Addr())
				if err != nil {
					continue
				}
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				for range 20 {
					if ask(c, "some line") != nil {
						break
					}
				}
				_ = c.Close()
			}
		})
	}
	for i := range 60 {
		switch i % 6 {
		case 0:
			p.CutAfter(3)
		case 1:
			p.CutBefore(5)
		case 2:
			p.Pause()
		case 3:
			p.Cut()
		case 4:
			p.Resume()
		case 5:
			p.Delay(time.Duration(i%4) * time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.Delay(0)
	p.Resume()
	close(stop)
	wg.Wait()
	p.CutAfter(0)
	p.CutBefore(0)
	mustAsk(t, dial(t, p.Addr()), "the end")
}
