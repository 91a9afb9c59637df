package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// progress shows how far a copy is: on a terminal in one line that changes, else
// as a line every few seconds.
type progress struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	shown time.Time // guarded by mu
	open  bool      // guarded by mu: the terminal's line is not ended
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		st, err := f.Stat()
		p.terminal = err == nil && st.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// copied is replication.Trace.Copied.
func (p *progress) copied(i replication.CopyInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pause := 5 * time.Second
	if p.terminal {
		pause = 100 * time.Millisecond
	}
	if !i.Done && time.Since(p.shown) < pause {
		return
	}
	p.shown = time.Now()
	line := describe(i)
	switch {
	case !p.terminal:
		fmt.Fprintln(p.w, line)
	case i.Done:
		fmt.Fprintf(p.w, "\r\x1b[K%s\n", line)
		p.open = false
	default:
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.open = true
	}
}

func describe(i replication.CopyInfo) string {
	if i.Done {
		return fmt.Sprintf("copied %s: %d rows, %.0f rows/s", i.Table, i.Rows, i.Rate())
	}
	line := fmt.Sprintf("copying %s: %d", i.Table, i.Rows)
	if i.Total > 0 {
		line += fmt.Sprintf(" of about %d rows (%.0f %%)", i.Total, min(100, 100*float64(i.Rows)/float64(i.Total)))
	} else {
		line += " rows"
	}
	line += fmt.Sprintf(", %.0f rows/s", i.Rate())
	if left := i.Left(); left > 0 {
		line += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return line
}

// end ends the terminal's line.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		fmt.Fprintln(p.w)
		p.open = false
	}
}
