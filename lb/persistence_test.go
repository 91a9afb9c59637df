package lb

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Deviations of which a known part is left after a service time.
func TestPersistenceIsLearnt(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, left := range []float64{-0.5, 0, 0.3, 0.7, 0.9} {
		p := newPersistence()
		x := 0.0
		for range 4000 {
			was := x
			x = left*x + rnd.NormFloat64()*math.Sqrt(1-left*left)
			p.learn(float32(was), float32(x))
		}
		if part, _ := p.after(0); math.Abs(float64(part)-max(left, 0)) > 0.2 {
			t.Errorf("%v is left: %v was learnt", left, part)
		}
	}
}

// What is believed of a report is a part of it, and less and less; in the end
// nothing, and time changes nothing more.
func FuzzPersistence(f *testing.F) {
	f.Add(float32(1), float32(1), uint8(200), float32(0.1))
	f.Add(float32(1e20), float32(-1e20), uint8(3), float32(5))
	f.Fuzz(func(t *testing.T, was, is float32, times uint8, step float32) {
		const most = 1 << 24 // of requests in a report
		if !(was > -most && was < most && is > -most && is < most) || !(step > 0.001 && step < 1e6) {
			t.Skip()
		}
		p := newPersistence()
		for range times {
			p.learn(was, is)
		}
		last := float32(1)
		for i := range 100 {
			part, fresh := p.after(float32(i) * step)
			if !(part >= 0 && part <= last) || !fresh && part != 0 {
				t.Fatalf("after %v service times %v counts, before that %v did (fresh: %v)", float32(i)*step, part, last, fresh)
			}
			last = part
		}
		if part, fresh := p.after(1e4); part != 0 || fresh {
			t.Errorf("%v of a report that is 10,000 service times old counts", part)
		}
	})
}
