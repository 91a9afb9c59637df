package lbsql

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The lag is a bound: against a primary whose every position and moment is
// known, what the history says is never less than the truth as of its last
// mark, and more by less than the distance of two marks.
func TestLagIsABound(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		h := history{keep: time.Hour}
		var wrote []time.Duration // when position i+1 was written
		now := time.Duration(0)
		var longest, before time.Duration
		for range 50 {
			for range r.IntN(4) {
				now += time.Duration(1 + r.IntN(100))
				wrote = append(wrote, now)
			}
			now += time.Duration(1 + r.IntN(50))
			longest, before = max(longest, now-before), now
			h.add(now, Position(len(wrote)))
		}
		for pos := range len(wrote) + 1 {
			truth := time.Duration(0)
			if pos < len(wrote) {
				truth = before - wrote[pos] // the first that it lacks
			}
			lag, known := h.lag(Position(pos))
			if known && (lag < truth || lag > truth+longest) {
				t.Fatalf("seed %d: position %d is %v behind, the history says %v", seed, pos, truth, lag)
			}
			if !known && Position(pos) >= h.marks[0].pos {
				t.Fatalf("seed %d: position %d is not known", seed, pos)
			}
		}
	}
}

func TestHistoryForgetsAndBeginsAnew(t *testing.T) {
	h := history{keep: 10 * time.Second}
	if _, known := h.lag(1); known {
		t.Error("nothing is known")
	}
	for i := range 100000 {
		if !h.add(time.Duration(i)*100*time.Millisecond, Position(i)) {
			t.Fatal("it did not go back")
		}
	}
	if n := len(h.marks); n > 102 || n < 100 {
		t.Errorf("%d marks for ten seconds of ten a second", n)
	}
	h.keep = 1 << 62
	for i := range 2 * most {
		h.add(time.Duration(1e6+i), Position(1e6+i))
	}
	if len(h.marks) > most+1 {
		t.Errorf("%d marks", len(h.marks))
	}
	if h.add(1<<50, 5) || len(h.marks) != 1 {
		t.Error("the position went back")
	}
}

func TestRiseAndFall(t *testing.T) {
	var h health
	for i, s := range []struct {
		f    finding
		want bool
	}{
		{silent, false}, {fresh, true}, // the first time at once
		{silent, true}, {fresh, true}, {silent, true}, {silent, false}, // fall 2
		{fresh, false}, {fresh, false}, {fresh, true}, // rise 3
		{stale, false}, // a fact
		{fresh, false}, {silent, false}, {fresh, false}, {fresh, false}, {fresh, true},
	} {
		h = h.step(s.f, 3, 2)
		if h.up != s.want {
			t.Fatalf("step %d: up %v", i, h.up)
		}
	}
}

// Whatever the order of events: never more than most at once, and in any
// period at most the share of what is offered and what may be saved up.
func TestShareIsNeverExceeded(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		most, ratio := 1+r.IntN(20), 0.01+r.Float64()
		if ratio > 1 {
			ratio = 1
		}
		s := newShare(most, ratio)
		busy, offered, taken := 0, 0, 0
		for range 5000 {
			if r.IntN(100) == 0 { // a new period
				offered, taken = 0, 0
			}
			if r.IntN(3) > 0 {
				s.offered()
				offered++
				if r.IntN(2) == 0 && s.take() {
					busy++
					taken++
				}
			} else if busy > 0 {
				s.give()
				busy--
			}
			if busy > most || busy != s.running() || ratio < 1 && float64(taken) > ratio*float64(offered)+float64(most)+1e-6 {
				t.Fatalf("seed %d: most %d, ratio %v: %d at once, %d of %d", seed, most, ratio, busy, taken, offered)
			}
		}
	}
}

func TestRecordEnd(t *testing.T) {
	const block, segment = 8192, 16 << 20
	for next, want := range map[int64]Position{
		segment + 40:        segment,             // behind a segment's header
		segment + 8192 + 24: segment + 8192,      // behind a page's
		segment + 8192 + 40: segment + 8192 + 40, // a record's end on a later page
		segment + 8192 + 32: segment + 8192 + 32,
		3*segment + 12345*8: 3*segment + 12345*8,
	} {
		if got := recordEnd(next, block, segment); got != want {
			t.Errorf("%x: %x, want %x", next, got, want)
		}
	}
}

func FuzzLogPosition(f *testing.F) {
	f.Add("binlog.000001", "4", "binlog.000002", "100")
	f.Add("a.b.16777216", "1099511627775", "", "")
	f.Fuzz(func(t *testing.T, f1, p1, f2, p2 string) {
		a, err1 := logPosition(f1, p1)
		b, err2 := logPosition(f2, p2)
		if err1 != nil || err2 != nil {
			return
		}
		if f1 == f2 && len(p1) == len(p2) && p1 < p2 && a >= b {
			t.Errorf("%s %s = %d, %s %s = %d", f1, p1, a, f2, p2, b)
		}
	})
}

func TestMySQLStatementsByVersion(t *testing.T) {
	for version, want := range map[string][2]string{
		"10.11.6-MariaDB-log": {"SHOW MASTER STATUS", "SHOW SLAVE STATUS"},
		"11.4.2-MariaDB":      {"SHOW MASTER STATUS", "SHOW SLAVE STATUS"},
		"8.0.36":              {"SHOW MASTER STATUS", "SHOW SLAVE STATUS"},
		"8.4.0":               {"SHOW BINARY LOG STATUS", "SHOW REPLICA STATUS"},
		"9.1.0-commercial":    {"SHOW BINARY LOG STATUS", "SHOW REPLICA STATUS"},
		"?":                   {"SHOW MASTER STATUS", "SHOW SLAVE STATUS"},
	} {
		if got := [2]string{primaryStatus(version), replicaStatus(version)}; got != want {
			t.Errorf("%s: %q", version, got)
		}
	}
	if p, err := logPosition("binlog.000002", "4"); err != nil || p != 2<<40|4 {
		t.Error(p, err)
	}
	for _, bad := range [][2]string{{"", "4"}, {"binlog", "4"}, {"7", "4"}, {"binlog.x", "4"}, {"binlog.1", ""}, {"binlog.1", "-1"}, {"binlog.99999999", "1"}, {"b.1", "1099511627776"}} {
		if _, err := logPosition(bad[0], bad[1]); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzGTIDPosition(f *testing.F) {
	for _, s := range []string{"0-1-100", "", "0-1", "0-1-2-3", "0-1-100,1-2-5", "-1-1-1", "0-1-18446744073709551615", "0-1-18446744073709551616", "a-1-1", "4294967296-1-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := gtidPosition(s)
		if err != nil {
			return
		}
		parts := strings.Split(s, "-")
		if n, err := strconv.ParseUint(parts[len(parts)-1], 10, 64); err != nil || len(parts) != 3 || Position(n) != p {
			t.Errorf("%q: %d", s, p)
		}
	})
}
