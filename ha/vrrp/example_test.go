package vrrp_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/signal"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/netvip"
	"github.com/ashlar-go/ashlar/ha/vrrp"
)

// Share an address with keepalived, which has this in its configuration: version
// 3, virtual_router_id 42, advert_int 1.
func ExampleRouter() {
	plumber, err := netvip.New(netvip.Config{Mode: netvip.VMAC, VRID: func(ha.VIP) uint8 { return 42 }})
	if err != nil {
		log.Fatal(err)
	}
	defer plumber.Close()
	router, err := vrrp.New(vrrp.Config{
		Iface:    "eth0",
		VRID:     42,
		Priority: 150,
		Addrs:    []netip.Addr{netip.MustParseAddr("192.0.2.10")},
		Plumber:  plumber,
		VMAC:     true,
		Trace:    &vrrp.Trace{State: func(_, to vrrp.State) { log.Print("now ", to) }},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log.Print(router.Run(ctx)) // gives the address to the others before it returns
}

func ExampleParse() {
	b, _ := hex.DecodeString("312a640100645fa90a630064")
	a, sum, err := vrrp.Parse(b, netip.MustParseAddr("10.99.0.2"), netip.MustParseAddr("224.0.0.18"), 255)
	fmt.Println(a.VRID, a.Priority, a.Interval, a.Addrs, sum == vrrp.Plain, err)
	_, _, err = vrrp.Parse(b, netip.MustParseAddr("10.99.0.2"), netip.MustParseAddr("224.0.0.18"), 254)
	fmt.Println(err)
	// Output:
	// 42 100 1s [10.99.0.100] true <nil>
	// vrrp: came through a router: the TTL is not 255
}
