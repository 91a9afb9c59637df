package replication

import "time"

// Trace has functions that a [Replicator] and a [Flipper] call, each of which
// may be nil. They are called by the goroutines that do the work, one at a time
// unless said otherwise, and must not block for long nor call back.
type Trace struct {
	// Applied is called after each commit on the replica.
	Applied func(AppliedInfo)
	// Copied is called after each chunk of an initial copy; by several goroutines.
	Copied func(CopyInfo)
	// Retry is called before Run waits and tries again after an error.
	Retry func(err error, wait time.Duration)
	// Evicted is called when this replicator, as the one that trims the logs,
	// gives up a replica that was silent for too long or is too far behind.
	Evicted func(node string)
	// Flipped is called after each run of a Flipper.
	Flipped func(FlipResult)
}

// AppliedInfo is about one batch.
type AppliedInfo struct {
	Position Position
	AsOf     time.Time     // the replica equals the master as it was then, by this machine's clock
	Rows     int64         // keys in the batch, over all tables
	Took     time.Duration // from the begin of the poll to the commit
}

// CopyInfo is about the initial copy of one table.
type CopyInfo struct {
	Table string
	Rows  int64         // copied so far
	Total int64         // the master's estimate of all; negative: unknown
	Done  bool          // the table is complete
	Took  time.Duration // since this run began with the table
	Start int64         // Rows when this run began with it
}

// Rate returns rows per second of this run.
func (c CopyInfo) Rate() float64 {
	if c.Took <= 0 {
		return 0
	}
	return float64(c.Rows-c.Start) / c.Took.Seconds()
}

// Left returns the time that the rest will take at this rate; negative if that
// is not known.
func (c CopyInfo) Left() time.Duration {
	rate := c.Rate()
	if c.Total < 0 || rate == 0 {
		return -1
	}
	return time.Duration(float64(max(0, c.Total-c.Rows)) / rate * float64(time.Second))
}
