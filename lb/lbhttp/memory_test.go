package lbhttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// proxyMain is this test program as a proxy and nothing else, so that its
// memory is the proxy's. It ends with its standard input.
func proxyMain(kind, backend string) {
	p, err := lb.New(lb.Config{Nodes: []lb.Node{{ID: "a", Addr: backend}}})
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if kind == "server" {
		s, err := lbhttp.NewServer(lbhttp.ServerConfig{Pool: p})
		if err != nil {
			log.Fatal(err)
		}
		s.Run(ctx, l)
		return
	}
	tr, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: p})
	if err != nil {
		log.Fatal(err)
	}
	h, err := lbhttp.NewProxy(lbhttp.ProxyConfig{Transport: tr})
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(l, h)
	<-ctx.Done()
}

// A body as large as anybody likes adds less than a megabyte to the proxy's
// memory, each way, with a length and in chunks (hard test 12: a gigabyte when
// soaking).
func TestLargeBodiesNeedNoMemory(t *testing.T) {
	size := int64(32 << 20)
	if soaking() {
		size = 1 << 30
	}
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.ContentLength > 0 {
			w.Header().Set("Content-Length", fmt.Sprint(n))
		}
		sent, err := io.CopyN(w, zeros{}, n)
		if sent != n {
			t.Errorf("the backend sends %d of %d bytes: %v", sent, n, err)
		}
	})
	for _, kind := range []string{"server", "proxy"} {
		addr, pid := child(t, kind, node.Addr)
		for _, chunked := range []bool{false, true} {
			echo(t, addr, 16<<20, chunked) // what it needs at all
			before := peak(t, pid)
			echo(t, addr, size, chunked)
			grown := peak(t, pid) - before
			t.Logf("%s, chunked %v: %d MiB each way, peak memory grew by %d KiB", kind, chunked, size>>20, grown)
			if grown >= 1<<10 && !raceEnabled {
				t.Errorf("%s, chunked %v: memory grew by %d KiB", kind, chunked, grown)
			}
		}
	}
}

// zeros is an endless stream.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func echo(t *testing.T, addr string, size int64, chunked bool) {
	t.Helper()
	req, err := http.NewRequest("POST", "http://"+addr, io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	if !chunked {
		req.ContentLength = size
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Fatalf("%d of %d bytes: %v", n, size, err)
	}
}

// child starts this program as a proxy until the test ends.
func child(t *testing.T, kind, backend string) (addr string, pid int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LBHTTP_PROXY="+kind, "LBHTTP_BACKEND="+backend)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

// peak returns the most memory that a process has had, in KiB.
func peak(t *testing.T, pid int) (kib int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("needs /proc")
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
