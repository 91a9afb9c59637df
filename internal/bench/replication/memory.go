package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
)

// memory shows that what our process needs does not grow with the backlog.
func (l *lab) memory(ctx context.Context) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Printf("\nmemory and processor time of our process over one Step\n")
	fmt.Fprintln(w, "changes\tpeak MB\tCPU ms per 1,000\tseconds\t  to\t")
	for _, name := range []string{"ours", "ours-mariadb"} {
		if !l.has(name) {
			continue
		}
		s, err := l.newPeer(ctx, name, "_mem", 5*l.rows)
		if err != nil {
			return err
		}
		o := s.peer.(*ours)
		for _, n := range []int{l.rows / 10, l.rows, 5 * l.rows} {
			if err := execAll(ctx, s.source, fmt.Sprintf("UPDATE site_users SET tag = tag + 1 WHERE id <= %d", n)); err != nil {
				return err
			}
			if _, err := o.do(ctx, "step"); err != nil {
				return err
			}
			if o.last.Rows != int64(n) {
				return fmt.Errorf("a step of %d changes applied %d", n, o.last.Rows)
			}
			fmt.Fprintf(w, "%d\t%.1f\t%.2f\t%.2f\t  %s\t\n", n, float64(o.last.Peak)/1024, o.last.CPU*1e6/float64(n), o.last.Seconds, s.to.kind)
		}
		if err := s.equal(ctx); err != nil {
			return err
		}
		s.drop(ctx)
	}
	return w.Flush()
}
