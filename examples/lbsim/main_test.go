package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlaysTheFarmThatFlagsDescribe(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "a.svg")
	var out, errs strings.Builder
	args := strings.Fields("-servers 4 -balancers 2 -requests 500 -work constant -farm noisy -policy two -svg " + picture)
	if err := run(t.Context(), args, &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	if n := strings.Count(out.String(), "\n"); n != 3 || !strings.Contains(out.String(), "two choices, EWMA") {
		t.Errorf("printed:\n%s", out.String())
	}
	if b, err := os.ReadFile(picture); err != nil || !strings.Contains(string(b), "</svg>") {
		t.Errorf("picture: %v", err)
	}
}

func TestPrintsSafeLoads(t *testing.T) {
	var out, errs strings.Builder
	if err := run(t.Context(), strings.Fields("-safe -servers 4 -balancers 2 -requests 500 -policy random"), &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	if n := strings.Count(out.String(), "\n"); n != 3 || !strings.Contains(out.String(), " %") {
		t.Errorf("printed:\n%s", out.String())
	}
}

func TestWrongUsageIsExplained(t *testing.T) {
	for _, args := range []string{"-farm moon", "-work hard", "-policy none", "-nosuch", "extra", "-safe -svg x"} {
		var out, errs strings.Builder
		if err := run(t.Context(), strings.Fields(args), &out, &errs); !errors.Is(err, errUsage) || errs.Len() == 0 {
			t.Errorf("%s: %v, said %q", args, err, errs.String())
		}
	}
	var out, errs strings.Builder
	if err := run(t.Context(), []string{"-servers", "-3"}, &out, &errs); err == nil {
		t.Error("a negative number of servers was accepted")
	}
}
