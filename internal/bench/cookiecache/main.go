// Cookiecache opens and seals the same value with the package cookiecache and
// with what people use for cookies now, in one process and in turns, and prints
// what each costs beside the least that is possible: AES-256-GCM and one pass of
// base64.
//
//	go run ./cookiecache [-rounds 101] [-slice 4ms] [-size 500]
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/ashlar-go/ashlar/internal/bench/side"
)

func main() {
	rounds := flag.Int("rounds", 101, "how often each is timed; the medians count")
	slice := flag.Duration("slice", 4*time.Millisecond, "how long each is timed in a round")
	size := flag.Int("size", 500, "bytes of the value")
	flag.Parse()
	// The byte APIs use one processor; a second one would only collect garbage
	// for those that make it.
	runtime.GOMAXPROCS(1)
	all, err := contenders(*size)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cookiecache:", err)
		os.Exit(1)
	}
	for _, what := range []struct {
		title string
		of    func(contender) func(int)
	}{
		{"open", func(c contender) func(int) { return c.open }},
		{"seal", func(c contender) func(int) { return c.seal }},
	} {
		var cases []side.Case
		for _, c := range all {
			if run := what.of(c); run != nil {
				cases = append(cases, side.Case{Name: c.name, Run: run})
			}
		}
		fmt.Printf("%s %d bytes\n", what.title, *size)
		side.Print(os.Stdout, side.Compare(*rounds, *slice, cases...))
		fmt.Println()
	}
	fmt.Printf("characters on the wire for %d bytes\n", *size)
	for _, c := range all {
		if c.wire > 0 {
			fmt.Printf("%6d  %s\n", c.wire, c.name)
		}
	}
}
