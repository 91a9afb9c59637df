package cachetest

import (
	"context"
	"sync"
	"time"
)

// faults breaks calls of a [Memory] on demand.
type faults struct {
	fmu    sync.Mutex
	plans  map[string][]*plan // guarded by fmu; by operation
	delays map[string]time.Duration
	calls  map[string]int
}

type kind int

const (
	failing kind = iota
	losing
	hanging
	dropping
)

// plan is a fault that the next n calls meet; a negative n never ends.
type plan struct {
	kind kind
	n    int
	err  error
}

// Fail makes the next n calls of op return err and do nothing, as when a
// request does not reach the server. The operations are "get", "fill", "fence",
// "put", "invalidate", "invalidatetags" and "purge"; "" means each of them. A negative
// n lasts until [Memory.Heal]. Faults of one operation come in the order in
// which they were asked for; those of "" come last.
func (f *faults) Fail(op string, n int, err error) { f.plan(op, plan{failing, n, err}) }

// Lose makes the next n calls of op take effect and return err, as when the
// server's answer is lost. What a Get granted stays granted, to nobody.
func (f *faults) Lose(op string, n int, err error) { f.plan(op, plan{losing, n, err}) }

// Hang makes the next n calls of op do nothing until their context ends, and
// return its cause, as when the server is stopped.
func (f *faults) Hang(op string, n int) { f.plan(op, plan{hanging, n, nil}) }

// Drop makes the next n calls of op do nothing and report no error: what a Get
// asks is not held and not leased, what is to be stored is not stored, and an
// invalidation is lost unseen.
func (f *faults) Drop(op string, n int) { f.plan(op, plan{dropping, n, nil}) }

// Delay makes every call of op wait for d before it takes effect, or until its
// context ends; zero ends that.
func (f *faults) Delay(op string, d time.Duration) {
	f.fmu.Lock()
	defer f.fmu.Unlock()
	if f.delays == nil {
		f.delays = make(map[string]time.Duration)
	}
	f.delays[op] = d
}

// Heal ends all faults and delays. Calls that hang go on hanging.
func (f *faults) Heal() {
	f.fmu.Lock()
	defer f.fmu.Unlock()
	clear(f.plans)
	clear(f.delays)
}

// Calls returns how often op was called, whatever became of it; "" counts all
// operations.
func (f *faults) Calls(op string) int {
	f.fmu.Lock()
	defer f.fmu.Unlock()
	return f.calls[op]
}

func (f *faults) plan(op string, p plan) {
	if p.n == 0 {
		return
	}
	f.fmu.Lock()
	defer f.fmu.Unlock()
	if f.plans == nil {
		f.plans = make(map[string][]*plan)
	}
	f.plans[op] = append(f.plans[op], &p)
}

// begin applies the faults of op. After it the call returns err when that is
// not nil, returns without effect when skip is set, and returns lose in place
// of its answer otherwise.
func (f *faults) begin(ctx context.Context, op string) (lose error, skip bool, err error) {
	f.fmu.Lock()
	if f.calls == nil {
		f.calls = make(map[string]int)
	}
	f.calls[op]++
	f.calls[""]++
	wait := f.delays[op] + f.delays[""]
	p := f.take(op)
	f.fmu.Unlock()

	if err := context.Cause(ctx); err != nil {
		return nil, false, err
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
	if p == nil {
		return nil, false, nil
	}
	switch p.kind {
	case failing:
		return nil, false, p.err
	case losing:
		return p.err, false, nil
	case hanging:
		<-ctx.Done()
		return nil, false, context.Cause(ctx)
	default:
		return nil, true, nil
	}
}

// take returns the fault that the present call of op meets. The caller holds fmu.
func (f *faults) take(op string) *plan {
	for _, name := range []string{op, ""} {
		if ps := f.plans[name]; len(ps) > 0 {
			if ps[0].n > 0 {
				if ps[0].n--; ps[0].n == 0 {
					f.plans[name] = ps[1:]
				}
			}
			return ps[0]
		}
	}
	return nil
}
