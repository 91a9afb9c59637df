package ha_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/hatest"
	"github.com/ashlar-go/ashlar/ha/quorum"
)

// brokenLeg cannot attach to one interface.
type brokenLeg struct {
	*hatest.Plumber
	iface string
}

func (b brokenLeg) Attach(ctx context.Context, v ha.VIP) error {
	if v.Iface == b.iface {
		return errors.New("this leg is broken")
	}
	return b.Plumber.Attach(ctx, v)
}

func TestBook_4_5_AllLegsOrNone(t *testing.T) {
	router := ha.Group{Name: "router", Prefer: []string{"n0"}, VIPs: []ha.VIP{
		{Iface: "inside", Prefix: netip.MustParsePrefix("10.0.0.1/32")},
		{Iface: "dmz", Prefix: netip.MustParsePrefix("10.1.0.1/32")},
		{Iface: "outside", Prefix: netip.MustParsePrefix("192.0.2.1/32")},
	}}
	refused := make(chan error, 100)
	l := newLAN(t, 2, 0, func(cfg *ha.Config) {
		cfg.Groups = []ha.Group{router}
		if cfg.Self == "n0" {
			cfg.Plumber = brokenLeg{cfg.Plumber.(*hatest.Plumber), "outside"}
			cfg.Trace.Event = func(e ha.Event) {
				if e.Kind == ha.Refused {
					refused <- e.Err
				}
			}
		}
	})
	within(t, "n1 has all legs, n0 none", func() bool { return len(l.net.On("n1")) == 3 && len(l.net.On("n0")) == 0 })
	err, ok := errors.AsType[*ha.VIPError](<-refused)
	if !ok || err.Op != "attach" || err.VIP != router.VIPs[2] {
		t.Errorf("refused with %v", err)
	}
}

// TestBook_4_8_HotStandby is a service that runs once: a lock server with fencing
// tokens stands for the storage behind it.
func TestBook_4_8_HotStandby(t *testing.T) {
	var mu sync.Mutex
	var highest uint64
	master := ""
	l := newLAN(t, 3, 0, func(cfg *ha.Config) {
		cfg.Groups = []ha.Group{{Name: "master"}}
		cfg.Members = []string{"n0", "n1", "n2"}
		cfg.Quorum = quorum.Majority()
		cfg.Hooks.Promote = func(_ context.Context, term ha.Term, _ ha.Group) error {
			mu.Lock()
			defer mu.Unlock()
			if master != "" || term.Epoch <= highest || term.Member != cfg.Self {
				t.Errorf("%v is promoted while %q is the master, after epoch %d", term, master, highest)
			}
			master, highest = cfg.Self, term.Epoch
			return nil
		}
		cfg.Hooks.Demote = func(_ context.Context, term ha.Term, _ ha.Group) error {
			mu.Lock()
			defer mu.Unlock()
			if master != cfg.Self {
				t.Errorf("%v is demoted while %q is the master", term, master)
			}
			master = ""
			return nil
		}
	})
	is := func(want string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return master == want || want == "" && master != ""
		}
	}
	within(t, "somebody is the master", is(""))
	for _, to := range []string{"n2", "n0", "n1"} {
		within(t, "all know each other", func() bool { s := l.nodes[0].Snapshot(); return s.Mature && s.Agreed })
		if err := l.nodes[0].Move(t.Context(), "master", to); err != nil {
			t.Fatal(err)
		}
		within(t, to+" is the master", is(to))
	}
	l.end(1)
	within(t, "another one is the master", func() bool { return is("n0")() || is("n2")() })
}
