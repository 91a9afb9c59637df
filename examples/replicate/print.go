package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// plan prints what a DBA wants to see before anything is run.
func (j *job) plan(ctx context.Context, r *replication.Replicator) error {
	p, err := r.Plan(ctx)
	if err != nil {
		return err
	}
	if j.json {
		for _, s := range p.Statements {
			if err := j.object(map[string]any{"side": s.Side, "sql": s.SQL}); err != nil {
				return err
			}
		}
		for _, c := range p.Columns {
			if err := j.object(map[string]any{"table": c.Table, "column": c.Source.Name, "from": c.Source.Native, "to": c.Target.Native, "as": c.Target.Name, "note": c.Note}); err != nil {
				return err
			}
		}
		return nil
	}
	side := ""
	for _, s := range p.Statements {
		if s.Side != side {
			side = s.Side
			fmt.Fprintf(j.out, "-- on the %s:\n\n", side)
		}
		fmt.Fprintf(j.out, "%s;\n\n", strings.TrimRight(s.SQL, "; \n"))
	}
	fmt.Fprintln(j.out, "-- columns:")
	w := tabwriter.NewWriter(j.out, 0, 0, 2, ' ', 0)
	for _, c := range p.Columns {
		name := c.Source.Name
		if c.Target.Name != name {
			name += " as " + c.Target.Name
		}
		fmt.Fprintf(w, "-- %s\t%s\t%s\tto %s\t%s\n", c.Table, name, c.Source.Native, c.Target.Native, c.Note)
	}
	return w.Flush()
}

// statusJSON is what status -json prints.
type statusJSON struct {
	Node       string      `json:"node"`
	Group      string      `json:"group"`
	Phase      string      `json:"phase"`
	Position   string      `json:"position"`
	AsOf       *time.Time  `json:"as_of"`
	LagSeconds *float64    `json:"lag_seconds"`
	Backlog    int64       `json:"backlog"`
	Problem    string      `json:"problem,omitempty"`
	Tables     []tableJSON `json:"tables"`
	Nodes      []nodeJSON  `json:"nodes"`
}

type tableJSON struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	Copied   int64  `json:"copied"`
	CopyDone bool   `json:"copy_done"`
	Backlog  int64  `json:"backlog"`
}

type nodeJSON struct {
	Name          string  `json:"name"`
	SilentSeconds float64 `json:"silent_seconds"`
	Furthest      bool    `json:"furthest_behind"`
}

// status prints how the replica is, and fails if it cannot follow.
func (j *job) status(ctx context.Context, r *replication.Replicator) error {
	st, err := r.Status(ctx)
	if err != nil {
		return err
	}
	if j.json {
		err = j.object(asJSON(st))
	} else {
		err = j.printStatus(st)
	}
	if err == nil && st.Problem != "" {
		return fmt.Errorf("cannot follow: %s", strings.TrimPrefix(st.Problem, "replication: "))
	}
	return err
}

func asJSON(st replication.Status) statusJSON {
	out := statusJSON{Node: st.Node, Group: st.Group, Phase: phase(st), Position: st.Position.String(), Backlog: st.Backlog, Problem: st.Problem,
		Tables: []tableJSON{}, Nodes: []nodeJSON{}}
	if !st.AsOf.IsZero() {
		lag := st.Lag.Seconds()
		out.AsOf, out.LagSeconds = &st.AsOf, &lag
	}
	for _, t := range st.Tables {
		out.Tables = append(out.Tables, tableJSON(t))
	}
	for _, n := range st.Nodes {
		out.Nodes = append(out.Nodes, nodeJSON{n.Name, time.Since(n.Seen).Seconds(), n.Furthest})
	}
	return out
}

func phase(st replication.Status) string {
	if st.Phase == replication.NotCopied {
		return "not copied"
	}
	return string(st.Phase)
}

func (j *job) printStatus(st replication.Status) error {
	fmt.Fprintf(j.out, "node %s of group %s: %s", st.Node, st.Group, phase(st))
	if !st.AsOf.IsZero() {
		fmt.Fprintf(j.out, ", as of %s (%v ago)", st.AsOf.Format(time.DateTime), st.Lag.Round(time.Millisecond))
	}
	if st.Backlog >= 0 {
		fmt.Fprintf(j.out, ", %d rows wait", st.Backlog)
	}
	fmt.Fprintln(j.out)
	w := tabwriter.NewWriter(j.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nTABLE\tREPLICA\tCOPIED\tWAITING")
	for _, t := range st.Tables {
		copied := fmt.Sprint(t.Copied)
		if !t.CopyDone {
			copied += " so far"
		}
		waiting := "?"
		if t.Backlog >= 0 {
			waiting = fmt.Sprint(t.Backlog)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Source, t.Target, copied, waiting)
	}
	fmt.Fprintln(w, "\nNODE\tSILENT FOR\t\t")
	for _, n := range st.Nodes {
		note := ""
		if n.Furthest && len(st.Nodes) > 1 {
			note = "furthest behind"
		}
		fmt.Fprintf(w, "%s\t%v\t%s\t\n", n.Name, time.Since(n.Seen).Round(time.Second), note)
	}
	return w.Flush()
}
