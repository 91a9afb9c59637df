package cache_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/cache"
)

func TestMemoComputesEachArgumentOnce(t *testing.T) {
	calls := 0
	square := cache.Memo(100, func(n int) int { calls++; return n * n })
	for range 10 {
		for n := range 10 {
			if got := square(n); got != n*n {
				t.Errorf("square(%d) = %d", n, got)
			}
		}
	}
	if calls != 10 {
		t.Errorf("%d calls for 10 arguments", calls)
	}
}

func TestMemoIsBoundedAndConcurrent(t *testing.T) {
	var calls atomic.Int64
	double := cache.Memo(10, func(n int) int { calls.Add(1); return 2 * n })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 1000 {
				if got := double(n); got != 2*n {
					t.Errorf("double(%d) = %d", n, got)
				}
			}
		})
	}
	all.Wait()
	if calls.Load() < 1000 {
		t.Errorf("%d calls for 1,000 arguments", calls.Load())
	}
	eventually(t, func() bool { // ten results are kept, so nearly all are computed again
		before := calls.Load()
		for n := range 1000 {
			double(n)
		}
		return calls.Load()-before > 900
	})
}

func TestMemoRemembersNothingOfAPanic(t *testing.T) {
	broken := true
	f := cache.Memo(10, func(int) int {
		if broken {
			panic("boom")
		}
		return 7
	})
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not reach the caller")
			}
		}()
		f(1)
	}()
	broken = false
	if f(1) != 7 {
		t.Error("the argument is not usable after a panic")
	}
}

func TestMemoPanicsOnAMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Memo took a bound of 0")
		}
	}()
	cache.Memo(0, func(int) int { return 0 })
}
