package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/lb/lbsim"
)

// buildBalancer makes the program in a directory of its own.
func buildBalancer(ctx context.Context) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "bench-lbfarm-"); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "balancer"), "github.com/ashlar-go/ashlar/examples/balancer").CombinedOutput()
	if err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return dir, nil
}

// processes are those of one farm.
type processes []*exec.Cmd

// start runs a program until stop, and returns the address that it prints.
func (p *processes) start(name string, args ...string) (addr string, err error) {
	cmd := exec.Command(name, args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	*p = append(*p, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		return "", fmt.Errorf("%s does not listen: %s", filepath.Base(name), log.String())
	}
	return addr, nil
}

func (p processes) stop() {
	for _, cmd := range p {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	for _, cmd := range p {
		timer := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
	}
}

// play runs the farm with one policy.
func play(ctx context.Context, bin string, s lbsim.Scenario, e entry, long time.Duration) (outcome, error) {
	me, err := os.Executable()
	if err != nil {
		return outcome{}, err
	}
	var all processes
	defer func() { all.stop() }()
	args := []string{"-listen", "127.0.0.1:0", "-policy", e.flag, "-probe", "/report", "-interval", "5s", "-drain", "0s"}
	for i := range s.Servers {
		speed := s.Speeds[i%len(s.Speeds)]
		addr, err := all.start(me, "backend", fmt.Sprintf("-speed=%g", speed), fmt.Sprintf("-cores=%d", s.Cores),
			fmt.Sprintf("-noise=%t", s.Noise.Every > 0), fmt.Sprintf("-seed=%d", s.Seed*100+uint64(i)))
		if err != nil {
			return outcome{}, err
		}
		if e.Weighted {
			addr += fmt.Sprintf(",weight=%g", speed)
		}
		args = append(args, "-backend", addr)
	}
	var targets []string
	for range s.Balancers {
		addr, err := all.start(filepath.Join(bin, "balancer"), args...)
		if err != nil {
			return outcome{}, err
		}
		targets = append(targets, addr)
	}
	r := rand.New(rand.NewPCG(s.Seed, 4))
	idle, _, failed := send(ctx, targets, arrivals(r, 200, s.Balancers, 2*time.Millisecond, 0), 100)
	if failed > 0 {
		return outcome{}, fmt.Errorf("%d of 100 requests without work failed", failed)
	}
	interval := time.Duration(float64(s.Work) / (capacity(s) * s.Load))
	n, warm := int(long/interval), int(long/interval)/4
	latencies, late, failed := send(ctx, targets, arrivals(r, warm+n, s.Balancers, interval, s.Work), warm)
	if ctx.Err() != nil {
		return outcome{}, context.Cause(ctx)
	}
	return outcome{
		Policy: e.Name, Requests: n, Failed: failed, Late: quantile(late, 0.99),
		P50: quantile(latencies, 0.5), P99: quantile(latencies, 0.99), P999: quantile(latencies, 0.999),
		Delay: quantile(idle, 0.5) / 2,
	}, nil
}

// capacity is how many cores of speed 1 the farm is worth in the long run.
func capacity(s lbsim.Scenario) float64 {
	sum := 0.0
	for i := range s.Servers {
		sum += s.Speeds[i%len(s.Speeds)]
	}
	if s.Noise.Every > 0 {
		sum *= 1 - (1-s.Noise.Factor)*float64(s.Noise.For)/float64(s.Noise.Every)
	}
	return sum * float64(s.Cores)
}
