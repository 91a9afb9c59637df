package lbsim_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsim"
)

func run(t testing.TB, s lbsim.Scenario, e lbsim.Entry) lbsim.Result {
	t.Helper()
	r, err := lbsim.Run(t.Context(), s, e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var marginal = lbsim.Entry{Name: "marginal", Policy: lb.Marginal{}}

func TestSameSeedSameResult(t *testing.T) {
	s := lbsim.Scenario{Servers: 10, Balancers: 3, Requests: 5000, Seed: 3, Jitter: 1, Noise: lbsim.Noisy}
	a, b := run(t, s, marginal), run(t, s, marginal)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("two runs differ:\n%+v\n%+v", a, b)
	}
	s.Seed = 4
	if c := run(t, s, marginal); c.Mean == a.Mean {
		t.Error("another seed gives the same")
	}
}

// A single server with processor sharing has a mean sojourn of
// work / (1 - load), whatever the distribution of work (Kleinrock).
func TestOneServerAgreesWithTheory(t *testing.T) {
	for _, d := range []lbsim.Dist{lbsim.Exponential, lbsim.Constant, lbsim.Bimodal} {
		s := lbsim.Scenario{Servers: 1, Balancers: 1, Cores: 1, Load: 0.6, Dist: d, Delay: -1, Requests: 40_000, Seed: 1}
		want := 10 * time.Millisecond / 4 * 10
		if got := run(t, s, lbsim.Entry{Policy: lb.Random{}}).Mean; math.Abs(float64(got-want)) > 0.05*float64(want) {
			t.Errorf("%v: mean %v, theory says %v", d, got, want)
		}
	}
}

// Random routing splits a Poisson stream into Poisson streams; with four cores
// and exponential work processor sharing has the mean of M/M/4.
func TestRandomRoutingAgreesWithTheory(t *testing.T) {
	s := lbsim.Scenario{Servers: 20, Balancers: 2, Load: 0.7, Delay: -1, Requests: 60_000, Seed: 2}
	const a = 2.8 // erlangs
	sum, term := 0.0, 1.0
	for k := range 4 {
		sum += term
		term *= a / float64(k+1)
	}
	wait := term / (1 - a/4)
	want := 10 * (1 + wait/(sum+wait)/(4-a)) // ms
	if got := run(t, s, lbsim.Entry{Policy: lb.Random{}}).Mean.Seconds() * 1e3; math.Abs(got-want) > 0.03*want {
		t.Errorf("mean %.2f ms, theory says %.2f", got, want)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	for _, s := range []lbsim.Scenario{
		{Servers: -1}, {Load: -1}, {Load: 11}, {Speeds: []float64{0}}, {Fast: 101}, {Jitter: -1},
		{Noise: lbsim.Noise{Every: time.Second, For: 2 * time.Second, Factor: 1}},
	} {
		if _, err := lbsim.Run(t.Context(), s, marginal); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	if _, err := lbsim.Run(t.Context(), lbsim.Scenario{}, lbsim.Entry{Policy: lb.PowerOfD{D: -1}}); err == nil {
		t.Error("a policy that makes no sense was accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lbsim.Run(ctx, lbsim.Scenario{}, marginal); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
}

// TestMarginalBeatsTheAnchors runs small cells on a seed that the rule was not
// made on. The large ones are in docs/lb.md.
func TestMarginalBeatsTheAnchors(t *testing.T) {
	cells := []lbsim.Scenario{
		{Name: "hetero", Servers: 20, Speeds: lbsim.Hetero},
		{Name: "noisy", Servers: 20, Speeds: lbsim.Hetero, Noise: lbsim.Noisy, Dist: lbsim.LogNormal},
		{Name: "constant", Servers: 25, Dist: lbsim.Constant, Delay: 3 * time.Millisecond},
	}
	for i := range cells {
		cells[i].Seed, cells[i].Requests = 1000, 10_000
	}
	anchors := []struct {
		entry lbsim.Entry
		limit float64
	}{
		{lbsim.Entry{Name: "least in flight", Policy: lb.LeastInFlight{}}, 1.05},
		{lbsim.Entry{Name: "two choices, EWMA", Policy: lb.PeakEWMA{}}, 0.95},
		{lbsim.Entry{Name: "EWMA, all nodes", Policy: lb.PeakEWMA{Scan: true}}, 1.05},
		{lbsim.Entry{Name: "Prequal q=0.84", Policy: lb.Prequal{}}, 0.85},
	}
	entries := []lbsim.Entry{marginal}
	for _, a := range anchors {
		entries = append(entries, a.entry)
	}
	table, err := lbsim.RunAll(t.Context(), cells, entries)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range cells {
		ours := table.Results[0][i].P99
		for k, a := range anchors {
			if other := table.Results[k+1][i].P99; float64(ours) > a.limit*float64(other) {
				t.Errorf("%s: p99 %v, %s has %v, want at most %.2f times that", s.Name, ours, a.entry.Name, other, a.limit)
			}
		}
	}
}

func TestSharesFollowSpeeds(t *testing.T) {
	r := run(t, lbsim.Scenario{Servers: 10, Balancers: 4, Speeds: lbsim.Hetero, Requests: 10_000, Seed: 9}, marginal)
	slow, fast, sum := r.Shares[0], r.Shares[2], 0.0
	for _, x := range r.Shares {
		sum += x
	}
	if fast < 3*slow || math.Abs(sum-1) > 1e-9 {
		t.Errorf("a server four times as fast has %.3f, a slow one %.3f (sum %.6f)", fast, slow, sum)
	}
}

func TestTableAndPicture(t *testing.T) {
	table, err := lbsim.RunAll(t.Context(), []lbsim.Scenario{{Name: "a <b>", Servers: 4, Requests: 500}}, append(lbsim.Anchors(), lbsim.Oracles()...))
	if err != nil {
		t.Fatal(err)
	}
	var text, svg bytes.Buffer
	if _, err := table.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "\n"); n != 15 {
		t.Errorf("%d lines, want 15:\n%s", n, text.String())
	}
	if err := table.SVG(&svg); err != nil {
		t.Fatal(err)
	}
	bars := 0
	for d := xml.NewDecoder(&svg); ; {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 15 {
		t.Errorf("%d rectangles, want the ground and 14 bars", bars)
	}
	if best := table.Best(0, len(lbsim.Anchors())); best <= 0 || best > table.Results[0][0].P99 {
		t.Errorf("best %v", best)
	}
}

func TestPeriodicReportsReachAllBalancers(t *testing.T) {
	s := lbsim.Scenario{Servers: 20, Balancers: 10, Load: 0.7, Requests: 6_000, Seed: 5}
	chain := lbsim.Entry{Policy: lb.Random{}, Config: lb.Config{Steps: []lb.Step{lb.ByCost(func(m *lb.Member) float64 {
		r, _, _ := m.Report()
		return float64(r.RIF)
	})}}}
	chain.Every = time.Second
	stale := run(t, s, chain)
	chain.Every = 5 * time.Millisecond
	fresh := run(t, s, chain)
	if stale.P99 < 3*fresh.P99 {
		t.Errorf("p99 %v with reports each second, %v with reports each 5 ms: want stale load to be far worse", stale.P99, fresh.P99)
	}
}

func ExampleRunAll() {
	table, err := lbsim.RunAll(context.Background(),
		[]lbsim.Scenario{{Name: "six servers", Servers: 6, Balancers: 2, Speeds: lbsim.Hetero, Requests: 2000, Seed: 1}},
		[]lbsim.Entry{
			{Name: "random", Policy: lb.Random{}},
			{Name: "marginal", Policy: lb.Marginal{}},
		})
	if err != nil {
		panic(err)
	}
	if table.Results[1][0].P99 < table.Results[0][0].P99 {
		_, _ = io.WriteString(os.Stdout, "marginal has the shorter tail\n")
	}
	// Output: marginal has the shorter tail
}

// The anchors are as strong as their papers have them: Prequal does not herd
// where many balancers ask, and idle cores are found where there are some.
func TestAnchorsAreStrong(t *testing.T) {
	s := lbsim.Scenario{Servers: 40, Balancers: 20, Requests: 12_000, Seed: 6}
	best := run(t, s, lbsim.Entry{Oracle: lbsim.ShortestQueue}).P99
	for _, a := range []struct {
		entry lbsim.Entry
		limit float64
	}{
		{lbsim.Entry{Policy: lb.Prequal{}}, 2.2},
		{lbsim.Entry{Policy: lb.Prequal{Quantile: 0.6}}, 1.5},
		{lbsim.Entry{Policy: lb.JoinIdleQueue{}, Tokens: true}, 1.3},
	} {
		if got := run(t, s, a.entry).P99; float64(got) > a.limit*float64(best) {
			t.Errorf("%T: p99 %v, the shortest queue has %v", a.entry.Policy, got, best)
		}
	}
}
