package netvip_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/netvip"
)

// Take an address, tell the LAN, and keep it for as long as this process works.
func Example() {
	p, err := netvip.New(netvip.Config{Mode: netvip.Leased})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	v := ha.VIP{Iface: "eth0", Prefix: netip.MustParsePrefix("192.0.2.10/32")}
	if err := p.Attach(ctx, v); err != nil {
		log.Print(err) // such as: netvip: attach 192.0.2.10/32 on eth0: operation not permitted (needs CAP_NET_ADMIN)
		return
	}
	for i := 0; ; i++ {
		if i < 5 { // frames get lost
			_ = p.Announce(ctx, v, nil)
		}
		time.Sleep(500 * time.Millisecond)
		if err := p.Renew(ctx, []ha.VIP{v}, 2*time.Second); err != nil {
			log.Print(err) // netvip.ErrLost: somebody removed it
			return
		}
	}
}

func ExampleParseMode() {
	mode, err := netvip.ParseMode("vmac")
	fmt.Println(mode == netvip.VMAC, err)
	// Output: true <nil>
}
