package lb_test

import (
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

func TestReportTextComesBack(t *testing.T) {
	for _, r := range []lb.Report{
		{Cores: 1},
		{RIF: 7, Cores: 2.5, Slowness: 12 * time.Millisecond, Latency: 30 * time.Millisecond, Draining: true},
	} {
		if got, err := lb.ParseReport(r.String()); err != nil || got != r {
			t.Errorf("%q gives %+v, %v; want %+v", r.String(), got, err, r)
		}
	}
	for _, s := range []string{"", "rif=1", "rif=-1;cores=1", "cores=NaN", "cores=inf", "rif=99999999;cores=1", "rif=1;cores=1;slow=99999999999999", "cores=1;rif=x"} {
		if r, err := lb.ParseReport(s); err == nil {
			t.Errorf("%q was read as %+v", s, r)
		}
	}
	if r, err := lb.ParseReport("rif=3; cores=4; new=thing"); err != nil || r.RIF != 3 {
		t.Errorf("an unknown name: %+v, %v", r, err)
	}
}

func TestORCAText(t *testing.T) {
	r, err := lb.ParseORCA("TEXT cpu_utilization=0.3, named_metrics.rif=7, named_metrics.cores=4,named_metrics.slow=0.01")
	if want := (lb.Report{RIF: 7, Cores: 4, Slowness: 10 * time.Millisecond}); err != nil || r != want {
		t.Errorf("%+v, %v, want %+v", r, err, want)
	}
	for _, s := range []string{"", "TEXT", "JSON {}", "TEXT cpu_utilization=0.3", "TEXT named_metrics.rif=7,named_metrics.cores=0"} {
		if _, err := lb.ParseORCA(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func FuzzParseReport(f *testing.F) {
	f.Add("rif=7;cores=2.5;slow=12000;lat=30000;drain")
	f.Add("rif=;cores=1e9")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := lb.ParseReport(s)
		if err != nil {
			return
		}
		again, err := lb.ParseReport(r.String())
		if err != nil || again != r {
			t.Errorf("%q gives %+v, and that %+v, %v", s, r, again, err)
		}
		p := newPool(t, lb.Config{Nodes: nodes(2)})
		if err := p.Report("n00", r); err != nil || p.Stats().BadReports != 0 {
			t.Errorf("%q was read and then refused", s)
		}
		acquire(t, p, lb.Request{})
	})
}

func FuzzParseORCA(f *testing.F) {
	f.Add("TEXT named_metrics.rif=7,named_metrics.cores=4,named_metrics.slow=0.01")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := lb.ParseORCA(s)
		if err != nil {
			return
		}
		p := newPool(t, lb.Config{Nodes: nodes(2)})
		if err := p.Report("n00", r); err != nil || p.Stats().BadReports != 0 {
			t.Errorf("%q was read as %+v and then refused", s, r)
		}
	})
}
