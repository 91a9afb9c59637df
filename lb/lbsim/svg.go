package lbsim

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// SVG draws p99 by policy, a group of bars for each scenario, on a logarithmic
// scale: policies in the order of their sum of logarithms, the best first.
func (t Table) SVG(w io.Writer) error {
	const (
		left, top, barH, gap, width = 180, 30, 13, 26, 560
	)
	order := make([]int, len(t.Entries))
	score := make([]float64, len(t.Entries))
	low, high := math.Inf(1), 0.0
	for e := range order {
		order[e] = e
		for _, r := range t.Results[e] {
			x := max(ms(r.P99), 1e-3)
			score[e] += math.Log(x)
			low, high = min(low, x), max(high, x)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case score[a] < score[b]:
			return -1
		case score[a] > score[b]:
			return 1
		}
		return 0
	})
	low /= 1.5
	at := func(x float64) float64 { return math.Log(max(x, low)/low) / math.Log(high/low) * width }
	h := top + len(t.Scenarios)*(len(order)*barH+gap)
	b := fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="10">`+"\n", left+width+70, h+10)
	b = fmt.Appendf(b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%d" y="14" font-size="12">p99 latency, ms, logarithmic: shorter is better</text>`+"\n", left)
	y := top
	for s, sc := range t.Scenarios {
		b = fmt.Appendf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left, y+10, escape(sc.Name))
		y += 14
		for _, e := range order {
			x := ms(t.Results[e][s].P99)
			fill := "#9db4c8"
			switch {
			case t.Entries[e].Oracle != nil:
				fill = "#d9d9d9"
			case t.Entries[e].Name == "marginal":
				fill = "#c2571a"
			}
			b = fmt.Appendf(b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d">%.0f</text>`+"\n",
				left-6, y+10, escape(t.Entries[e].Name), left, y+1, at(x), barH-2, fill, left+at(x)+4, y+10, x)
			y += barH
		}
		y += gap - 14
	}
	b = append(b, "</svg>\n"...)
	_, err := w.Write(b)
	return err
}

func escape(s string) string {
	var b []byte
	for i := range len(s) {
		switch s[i] {
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '&':
			b = append(b, "&amp;"...)
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}
