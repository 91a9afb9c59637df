package arch_test

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"
)

//go:embed testdata/rules.txt
var rulesText string

//go:embed testdata/arrows.txt
var arrowsText string

func theRules(t *testing.T) rules {
	t.Helper()
	r, err := parseRules(rulesText)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryArrowIsAllowed(t *testing.T) {
	r := theRules(t)
	seen := 0
	for _, f := range folders(t) {
		for _, a := range f.imports(t) {
			seen++
			if why, _ := r.refuse(a); why != "" {
				t.Error(why)
			}
		}
	}
	if seen == 0 {
		t.Error("no imports seen")
	}
}

func TestEveryFolderIsListed(t *testing.T) {
	r := theRules(t)
	for _, f := range folders(t) {
		if why := unlisted(r, f.path); why != "" {
			t.Error(why)
		}
	}
}

func unlisted(r rules, folder string) string {
	if r.knows(folder) {
		return ""
	}
	return fmt.Sprintf("folder %s is not in the plan: add to internal/arch/testdata/rules.txt: folder %s -- ITS JOB, and what it may import", folder, folder)
}

func TestUnlistedFolderIsRefused(t *testing.T) {
	r := theRules(t)
	for _, name := range []string{"./util", "./cache/redis", "./internal/common"} {
		if why := unlisted(r, name); !strings.Contains(why, "folder "+name+" -- ITS JOB") {
			t.Errorf("%s: %q, want to hear what to add", name, why)
		}
	}
	for _, name := range []string{".", "./cache", "./examples/newssite"} {
		if why := unlisted(r, name); why != "" {
			t.Error(why)
		}
	}
}

// TestRulesDecideTheExamples proves that the checker refuses forbidden arrows,
// also of packages that do not exist yet, and that no line of rules.txt is dead.
func TestRulesDecideTheExamples(t *testing.T) {
	r := theRules(t)
	decided := make(map[int]bool)
	n := 0
	for line := range strings.Lines(arrowsText) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		rest, words, _ := strings.Cut(line, "--")
		words = strings.TrimSpace(words)
		f := strings.Fields(rest)
		var a arrow
		switch {
		case len(f) == 3:
			a = arrow{from: f[1], to: f[2]}
		case len(f) == 4 && f[2] == "test":
			a = arrow{from: f[1], to: f[3], test: true}
		default:
			t.Fatalf("arrows.txt:%d: not an arrow: %s", n, line)
		}
		if !r.knows(a.from) {
			t.Errorf("arrows.txt:%d: folder %s is not listed", n, a.from)
		}
		why, by := r.refuse(a)
		decided[by] = true
		switch f[0] {
		case "yes":
			if why != "" {
				t.Errorf("arrows.txt:%d: want it allowed: %s", n, why)
			}
		case "no":
			if words == "" {
				t.Errorf("arrows.txt:%d: without words of the reason", n)
			}
			if !strings.Contains(why, a.String()) || !strings.Contains(why, words) {
				t.Errorf("arrows.txt:%d: %q, want it refused, with the arrow %v and the words %q", n, why, a, words)
			}
		default:
			t.Errorf("arrows.txt:%d: neither yes nor no", n)
		}
	}
	for _, ru := range r.lines {
		if !decided[ru.line] {
			t.Errorf("rules.txt:%d: arrows.txt has no example that this line decides", ru.line)
		}
	}
}

func TestRulesNeedReasons(t *testing.T) {
	for _, text := range []string{
		"./cache may example.com/x",
		"./cache may example.com/x --",
		"folder ./cache",
		"./cache should example.com/x -- because",
	} {
		if _, err := parseRules(text); err == nil || !strings.Contains(err.Error(), "rules.txt:1") {
			t.Errorf("%q: %v, want an error that names the line", text, err)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		yes, no []string
	}{
		{"./cache", []string{"./cache"}, []string{"./cache/memcached", "./cookiecache", "."}},
		{"./cache/...", []string{"./cache", "./cache/memcached", "./cache/a/b"}, []string{"./cachet", ".", "cache"}},
		{"./*/*test", []string{"./cache/cachetest"}, []string{"./cachetest", "./cache/cachetest/x"}},
		{"./...", []string{".", "./cache", "./a/b"}, []string{"testing", "example.com/a"}},
		{"example.com/a/...", []string{"example.com/a", "example.com/a/b"}, []string{"example.com/ab"}},
	} {
		for _, name := range slices.Concat(tt.yes, tt.no) {
			if got, want := match(tt.pattern, name), slices.Contains(tt.yes, name); got != want {
				t.Errorf("match(%q, %q) = %v", tt.pattern, name, got)
			}
		}
	}
}
