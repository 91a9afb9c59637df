package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// reportsAt asks backends for their reports at a path.
func reportsAt(path string) func(context.Context, *lb.Node) (lb.Report, error) {
	c := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, n *lb.Node) (lb.Report, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Addr+path, nil)
		if err != nil {
			return lb.Report{}, err
		}
		resp, err := c.Do(req)
		if err != nil {
			return lb.Report{}, err
		}
		defer resp.Body.Close()
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be kept
		r, err := lb.ParseReport(resp.Header.Get(lb.ReportHeader))
		if err != nil {
			return r, fmt.Errorf("probe of %s: %w", n.ID, err)
		}
		return r, nil
	}
}
