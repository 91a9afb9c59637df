package hatest

import (
	"context"
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/ha"
)

// TestPlumber checks that a Plumber does what package ha relies on. open returns
// one that has nothing attached, and two addresses that may be used; answers
// reports whether somebody on the network would get an answer from the address.
func TestPlumber(t *testing.T, open func(t *testing.T) (p ha.Plumber, vips [2]ha.VIP), answers func(ha.VIP) bool) {
	step := func(t *testing.T, what string, err error, v ha.VIP, want bool) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s %v: %v", what, v, err)
		}
		if got := answers(v); got != want {
			t.Fatalf("after %s, %v answers: %t", what, v, got)
		}
	}
	t.Run("AttachReturnsOnceItAnswers", func(t *testing.T) {
		p, vips := open(t)
		ctx := t.Context()
		step(t, "Attach", p.Attach(ctx, vips[0]), vips[0], true)
		step(t, "Attach of another", p.Attach(ctx, vips[1]), vips[0], true)
		step(t, "Announce", p.Announce(ctx, vips[0], nil), vips[0], true)
		step(t, "Detach", p.Detach(ctx, vips[0]), vips[0], false)
		step(t, "Detach of the other", p.Detach(ctx, vips[1]), vips[1], false)
	})
	t.Run("AttachAndDetachAreIdempotent", func(t *testing.T) {
		p, vips := open(t)
		ctx := t.Context()
		step(t, "Detach of nothing", p.Detach(ctx, vips[0]), vips[0], false)
		for range 2 {
			step(t, "Attach", p.Attach(ctx, vips[0]), vips[0], true)
		}
		for range 2 {
			step(t, "Detach", p.Detach(ctx, vips[0]), vips[0], false)
		}
		step(t, "Attach again", p.Attach(ctx, vips[0]), vips[0], true)
		step(t, "Detach", p.Detach(ctx, vips[0]), vips[0], false)
	})
	t.Run("EndedContextIsAnError", func(t *testing.T) {
		p, vips := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Attach(ctx, vips[0]); err == nil {
			t.Error("Attach went on")
		}
		if err := p.Detach(t.Context(), vips[0]); err != nil {
			t.Error(err)
		}
	})
	t.Run("AttachedIsWhatIsThere", func(t *testing.T) {
		p, vips := open(t)
		inv, ok := p.(ha.Inventory)
		if !ok {
			t.Log("this Plumber has no inventory")
			return
		}
		check := func(want ...ha.VIP) {
			t.Helper()
			got, err := inv.Attached(t.Context())
			if err != nil || len(got) != len(want) {
				t.Fatalf("Attached = %v, %v, want %v", got, err, want)
			}
			for _, v := range want {
				if !slices.Contains(got, v) {
					t.Fatalf("Attached = %v, want %v", got, want)
				}
			}
		}
		check()
		step(t, "Attach", p.Attach(t.Context(), vips[0]), vips[0], true)
		check(vips[0])
		step(t, "Detach", p.Detach(t.Context(), vips[0]), vips[0], false)
		check()
	})
	t.Run("WatchEndsWithItsContext", func(t *testing.T) {
		p, _ := open(t)
		w, ok := p.(ha.Watcher)
		if !ok {
			t.Log("this Plumber watches nothing")
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = w.Watch(ctx, func(ha.PlumberEvent) {})
		}()
		cancel()
		<-done
	})
}
