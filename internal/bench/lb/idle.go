package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

// idle opens so many pairs of connections through each TCP proxy, over each of
// which one byte goes there and back, and looks at the memory and CPU time of
// the proxy while nothing moves any more. The clients are one process, the
// server that they reach is another.
func idle(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("idle", flag.ExitOnError)
	pairs := fs.Int("pairs", 10_000, "pairs of connections; as many as there are descriptors for, if those are fewer")
	rest := fs.Duration("rest", 10*time.Second, "how long they are left alone")
	rounds := fs.Int("rounds", 3, "how often each side is measured")
	only := fs.String("only", "haproxy-tcp,nginx-stream,lbtcp.Proxy", "names of the proxies to measure, separated by commas")
	fs.Parse(args)
	descriptors, err := raiseDescriptors()
	if err != nil {
		return err
	}
	n := min(*pairs, (descriptors-500)/2) // a proxy needs some for itself
	dir, err := os.MkdirTemp("", "bench-lb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755) // for nginx's workers
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	me, err := os.Executable()
	if err != nil {
		return err
	}
	echo, err := spawn(ctx, restCPU, addr, me, "echo", addr)
	if err != nil {
		return err
	}
	defer echo.stop()
	f := &farm{dir: dir, backends: []string{addr, addr}, clients: n + 100}
	rows := map[string]*idleRow{}
	contestants, err := choose(*only)
	if err != nil {
		return err
	}
	for range *rounds {
		for _, c := range contestants {
			if rows[c.name] == nil {
				rows[c.name] = &idleRow{}
			}
			if err := rows[c.name].measure(ctx, f, c, me, n, *rest); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d idle pairs\tRSS before, MiB\tRSS, MiB\tpeak, MiB\tKiB/pair\tCPU us/pair to open\tCPU idle, %%\n", n)
	for _, c := range contestants {
		r := rows[c.name]
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.3f\n", c.name, median(r.before), median(r.rss), median(r.peak),
			(median(r.rss)-median(r.before))*1024/float64(n), median(r.open), median(r.busy))
	}
	return w.Flush()
}

// idleRow is what one proxy needed, by round.
type idleRow struct{ before, rss, peak, open, busy []float64 }

func (r *idleRow) measure(ctx context.Context, f *farm, c contestant, me string, n int, rest time.Duration) error {
	p, err := f.start(ctx, c)
	if err != nil {
		return err
	}
	defer p.stop()
	before, _ := p.memory()
	began := p.cpu()
	clients := exec.CommandContext(ctx, "taskset", "-c", restCPU, me, "hold", p.addr, strconv.Itoa(n))
	clients.Stderr = os.Stderr
	stdin, err := clients.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := clients.StdoutPipe()
	if err != nil {
		return err
	}
	if err := clients.Start(); err != nil {
		return err
	}
	defer clients.Wait()
	defer stdin.Close() // which ends it
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		return fmt.Errorf("the clients end with %q: %w: %s", line, err, p.log)
	}
	opened := p.cpu()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rest):
	}
	rss, peak := p.memory()
	r.before = append(r.before, before)
	r.rss = append(r.rss, rss)
	r.peak = append(r.peak, peak)
	r.open = append(r.open, float64((opened-began)/time.Microsecond)/float64(n))
	r.busy = append(r.busy, 100*float64(p.cpu()-opened)/float64(rest))
	return nil
}

// memory is what of the process is in memory now, and was at most, in MiB, with
// its children.
func (p *process) memory() (now, peak float64) {
	for _, pid := range p.family() {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(text)) {
			var kib float64
			if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
				now += kib / 1024
			}
			if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
				peak += kib / 1024
			}
		}
	}
	return now, peak
}

// raiseDescriptors allows this process and those it starts as many descriptors
// as its user may have.
func raiseDescriptors() (int, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	return int(min(l.Max, 1<<20)), nil
}

// hold opens n connections, sends a byte over each and waits for it to come
// back, says so, and holds them until its input ends.
func hold(addr string, n int) error {
	if _, err := raiseDescriptors(); err != nil {
		return err
	}
	conns := make([]net.Conn, n)
	errs := make([]error, n)
	slots := make(chan struct{}, 32)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			conns[i], errs[i] = touch(addr)
			<-slots
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	for _, c := range conns {
		c.Close()
	}
	return nil
}

func touch(addr string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	b := []byte("x")
	if _, err := conn.Write(b); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn, b); err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Time{})
}

// echo sends back what it gets.
func echo(addr string) error {
	if _, err := raiseDescriptors(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			var b [64]byte
			for {
				n, err := conn.Read(b[:])
				if err != nil {
					return
				}
				if _, err := conn.Write(b[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// family is the process and its children: nginx works in one.
func (p *process) family() []int {
	pids := []int{p.cmd.Process.Pid}
	for i := 0; i < len(pids); i++ {
		paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pids[i]))
		for _, path := range paths {
			text, _ := os.ReadFile(path)
			for field := range strings.FieldsSeq(string(text)) {
				pid, _ := strconv.Atoi(field)
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
