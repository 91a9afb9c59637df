package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The book's news site on three nodes with one database, of which one is killed
// under load: no reader gets an error instead of a page. A page whose first bytes
// a reader has already can only break off, since nothing is held back: so may
// those that were on their way, one for each reader. With ASHLAR_SOAK the load
// lasts longer.
func TestANewsSiteLosesANodeAndNoRequest(t *testing.T) {
	long := 1500 * time.Millisecond
	if os.Getenv("ASHLAR_SOAK") != "" {
		long = 20 * time.Second
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "newssite")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../newssite").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var nodes []*exec.Cmd
	args := []string{"-check", "/healthz", "-interval", "200ms"}
	for range 3 {
		cmd := exec.CommandContext(t.Context(), bin, "-listen", "127.0.0.1:0", "-db", "sqlite://"+filepath.Join(dir, "news.db"), "-articles", "100")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // one of them is dead already
			_ = cmd.Wait()
		})
		line, _ := bufio.NewReader(out).ReadString('\n')
		addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
		if !ok {
			t.Fatalf("newssite says %q", line)
		}
		nodes, args = append(nodes, cmd), append(args, "-backend", addr)
	}
	b := start(t, args...)
	b.wait("three nodes", usable(3))
	var sent, wrong, cut, dead atomic.Int64
	var readers sync.WaitGroup
	end := time.Now().Add(long)
	const clients = 8
	for r := range clients {
		readers.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for i := 0; time.Now().Before(end) || dead.Load() == 0; i++ {
				path := "/"
				if i%4 > 0 {
					path = fmt.Sprintf("/news/article/%d.html", (r*31+i)%100+1)
				}
				sent.Add(1)
				resp, err := c.Get("http://" + b.addr + path)
				if err != nil {
					wrong.Add(1)
					t.Log(err)
					continue
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				switch {
				case resp.StatusCode != http.StatusOK:
					wrong.Add(1)
					t.Log(path, resp.Status)
				case err != nil:
					cut.Add(1)
				case !strings.Contains(string(body), "</html>"):
					wrong.Add(1) // broken off as if it were whole
					t.Logf("%s: %d bytes", path, len(body))
				}
			}
		})
	}
	time.Sleep(long / 3)
	if err := nodes[1].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	b.wait("two nodes", usable(2))
	dead.Store(1)
	readers.Wait()
	r := b.status()
	t.Logf("%d requests, %d failed, %d broke off, %d sent again, p99 %.1f ms", sent.Load(), wrong.Load(), cut.Load(), r.Front.Retries, 1e3*r.P99)
	if wrong.Load() > 0 || cut.Load() > clients {
		t.Errorf("of %d requests %d failed and %d broke off", sent.Load(), wrong.Load(), cut.Load())
	}
}
