package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
)

// table gathers what one measurement found of each contender, round by round.
type table struct {
	title, unit, ratio string
	base               string // whose figure is divided by the others', or they by its with inverse
	inverse            bool
	digits             int
	order              []string
	now                map[string]float64
	values, ratios     map[string][]float64
	notes              map[string][]float64
	noteText           map[string]string
	noteOrder          []string
	cpu                map[string][]float64 // per 1,000 of what was done, in ms, of all processes that took part
	failed             map[string]error
}

func newTable(title, unit, ratio string) *table {
	return &table{title: title, unit: unit, ratio: ratio, now: map[string]float64{}, values: map[string][]float64{}, ratios: map[string][]float64{},
		notes: map[string][]float64{}, noteText: map[string]string{}, cpu: map[string][]float64{}, failed: map[string]error{}}
}

// add notes a contender's figure of this round.
func (t *table) add(name string, v float64) {
	if !slices.Contains(t.order, name) {
		t.order = append(t.order, name)
	}
	t.now[name] = v
	t.values[name] = append(t.values[name], v)
}

// note notes something beside the table, of which the median is printed.
func (t *table) note(name, format string, v float64) {
	if !slices.Contains(t.noteOrder, name) {
		t.noteOrder = append(t.noteOrder, name)
	}
	t.noteText[name] = format
	t.notes[name] = append(t.notes[name], v)
}

// cost notes the processor time, in seconds, of n operations.
func (t *table) cost(name string, seconds float64, n int) {
	t.cpu[name] = append(t.cpu[name], seconds*1e6/float64(n))
}

func (t *table) fail(name string, err error) { t.failed[name] = err }

// endRound makes the ratios of the figures since the last.
func (t *table) endRound() {
	base, ok := t.now[t.base]
	for name, v := range t.now {
		if !ok || v == 0 || base == 0 {
			continue
		}
		r := base / v
		if t.inverse {
			r = v / base
		}
		t.ratios[name] = append(t.ratios[name], r)
	}
	clear(t.now)
}

func (t *table) print() {
	fmt.Printf("\n%s\n", t.title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tleast\tmost\t%s\tCPU ms/1,000\t  \n", t.unit, t.ratio)
	for _, name := range t.order {
		v := t.values[name]
		least, most := slices.Min(v), slices.Max(v)
		ratio := "-"
		if len(t.ratios[name]) > 0 {
			ratio = fmt.Sprintf("%.2f", middle(t.ratios[name]))
		}
		cpu := "-"
		if c := t.cpu[name]; len(c) > 0 {
			cpu = fmt.Sprintf("%.1f", middle(c))
		}
		fmt.Fprintf(w, "%.*f\t%.*f\t%.*f\t%s\t%s\t  %s\n", t.digits, middle(v), t.digits, least, t.digits, most, ratio, cpu, name)
	}
	_ = w.Flush()
	for _, name := range t.noteOrder {
		fmt.Printf("  %s: "+t.noteText[name]+"\n", name, middle(t.notes[name]))
	}
	for name, err := range t.failed {
		fmt.Printf("  %s failed: %s\n", name, plain(err))
	}
}

// middle is the median; of an even number of values the mean of the two in the
// middle, since rounds are few.
func middle(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
