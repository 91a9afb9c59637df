package replication

import (
	"context"
	"io"
)

// A pipe carries rows from the goroutine that reads the master to the one that
// writes the replica, in blocks, so that both work at the same time and the
// memory is bounded whatever the number of rows.

const (
	blockBytes = 256 << 10 // a block is full from this size on
	blocksAway = 4         // blocks between reader and writer
)

// block is some rows in one piece of memory.
type block struct {
	data []byte
	ends []int // of each value in data; -1 before it: NULL
}

const null = -1

func (b *block) add(row [][]byte) {
	for _, v := range row {
		if v == nil {
			b.ends = append(b.ends, null)
			continue
		}
		b.data = append(b.data, v...)
		b.ends = append(b.ends, len(b.data))
	}
}

func (b *block) reset() { b.data, b.ends = b.data[:0], b.ends[:0] }

// pipe has one writer and one reader.
type pipe struct {
	full  chan *block
	empty chan *block
	gone  chan struct{} // closed by the reader when it reads no more
	err   error         // of the writer; set before full is closed

	writing *block
	reading *block
	row     [][]byte
	start   int // of the next value in reading.data
	next    int // index of the next value in reading.ends
}

func newPipe(width int) *pipe {
	p := &pipe{full: make(chan *block, blocksAway), empty: make(chan *block, blocksAway), gone: make(chan struct{}), row: make([][]byte, width)}
	for range blocksAway {
		p.empty <- new(block)
	}
	return p
}

// put adds a row. After the reader has gone it only drops it, so that the
// query on the master comes to its end and the connection stays usable.
func (p *pipe) put(ctx context.Context, row [][]byte) error {
	if p.writing == nil {
		select {
		case p.writing = <-p.empty:
		case <-p.gone:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	p.writing.add(row)
	if len(p.writing.data) < blockBytes && len(p.writing.ends) < blockBytes/8 {
		return nil
	}
	return p.flush(ctx)
}

func (p *pipe) flush(ctx context.Context) error {
	if p.writing == nil {
		return nil
	}
	select {
	case p.full <- p.writing:
		p.writing = nil
	case <-p.gone:
		p.writing.reset()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// end tells the reader that there are no more rows, or why.
func (p *pipe) end(ctx context.Context, err error) {
	if err == nil {
		err = p.flush(ctx)
	}
	p.err = err
	close(p.full)
}

// get returns the next row, valid until the next call; io.EOF after the last,
// or the writer's error.
func (p *pipe) get() ([][]byte, error) {
	if p.reading != nil && p.next == len(p.reading.ends) {
		p.reading.reset()
		p.empty <- p.reading // has room: there are no more blocks than that
		p.reading = nil
	}
	if p.reading == nil {
		b, ok := <-p.full
		if !ok {
			if p.err != nil {
				return nil, p.err
			}
			return nil, io.EOF
		}
		p.reading, p.start, p.next = b, 0, 0
	}
	for i := range p.row {
		end := p.reading.ends[p.next]
		p.next++
		if end == null {
			p.row[i] = nil
			continue
		}
		p.row[i] = p.reading.data[p.start:end:end]
		p.start = end
	}
	return p.row, nil
}

// leave is called by the reader when it reads no more.
func (p *pipe) leave() { close(p.gone) }
