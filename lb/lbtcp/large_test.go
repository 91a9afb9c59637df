package lbtcp_test

import (
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// Large streams both ways at once do not pile up in the process (hard test 12:
// 1 GiB with ASHLAR_SOAK=1, else a part of it).
func TestLargeStreamsNeedNoMemory(t *testing.T) {
	size := int64(64 << 20)
	if os.Getenv("ASHLAR_SOAK") == "1" {
		size = 1 << 30
	}
	chunk := make([]byte, 64<<10)
	blast := func(conn *net.TCPConn) {
		for n := int64(0); n < size; n += int64(len(chunk)) {
			if _, err := conn.Write(chunk); err != nil {
				t.Errorf("after %d bytes: %v", n, err)
				return
			}
		}
		conn.CloseWrite()
	}
	drain := func(conn *net.TCPConn) {
		var n int64
		for buf := make([]byte, 64<<10); ; {
			k, err := conn.Read(buf)
			n += int64(k)
			if err == io.EOF && n == size {
				return
			}
			if err != nil {
				t.Errorf("%d of %d bytes: %v", n, size, err)
				return
			}
		}
	}
	both := func(conn *net.TCPConn) {
		conn.SetDeadline(time.Now().Add(10 * patience))
		var wg sync.WaitGroup
		wg.Go(func() { blast(conn) })
		drain(conn)
		wg.Wait()
	}
	node := server(t, both)
	addr, _, _ := serve(t, lbtcp.Config{Pool: pool(t, nil, node)})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	both(dial(t, addr))
	runtime.ReadMemStats(&after)
	grown := after.TotalAlloc - before.TotalAlloc // all that was allocated, freed or not
	t.Logf("%d MiB each way: %d KiB allocated in all", size>>20, grown>>10)
	if grown > 1<<20 && !raceEnabled {
		t.Errorf("%d bytes were allocated for %d each way, want less than 1 MiB", grown, size)
	}
}

// A message of one byte is not held back by the kernel or by us (hard test 11:
// at most direct + 60 us in the median). The times are reported; what is
// judged is only that every byte comes back.
func TestSmallMessagesAreNotDelayed(t *testing.T) {
	node := server(t, func(conn *net.TCPConn) { io.Copy(conn, conn) })
	addr, _, _ := serve(t, lbtcp.Config{Pool: pool(t, nil, node)})
	median := func(addr string) time.Duration {
		conn := dial(t, addr)
		var took []time.Duration
		for range 500 {
			begin := time.Now()
			write(t, conn, "x")
			read(t, conn, 1)
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	direct, proxied := median(node.Addr), median(addr)
	t.Logf("median of one byte there and back: %v direct, %v through the proxy", direct, proxied)
}
