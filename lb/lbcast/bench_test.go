package lbcast

import "testing"

func BenchmarkOpen(b *testing.B) {
	k := newKey(testSecret, "")
	packet := k.seal(testMessage())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := open(packet, []key{k}); err != nil {
			b.Fatal(err)
		}
	}
}
