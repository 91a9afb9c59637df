package lb

// ProbeRate returns how many nodes the policy wants to be asked for a report
// for each request that Acquire gave a node; 0 if it wants none.
func (p *Pool) ProbeRate() float64 {
	if pr, ok := p.policy.(Prober); ok {
		return pr.ProbeRate()
	}
	return 0
}

// ProbeTarget draws the node to be asked next: all in turn, in an order that
// changes with each round, those that fail a check included. It returns nil if
// there is none. Hand what it says to Report.
func (p *Pool) ProbeTarget() *Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.members)
	if n == 0 {
		return nil
	}
	// A shuffle that is dealt out card by card. Members that came or went since
	// change the deck.
	if p.dealt >= len(p.deck) || len(p.deck) != n {
		p.deck, p.dealt = p.deck[:0], 0
		for i := range n {
			p.deck = append(p.deck, i)
		}
	}
	i := p.dealt + below(p.random(), n-p.dealt)
	p.deck[p.dealt], p.deck[i] = p.deck[i], p.deck[p.dealt]
	p.dealt++
	return p.members[p.deck[p.dealt-1]].Node()
}
