package testservers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// recorder is a test that notes how it ends.
type recorder struct {
	testing.TB
	failed, skipped bool
	message         string
}

func (r *recorder) Fatal(args ...any)            { r.end(&r.failed, fmt.Sprint(args...)) }
func (r *recorder) Fatalf(f string, args ...any) { r.end(&r.failed, fmt.Sprintf(f, args...)) }
func (r *recorder) Skipf(f string, args ...any)  { r.end(&r.skipped, fmt.Sprintf(f, args...)) }

type ended struct{}

func (r *recorder) end(how *bool, message string) {
	*how, r.message = true, message
	panic(ended{})
}

func (r *recorder) run(f func()) {
	defer func() {
		if e := recover(); e != nil && e != any(ended{}) {
			panic(e)
		}
	}()
	f()
}

func TestMissingProgramIsSkippedLoudly(t *testing.T) {
	skips := filepath.Join(t.TempDir(), "skips")
	t.Setenv("ASHLAR_SKIPS", skips)
	t.Setenv("ASHLAR_REQUIRE", "")
	for range 2 {
		rec := &recorder{TB: t}
		rec.run(func() { testservers.Tool(rec, "no-such-tool") })
		if !rec.skipped || rec.failed || !strings.HasPrefix(rec.message, "SKIPPED: needs no-such-tool (apt-get install no-such-tool") {
			t.Fatalf("%+v: want a skip that says what is missing", rec)
		}
	}
	got, err := os.ReadFile(skips)
	if err != nil {
		t.Fatal(err)
	}
	line := "SKIPPED: internal/testservers TestMissingProgramIsSkippedLoudly needs no-such-tool (apt-get install no-such-tool, or run ./test.sh as root)\n"
	if string(got) != line+line {
		t.Errorf("collected:\n%swant this line twice:\n%s", got, line)
	}
}

func TestMissingServerIsSkipped(t *testing.T) {
	t.Setenv("ASHLAR_SKIPS", "")
	t.Setenv("ASHLAR_REQUIRE", "")
	rec := &recorder{TB: t}
	rec.run(func() { testservers.Skip(rec, "a server", "how to get it") })
	if !rec.skipped || rec.message != "SKIPPED: needs a server (how to get it)" {
		t.Errorf("%+v: want the skip to say what and how", rec)
	}
}

func TestNothingIsSkippedWhenAllIsRequired(t *testing.T) {
	t.Setenv("ASHLAR_SKIPS", filepath.Join(t.TempDir(), "skips"))
	t.Setenv("ASHLAR_REQUIRE", "all")
	rec := &recorder{TB: t}
	rec.run(func() { testservers.Tool(rec, "no-such-tool") })
	if !rec.failed || rec.skipped || !strings.Contains(rec.message, "needs no-such-tool") {
		t.Errorf("%+v: want a failure that says what is missing", rec)
	}
}

func TestToolIsFoundUnderItsOtherNames(t *testing.T) {
	dir := t.TempDir()
	browser := filepath.Join(dir, "google-chrome")
	if err := os.WriteFile(browser, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if got := testservers.Tool(t, "chromium"); got != browser {
		t.Errorf("chromium = %q, want %q", got, browser)
	}
}
