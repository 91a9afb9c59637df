// Command memcached times the second tier of package cache/memcached beside
// bare gomemcache, on a private memcached that it starts and ends itself.
//
//	go run ./memcached [-rounds 9] [-slice 300ms] [-cancel] [-goroutines 1,4,16,64]
//
// Both sides read the same 10,000 values of 500 bytes, in turns within one
// process; each figure is the median over the rounds, and each ratio the median
// of the rounds' own ratios. Client, server and this program share the cores.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/memcached"
)

const (
	keyCount  = 10_000
	valueSize = 500
	manyKeys  = 50
)

func main() {
	rounds := flag.Int("rounds", 9, "how often each side is measured")
	slice := flag.Duration("slice", 300*time.Millisecond, "how long each measurement takes")
	cancel := flag.Bool("cancel", false, "give the tier a context that can be cancelled, as a request's is")
	list := flag.String("goroutines", "1,4,16,64", "how many callers at once")
	flag.Parse()
	var counts []int
	for field := range strings.SplitSeq(*list, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "-goroutines: %q is no positive number\n", field)
			os.Exit(2)
		}
		counts = append(counts, n)
	}
	if err := run(counts, *rounds, *slice, *cancel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(counts []int, rounds int, slice time.Duration, cancellable bool) error {
	addr, stop, err := startServer()
	if err != nil {
		return err
	}
	defer stop()

	bare := memcache.New(addr)
	bare.MaxIdleConns = 128
	tier, err := memcached.New(memcached.Config{Servers: []memcached.Server{{Name: "a", Addr: addr}}})
	if err != nil {
		return err
	}
	defer tier.Close()
	ctx := context.Background()
	if cancellable {
		c, cancel := context.WithCancel(ctx)
		defer cancel()
		ctx = c
	}

	value := make([]byte, valueSize)
	bareKeys, tierKeys := make([]string, keyCount), make([]string, keyCount)
	for i := range keyCount {
		bareKeys[i], tierKeys[i] = fmt.Sprintf("bare:%05d", i), fmt.Sprintf("tier:%05d", i)
		if err := bare.Set(&memcache.Item{Key: bareKeys[i], Value: value}); err != nil {
			return err
		}
		e := cache.Entry{Value: value, Version: 1, Loaded: time.Now(), TTL: time.Hour}
		if stored, err := tier.Put(ctx, tierKeys[i], cache.Lease{}, e); !stored || err != nil {
			return fmt.Errorf("put: %v, %v", stored, err)
		}
	}

	one := side{
		bare: func(i int) error { _, err := bare.Get(bareKeys[i]); return err },
		tier: func(i int) error {
			items, err := tier.Get(ctx, tierKeys[i:i+1], cache.Want{})
			if err == nil && (!items[0].Found || len(items[0].Entry.Value) != valueSize) {
				err = fmt.Errorf("wrong item %+v", items[0])
			}
			return err
		},
	}
	many := side{
		bare: func(i int) error {
			i = min(i, keyCount-manyKeys)
			items, err := bare.GetMulti(bareKeys[i : i+manyKeys])
			if err == nil && len(items) != manyKeys {
				err = fmt.Errorf("%d items", len(items))
			}
			return err
		},
		tier: func(i int) error {
			i = min(i, keyCount-manyKeys)
			items, err := tier.Get(ctx, tierKeys[i:i+manyKeys], cache.Want{})
			if err == nil && slices.ContainsFunc(items, func(it cache.Item) bool { return !it.Found }) {
				err = fmt.Errorf("missing items")
			}
			return err
		},
	}
	if err := report("Get, 500 bytes", one, counts, rounds, slice); err != nil {
		return err
	}
	return report(fmt.Sprintf("Get of %d keys", manyKeys), many, counts, rounds, slice)
}

// side is the same work done twice.
type side struct{ bare, tier func(i int) error }

// sample is what one measurement found, per call.
type sample struct{ rate, p50, p99, cpu, allocs float64 }

func report(title string, s side, counts []int, rounds int, slice time.Duration) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\n%s; ratios are tier / gomemcache\n", title)
	fmt.Fprintln(w, "goroutines\tgomemcache/s\ttier/s\trate\tp50\tp99\tgomemcache p99\ttier p99\tCPU/call\tgomemcache CPU\ttier CPU\tallocs\t")
	for _, goroutines := range counts {
		var b, t []sample
		for r := range rounds + 1 {
			x, err := measure(s.bare, goroutines, slice)
			if err != nil {
				return err
			}
			y, err := measure(s.tier, goroutines, slice)
			if err != nil {
				return err
			}
			if r > 0 { // the first warms up
				b, t = append(b, x), append(t, y)
			}
		}
		ratio := func(f func(sample) float64) float64 {
			var list []float64
			for i := range b {
				list = append(list, f(t[i])/f(b[i]))
			}
			return median(list)
		}
		mid := func(list []sample, f func(sample) float64) float64 {
			var values []float64
			for _, s := range list {
				values = append(values, f(s))
			}
			return median(values)
		}
		rate, p50 := func(s sample) float64 { return s.rate }, func(s sample) float64 { return s.p50 }
		p99, cpu := func(s sample) float64 { return s.p99 }, func(s sample) float64 { return s.cpu }
		allocs := func(s sample) float64 { return s.allocs }
		fmt.Fprintf(w, "%d\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.0f us\t%.0f us\t%.2f\t%.1f us\t%.1f us\t%.1f : %.1f\t\n", goroutines,
			mid(b, rate), mid(t, rate), ratio(rate), ratio(p50), ratio(p99), mid(b, p99), mid(t, p99),
			ratio(cpu), mid(b, cpu), mid(t, cpu), mid(b, allocs), mid(t, allocs))
	}
	return w.Flush()
}

func measure(call func(i int) error, goroutines int, slice time.Duration) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	var wg sync.WaitGroup
	took := make([][]time.Duration, goroutines)
	errs := make(chan error, goroutines)
	start := time.Now()
	end := start.Add(slice)
	for g := range goroutines {
		took[g] = make([]time.Duration, 0, 1<<12)
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			for now := time.Now(); now.Before(end); {
				if err := call(rnd.IntN(keyCount)); err != nil {
					errs <- err
					return
				}
				then := now
				now = time.Now()
				took[g] = append(took[g], now.Sub(then))
			}
		})
	}
	wg.Wait()
	wall := time.Since(start)
	used := cpuTime() - cpu
	runtime.ReadMemStats(&after)
	select {
	case err := <-errs:
		return sample{}, err
	default:
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	n := float64(len(all))
	return sample{
		rate: n / wall.Seconds(), cpu: float64(used.Microseconds()) / n,
		p50:    float64(all[len(all)/2].Nanoseconds()) / 1e3,
		p99:    float64(all[len(all)*99/100].Nanoseconds()) / 1e3,
		allocs: float64(after.Mallocs-before.Mallocs) / n,
	}, nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// cpuTime is the processor time of this process, which is the client alone.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// startServer starts a memcached on a free port.
func startServer() (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	cmd := exec.Command("memcached", "-l", "127.0.0.1", "-p", port, "-U", "0", "-m", "256", "-t", "2", "-u", "nobody")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	for range 100 {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return addr, stop, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	return "", nil, fmt.Errorf("memcached does not answer at %s", addr)
}
