package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed status.html
var statusHTML string

// The page is made here also while it is live: a browser that runs its script
// asks for the part that changes, and one that does not loads it all again.
var statusPage = template.Must(template.New("page").Funcs(template.FuncMap{
	"seconds": seconds, "uptime": uptime, "charts": charts,
	"percent": func(x float64) string { return fmt.Sprintf("%.1f", 100*x) },
	"number":  number,
}).Parse(statusHTML))

func (a *admin) page(w http.ResponseWriter, r *http.Request) { a.write(w, "page") }
func (a *admin) live(w http.ResponseWriter, r *http.Request) { a.write(w, "live") }

func (a *admin) write(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	_ = statusPage.ExecuteTemplate(w, name, a.report()) // the client may have gone
}

// seconds writes a latency with three digits.
func seconds(s float64) string {
	switch {
	case s <= 0:
		return "–"
	case s < 1e-3:
		return fmt.Sprintf("%.0f µs", s*1e6)
	case s < 1e-2:
		return fmt.Sprintf("%.2f ms", s*1e3)
	case s < 0.1:
		return fmt.Sprintf("%.1f ms", s*1e3)
	case s < 1:
		return fmt.Sprintf("%.0f ms", s*1e3)
	}
	return fmt.Sprintf("%.2f s", s)
}

func uptime(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// number writes a count or a rate, with spaces between thousands.
func number(x any) string {
	var s string
	switch x := x.(type) {
	case float64:
		if s = fmt.Sprintf("%.0f", x); x > 0 && x < 10 {
			return fmt.Sprintf("%.1f", x)
		}
	default:
		s = fmt.Sprint(x)
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:] // a narrow one
	}
	return s
}

// A chartView is one chart: lines over the last two minutes.
type chartView struct {
	Title, Max string
	Lines      []line
}

type line struct{ Class, Label, Points, Area string }

// Size of a chart, in units of its own.
const (
	chartWidth  = 240
	chartHeight = 60
)

func charts(r report) []chartView {
	series := func(f func(point) float64) []float64 {
		values := make([]float64, len(r.points))
		for i, p := range r.points {
			values[i] = f(p)
		}
		return values
	}
	rate := series(func(p point) float64 { return p.rate })
	failed := series(func(p point) float64 { return p.failed })
	p50 := series(func(p point) float64 { return p.p50.Seconds() })
	p99 := series(func(p point) float64 { return p.p99.Seconds() })
	top, slow := highest(rate, failed), highest(p50, p99)
	what := "latency"
	if r.Mode == "tcp" {
		what = "time to connect"
	}
	return []chartView{
		{"requests/s", number(top), []line{newLine("rate", "all", rate, top), newLine("failed", "failed", failed, top)}},
		{what, seconds(slow), []line{newLine("p99", "p99", p99, slow), newLine("p50", "p50", p50, slow)}},
	}
}

func highest(lists ...[]float64) float64 {
	top := 0.0
	for _, l := range lists {
		for _, v := range l {
			top = max(top, v)
		}
	}
	return top
}

// newLine places values at the right edge, the newest last.
func newLine(class, label string, values []float64, top float64) line {
	if top <= 0 || len(values) < 2 {
		return line{Class: class, Label: label}
	}
	var b strings.Builder
	x := func(i int) float64 { return chartWidth - float64(len(values)-1-i)*chartWidth/(chart-1) }
	for i, v := range values {
		fmt.Fprintf(&b, "%.1f,%.1f ", x(i), chartHeight-1-v/top*(chartHeight-4))
	}
	return line{class, label, b.String(), fmt.Sprintf("%.1f,%d %s%d,%d", x(0), chartHeight, b.String(), chartWidth, chartHeight)}
}
