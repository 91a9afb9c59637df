package lb

// Trace is called as a pool works, concurrently, on the goroutine that does the
// work. Its functions must not block: requests wait for them. A nil function is
// not called.
type Trace struct {
	// Done is called when a lease is given back, at its first Done, with the
	// node that it was for. The outcome's class is what the pool makes of it:
	// beside an error it is never OK.
	Done func(n *Node, o Outcome)
}
