package postgres

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// snapshot is the text of txid_current_snapshot, taken apart. The transactions
// below xmax that are not in open are finished, and what they committed is
// visible. Ids are of 64 bits and never wrap.
type snapshot struct {
	xmin, xmax int64
	open       []int64 // ascending, xmin <= open < xmax
}

func parseSnapshot(text string) (snapshot, error) {
	var s snapshot
	bad := func() (snapshot, error) {
		return snapshot{}, fmt.Errorf("postgres: %.80q is no position", text)
	}
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return bad()
	}
	var ok1, ok2 bool
	s.xmin, ok1 = parseXid(parts[0])
	s.xmax, ok2 = parseXid(parts[1])
	if !ok1 || !ok2 || s.xmin > s.xmax {
		return bad()
	}
	if parts[2] == "" {
		return s, nil
	}
	for part := range strings.SplitSeq(parts[2], ",") {
		x, ok := parseXid(part)
		if !ok || x < s.xmin || x >= s.xmax || len(s.open) > 0 && x <= s.open[len(s.open)-1] {
			return bad()
		}
		s.open = append(s.open, x)
	}
	return s, nil
}

func parseXid(text string) (int64, bool) {
	if text == "" || text[0] < '0' || text[0] > '9' {
		return 0, false
	}
	x, err := strconv.ParseInt(text, 10, 64)
	return x, err == nil && x > 0
}

// sees reports whether what transaction x committed is visible.
func (s snapshot) sees(x int64) bool {
	if x >= s.xmax {
		return false
	}
	_, open := slices.BinarySearch(s.open, x)
	return !open
}

// covers reports whether everything visible in b is visible in s.
func (s snapshot) covers(b snapshot) bool {
	// What s has open must be invisible in b ...
	if slices.ContainsFunc(s.open, b.sees) {
		return false
	}
	// ... and so must all of [s.xmax, b.xmax), which s does not know.
	if b.xmax <= s.xmax {
		return true
	}
	first, _ := slices.BinarySearch(b.open, s.xmax)
	return int64(len(b.open)-first) == b.xmax-s.xmax
}

func (dialect) Covers(a, b string) bool {
	sa, err := parseSnapshot(a)
	if err != nil {
		return false
	}
	sb, err := parseSnapshot(b)
	return err == nil && sa.covers(sb)
}

// unseen is the condition on a column xid that holds for what at least one of
// the snapshots does not see; "false" if there is none.
func unseen(snapshots ...snapshot) string {
	if len(snapshots) == 0 {
		return "false"
	}
	xmax := snapshots[0].xmax
	var open []int64
	for _, s := range snapshots {
		xmax = min(xmax, s.xmax)
		open = append(open, s.open...)
	}
	slices.Sort(open)
	var b strings.Builder
	fmt.Fprintf(&b, "(xid >= %d", xmax)
	n := 0
	for _, x := range slices.Compact(open) {
		if x >= xmax {
			break
		}
		if n++; n == 1 {
			b.WriteString(" OR xid = ANY ('{")
		} else {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(x, 10))
	}
	if n > 0 {
		b.WriteString("}'::bigint[])")
	}
	b.WriteByte(')')
	return b.String()
}
