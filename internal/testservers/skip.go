package testservers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

const (
	envRequire = "ASHLAR_REQUIRE" // all: what would be skipped fails
	envSkips   = "ASHLAR_SKIPS"   // file that collects the SKIPPED lines
)

// missing says that a program is not on this machine.
type missing struct{ what, hint string }

func (m *missing) Error() string { return fmt.Sprintf("needs %s (%s)", m.what, m.hint) }

// Skip ends the test because what is not there; hint says how to get it. The
// line starts with SKIPPED and names the test, since go test hides the messages
// of skipped tests: test.sh prints the collected lines at its end. With
// ASHLAR_REQUIRE=all the test fails instead.
func Skip(t testing.TB, what, hint string) {
	t.Helper()
	m := &missing{what, hint}
	if os.Getenv(envRequire) == "all" {
		t.Fatalf("%v, and %s=all allows no skips", m, envRequire)
	}
	if file := os.Getenv(envSkips); file != "" {
		line := fmt.Sprintf("SKIPPED: %s %s %v\n", testedPackage(), t.Name(), m)
		if err := appendTo(file, line); err != nil {
			t.Errorf("testservers: the skip could not be written down: %v", err)
		}
	}
	t.Skipf("SKIPPED: %v", m)
}

// tools are the programs that go by several names, and the Debian package of
// those whose package is called otherwise.
var tools = map[string]struct {
	names []string
	deb   string
}{
	"chromium": {names: []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}},
	"node":     {names: []string{"node", "nodejs"}, deb: "nodejs"},
	"ip":       {deb: "iproute2"},
}

// Tool returns the path of a program such as node or chromium, and skips the
// test by the rules of [Skip] when it is not installed.
func Tool(t testing.TB, name string) string {
	t.Helper()
	known := tools[name]
	names, deb := known.names, known.deb
	if names == nil {
		names = []string{name}
	}
	if deb == "" {
		deb = name
	}
	path, ok := find(names)
	if !ok {
		Skip(t, name, install(deb))
	}
	return path
}

// skipOrFail ends the test: a missing program is a skip, all else a failure.
func skipOrFail(t testing.TB, err error) {
	t.Helper()
	if m, ok := errors.AsType[*missing](err); ok {
		Skip(t, m.what, m.hint)
	}
	t.Fatal(err)
}

func install(deb string) string {
	return "apt-get install " + deb + ", or run ./test.sh as root"
}

// find returns the first of names that is in PATH or in one of the directories,
// which may be patterns; of several matches the last, hence the newest version.
func find(names []string, dirs ...string) (string, bool) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			if path, err = filepath.Abs(path); err == nil {
				return path, true
			}
		}
		for _, dir := range dirs {
			found, _ := filepath.Glob(filepath.Join(dir, name))
			if len(found) > 0 {
				return found[len(found)-1], true
			}
		}
	}
	return "", false
}

// testedPackage is the folder, below the module, of the package whose test
// binary this is.
func testedPackage() string {
	if bi, ok := debug.ReadBuildInfo(); ok && bi.Path != "" {
		return strings.TrimPrefix(strings.TrimSuffix(bi.Path, ".test"), bi.Main.Path+"/")
	}
	return filepath.Base(os.Args[0])
}

// appendTo writes line by one write to a file opened for appending, so that
// test binaries running side by side do not cut each other's lines.
func appendTo(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}
