package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Which processor runs what: the proxy has the first to itself.
const (
	proxyCPU = "0"
	restCPU  = "1"
)

// farm is the backend, and the folder where everything lies.
type farm struct {
	dir      string
	backends []string
	clients  int // connections that a proxy must allow; 0: 4000
	nginx    *process
}

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  *bytes.Buffer
}

func startFarm(ctx context.Context, sizes []int) (*farm, error) {
	dir, err := os.MkdirTemp("", "bench-lb-")
	if err != nil {
		return nil, err
	}
	// nginx gives up root for its workers, which must get at the files.
	os.Chmod(dir, 0o755)
	f := &farm{dir: dir}
	for _, size := range sizes {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(size)), bytes.Repeat([]byte("x"), size), 0o644); err != nil {
			return nil, err
		}
	}
	for range 2 {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		f.backends = append(f.backends, addr)
	}
	conf := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/backend.pid; error_log stderr crit;
events { worker_connections 8192; }
http { access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000; open_file_cache max=10;
 client_body_temp_path %[1]s/b1; proxy_temp_path %[1]s/b2; fastcgi_temp_path %[1]s/b3; uwsgi_temp_path %[1]s/b4; scgi_temp_path %[1]s/b5;
 server { listen %[2]s backlog=4096; listen %[3]s backlog=4096; root %[1]s; } }
`, dir, f.backends[0], f.backends[1])
	path := filepath.Join(dir, "backend.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	f.nginx, err = spawn(ctx, restCPU, f.backends[0], "nginx", "-p", dir, "-c", path)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return f, nil
}

func (f *farm) close() {
	f.nginx.stop()
	os.RemoveAll(f.dir)
}

func (f *farm) start(ctx context.Context, c contestant) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	argv, err := c.command(f, addr)
	if err != nil {
		return nil, err
	}
	return spawn(ctx, proxyCPU, addr, argv...)
}

// spawn starts a server on one processor and waits until it answers.
func spawn(ctx context.Context, cpu, addr string, argv ...string) (*process, error) {
	p := &process{addr: addr, log: new(bytes.Buffer)}
	p.cmd = exec.CommandContext(ctx, "taskset", append([]string{"-c", cpu}, argv...)...)
	p.cmd.Stderr = p.log
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return p, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("does not listen: %s", p.log)
}

func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			p.cmd.Process.Kill()
		}
	}()
	p.cmd.Wait()
	close(done)
}

// cpu is the time that the process and its children have used: nginx and
// HAProxy work in a child, and so does nothing else of ours.
func (p *process) cpu() time.Duration {
	var total time.Duration
	for _, pid := range p.family() {
		total += ticks(pid)
	}
	return total
}

// ticks reads the scheduler's count of a process's threads, in nanoseconds.
func ticks(pid int) time.Duration {
	var sum time.Duration
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, path := range tasks {
		text, _ := os.ReadFile(path)
		if first, _, ok := strings.Cut(string(text), " "); ok {
			n, _ := strconv.ParseInt(first, 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// result is what the load generator saw.
type result struct {
	requests, errors int64
	took             time.Duration
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in`)
	wrkErrors   = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)|Non-2xx or 3xx responses: (\d+)`)
)

// closing makes the load generator use a connection for each request.
var closing bool

func load(ctx context.Context, addr string, size int, slice time.Duration, connections int) (result, error) {
	// wrk counts whole seconds; what is shorter is a warm-up.
	seconds := max(1, int(slice.Round(time.Second)/time.Second))
	begin := time.Now()
	args := []string{"-c", restCPU, "wrk", "-t1", "-c", strconv.Itoa(connections), "-d", strconv.Itoa(seconds) + "s"}
	if closing {
		args = append(args, "-H", "Connection: close")
	}
	out, err := exec.CommandContext(ctx, "taskset", append(args, fmt.Sprintf("http://%s/%d", addr, size))...).Output()
	if err != nil {
		if ee, ok := errors.AsType[*exec.ExitError](err); ok {
			return result{}, fmt.Errorf("wrk: %w: %s", err, ee.Stderr)
		}
		return result{}, err
	}
	r := result{took: time.Since(begin)}
	if m := wrkRequests.FindSubmatch(out); m != nil {
		r.requests, _ = strconv.ParseInt(string(m[1]), 10, 64)
	}
	for _, m := range wrkErrors.FindAllSubmatch(out, -1) {
		for _, n := range m[1:] {
			k, _ := strconv.ParseInt(string(n), 10, 64)
			r.errors += k
		}
	}
	return r, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
