package arch_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// arrow is one import.
type arrow struct {
	from, to string // to is "./cache" for ours, else an import path
	test     bool   // by a _test.go file
	file     string
}

func (a arrow) String() string {
	s := strings.TrimPrefix(a.from, "./")
	if a.test {
		s += " (tests)"
	}
	s += " -> " + strings.TrimPrefix(a.to, "./")
	if a.file != "" {
		s += " in " + a.file
	}
	return s
}

// rules is testdata/rules.txt, whose head explains it.
type rules struct {
	folders []string // patterns
	lines   []rule
}

type rule struct {
	line     int // in rules.txt
	who      string
	verb     string // may, tests, never
	what     []string
	reason   string
	families []string // those that FAMILY in who and what stands for; nil: none
}

func parseRules(text string) (rules, error) {
	var r rules
	var families []string
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		rest, reason, explained := strings.Cut(line, "--")
		reason = strings.TrimSpace(reason)
		f := strings.Fields(rest)
		switch {
		case f[0] == "family":
			families = f[1:]
			continue
		case !explained || reason == "":
			return r, fmt.Errorf("rules.txt:%d: no reason: end the line with -- and why", n)
		case f[0] == "folder" && len(f) == 2:
			r.folders = append(r.folders, f[1])
		case len(f) >= 3 && slices.Contains([]string{"may", "tests", "never"}, f[1]):
			ru := rule{line: n, who: f[0], verb: f[1], what: f[2:], reason: reason}
			if strings.Contains(rest, "FAMILY") {
				ru.families = families
			}
			r.lines = append(r.lines, ru)
		default:
			return r, fmt.Errorf("rules.txt:%d: not a rule: %s", n, line)
		}
	}
	return r, nil
}

// knows reports whether the folder is listed.
func (r rules) knows(folder string) bool {
	return slices.ContainsFunc(r.folders, func(p string) bool { return match(p, folder) })
}

// refuse returns why the arrow is forbidden, "" if it is not, and the number of
// the line that decided, 0 if none did.
func (r rules) refuse(a arrow) (why string, line int) {
	for _, ru := range r.lines {
		if ru.verb == "tests" && !a.test || !ru.applies(a) {
			continue
		}
		if ru.verb == "never" {
			return fmt.Sprintf("forbidden arrow %v: %s (rules.txt:%d)", a, ru.reason, ru.line), ru.line
		}
		return "", ru.line
	}
	if isStandard(a.to) {
		return "", 0
	}
	return fmt.Sprintf("forbidden arrow %v: no line allows it; if it must be, add to internal/arch/testdata/rules.txt: %s may %s -- REASON, and an example to arrows.txt",
		a, a.from, a.to), 0
}

func (ru rule) applies(a arrow) bool {
	if ru.families == nil {
		return ru.fits(a, "")
	}
	return slices.ContainsFunc(ru.families, func(family string) bool { return ru.fits(a, family) })
}

func (ru rule) fits(a arrow, family string) bool {
	in := func(pattern string) string { return strings.Replace(pattern, "FAMILY", family, 1) }
	return match(in(ru.who), a.from) &&
		slices.ContainsFunc(ru.what, func(what string) bool { return match(in(what), a.to) })
}

// match understands * for one element, and /... for the path and all below.
func match(pattern, name string) bool {
	if rest, ok := strings.CutSuffix(pattern, "/..."); ok {
		for {
			if match(rest, name) {
				return true
			}
			i := strings.LastIndexByte(name, '/')
			if i < 0 {
				return false
			}
			name = name[:i]
		}
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// isStandard knows the standard library by what go itself goes by: no dot in
// the first element. C and its like belong to it.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}
