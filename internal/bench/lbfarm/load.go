package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// due is a request and when to send it.
type due struct {
	at     time.Duration
	target int
	work   time.Duration
}

// arrivals draws a Poisson process.
func arrivals(r *rand.Rand, n, targets int, interval, work time.Duration) []due {
	list := make([]due, n)
	at := 0.0
	for i := range list {
		at += r.ExpFloat64() * float64(interval)
		list[i] = due{time.Duration(at), r.IntN(targets), time.Duration(r.ExpFloat64() * float64(work))}
	}
	return list
}

// send sends each request when it is due, and waits for all. It returns
// latencies from when requests were due, how late they were sent, and how many
// failed, all without the first ones.
func send(ctx context.Context, targets []string, list []due, skip int) (latencies, late []time.Duration, failed int) {
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4096, DisableCompression: true}}
	defer c.CloseIdleConnections()
	latencies, late = make([]time.Duration, len(list)), make([]time.Duration, len(list))
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	begin := time.Now()
	for i, d := range list {
		if ctx.Err() != nil {
			break
		}
		time.Sleep(time.Until(begin.Add(d.at)))
		late[i] = time.Since(begin) - d.at
		wg.Go(func() {
			errs[i] = get(ctx, c, fmt.Sprintf("http://%s/work?ns=%d", targets[d.target], d.work))
			latencies[i] = time.Since(begin) - d.at
		})
	}
	wg.Wait()
	for _, err := range errs[skip:] {
		if err != nil {
			failed++
		}
	}
	return latencies[skip:], late[skip:], failed
}

func get(ctx context.Context, c *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}

// quantile of what need not be in order.
func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
