package netvip_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/netvip"
	"github.com/ashlar-go/ashlar/internal/testnet"
)

// BenchmarkTakeOver is what a move costs at its two ends: attach and announce
// here, detach there.
func BenchmarkTakeOver(b *testing.B) {
	for _, k := range kinds {
		b.Run(k.mode.String()+" "+k.ip, func(b *testing.B) {
			n := testnet.NewLab(b, 1).Nodes[0]
			p, err := netvip.New(netvip.Config{Mode: k.mode, VRID: func(ha.VIP) uint8 { return 1 }})
			if err != nil {
				b.Fatal(err)
			}
			err = n.Do(func() error {
				for b.Loop() {
					for _, f := range []func() error{
						func() error { return p.Attach(b.Context(), vip(k.ip)) },
						func() error { return p.Announce(b.Context(), vip(k.ip), nil) },
						func() error { return p.Detach(b.Context(), vip(k.ip)) },
					} {
						if err := f(); err != nil {
							return err
						}
					}
				}
				return p.Close()
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
