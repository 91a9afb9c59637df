package replication

// conversion takes rows of the master to the spellings of the replica's
// columns, value by value, and refuses what these cannot hold. Its results are
// valid until the next row.
type conversion struct {
	carriers []carrier
	same     bool // no value changes and none is checked
}

func conversions(from, to []Column, sameVendor bool) *conversion {
	c := &conversion{carriers: make([]carrier, len(from)), same: true}
	for i := range from {
		c.carriers[i] = newCarrier(from[i], to[i], sameVendor)
		c.same = c.same && c.carriers[i].same
	}
	return c
}

// row converts values into dst.
func (c *conversion) row(dst, values [][]byte) (err error) {
	if c.same {
		copy(dst, values)
		return nil
	}
	for i := range values {
		if dst[i], err = c.carriers[i].carry(values[i]); err != nil {
			return err
		}
	}
	return nil
}

// keyBack takes a key of the replica to the spellings of the master's columns.
// Its values came from there, if nobody else writes to the replica.
func keyBack(p route, key [][]byte) [][]byte {
	from, to := p.target.KeyColumns(), p.source.KeyColumns()
	out := make([][]byte, len(key))
	for i, v := range key {
		c := newCarrier(from[i], to[i], p.sameVendor)
		back, err := c.carry(v)
		if err != nil {
			back = v
		}
		out[i] = append([]byte{}, back...)
		if from[i].Kind == Timestamp && to[i].Kind == Instant {
			out[i] = append(out[i], utc...)
		}
	}
	return out
}
