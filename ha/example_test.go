package ha_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/hatest"
	"github.com/ashlar-go/ashlar/ha/quorum"
)

// A cluster of one: it serves everything, and gives it up when it ends.
func ExampleNode() {
	lan := new(hatest.LAN) // ha/netvip has the Plumber for Linux
	node, err := ha.New(ha.Config{
		Self:    "web1",
		Groups:  []ha.Group{{Name: "www", VIPs: []ha.VIP{{Iface: "eth0", Prefix: netip.MustParsePrefix("192.0.2.80/32")}}}},
		Paths:   []ha.Path{{Listen: netip.MustParseAddrPort("127.0.0.1:0")}},
		Keys:    [][]byte{[]byte("32 bytes from a file of mode 600")},
		Plumber: lan.Host("web1"),
		Timing:  ha.Timing{Maturity: 300 * time.Millisecond},
	})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- node.Run(ctx) }()
	for len(lan.On("web1")) == 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(lan.Addresses())
	stop()
	fmt.Println(<-done, lan.Addresses())
	// Output:
	// map[192.0.2.80/32:[web1]]
	// context canceled map[]
}

// A service that runs once: two of three members have to agree on who may, and
// what it writes carries the epoch of its term.
func ExampleHooks() {
	cfg := ha.Config{
		Self:     "db1",
		Members:  []string{"db1", "db2", "db3"},
		Quorum:   quorum.Majority(),
		Groups:   []ha.Group{{Name: "master"}},
		Paths:    []ha.Path{{Listen: netip.MustParseAddrPort("127.0.0.1:0")}},
		Insecure: true,
		Hooks: ha.Hooks{
			Promote: func(ctx context.Context, t ha.Term, _ ha.Group) error {
				return promote(ctx, t.Epoch) // an error: another member is asked
			},
			Demote: func(ctx context.Context, _ ha.Term, _ ha.Group) error { return demote(ctx) },
		},
	}
	_, err := ha.New(cfg)
	fmt.Println(err)
	cfg.Quorum = quorum.AtLeast(1)
	_, err = ha.New(cfg)
	fmt.Println(err)
	// Output:
	// <nil>
	// ha: Config.Quorum: quorum: at least 1: two sides could act at once: db1 and db2, db3
}

func promote(context.Context, uint64) error { return nil }
func demote(context.Context) error          { return nil }

// A machine decides without a network or a clock: it is told what happens and when.
func ExampleCore() {
	groups := []ha.Group{{Name: "www"}}
	core, err := ha.NewCore(ha.Config{Self: "a", Groups: groups}, 1, 0)
	if err != nil {
		panic(err)
	}
	for now := time.Duration(0); now < 6*time.Second; now = core.Next() {
		for _, e := range core.Step(now, ha.Input{Kind: ha.Tick}) {
			if e.Kind == ha.Take {
				fmt.Println("take", e.Group.Name)
				core.Step(now, ha.Input{Kind: ha.Done, Op: e.Op})
			}
		}
	}
	fmt.Println(core.Snapshot().Groups[0].Owner)
	// Output:
	// take www
	// a
}
