package cache

import (
	"fmt"

	"github.com/maypok86/otter/v2"
)

// Memo returns f with a memory of up to max results, the least used of which
// are forgotten: computational reuse (the book's chapter 7). f must be pure:
// its result depends on its argument alone and is not changed by anybody. The
// function returned is safe for concurrent use if f is; f runs on the caller's
// goroutine and may call the function returned, as a recursion does. Callers
// that ask for the same new argument at once may each compute it. A panic of f
// reaches its caller and nothing is remembered.
//
// Memo panics if max is not positive or f is nil.
func Memo[K comparable, V any](max int, f func(K) V) func(K) V {
	if max <= 0 || f == nil {
		panic(fmt.Sprintf("cache: Memo of %d results: want a positive bound and a function", max))
	}
	memory := otter.Must(&otter.Options[K, V]{MaximumSize: max})
	return func(k K) V {
		if v, ok := memory.GetIfPresent(k); ok {
			return v
		}
		v := f(k)
		memory.Set(k, v)
		return v
	}
}
