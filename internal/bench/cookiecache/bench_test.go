package main

import "testing"

// The same as the program, one at a time: go test -bench . ./cookiecache
func BenchmarkOpen(b *testing.B) { run(b, func(c contender) func(int) { return c.open }) }
func BenchmarkSeal(b *testing.B) { run(b, func(c contender) func(int) { return c.seal }) }

func run(b *testing.B, of func(contender) func(int)) {
	all, err := contenders(500)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range all {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				of(c)(1)
			}
		})
	}
}
