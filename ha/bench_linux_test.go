package ha_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
)

// BenchmarkNode is what six members cost that have nothing to do but to live: the
// share of one core that each of them takes.
func BenchmarkNode(b *testing.B) {
	for _, timing := range []ha.Timing{ha.LAN(), ha.Fast()} {
		b.Run(fmt.Sprint(timing.Heartbeat), func(b *testing.B) {
			timing.Maturity = time.Second
			newLAN(b, 6, 6, func(cfg *ha.Config) { cfg.Timing = timing })
			time.Sleep(2 * time.Second)
			cpu := func() time.Duration {
				var u syscall.Rusage
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
					b.Fatal(err)
				}
				return time.Duration(u.Utime.Nano() + u.Stime.Nano())
			}
			used, began := cpu(), time.Now()
			for b.Loop() {
				time.Sleep(100 * time.Millisecond)
			}
			b.ReportMetric(100*float64(cpu()-used)/float64(time.Since(began))/6, "%core/member")
		})
	}
}
