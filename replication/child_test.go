package replication_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"

	"github.com/ashlar-go/ashlar/replication"
)

// A child is this test binary, run once more as a process that replicates, so
// that a test can kill it or look at its memory.

const childEnv = "ASHLAR_REPLICATION_CHILD"

// childConfig is what a child is told. It is not in the arguments, because
// everybody sees these.
type childConfig struct {
	Do             string // run, step or copy
	Source, Target struct{ Vendor, DSN string }
	Node           string
	Tables         []string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := child(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	replication.SetIdleAfter(2 * time.Second)
	_ = mysqldriver.SetLogger(quiet{}) // lost connections are what the tests are about
	os.Exit(m.Run())
}

type quiet struct{}

func (quiet) Print(...any) {}

// child replicates and prints a line for what it did. It ends when its input
// does, and so with its parent.
func child(text string) error {
	var c childConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	cfg := replication.Config{Node: c.Node, Interval: 5 * time.Millisecond}
	for _, e := range []struct {
		vendor, dsn string
		to          *replication.End
	}{{c.Source.Vendor, c.Source.DSN, &cfg.Source}, {c.Target.Vendor, c.Target.DSN, &cfg.Target}} {
		v := pg
		if e.vendor == mariadb.name {
			v = mariadb
		}
		db, err := sql.Open(v.driver, e.dsn)
		if err != nil {
			return err
		}
		defer db.Close()
		*e.to = replication.End{DB: db, Dialect: v.dialect}
	}
	for _, t := range c.Tables {
		cfg.Tables = append(cfg.Tables, replication.Table{Source: t})
	}
	cfg.Trace = &replication.Trace{Applied: func(i replication.AppliedInfo) { fmt.Println("applied", i.Rows) }}
	r, err := replication.New(cfg)
	if err != nil {
		return err
	}
	switch c.Do {
	case "run":
		if err = r.Run(ctx); errors.Is(err, context.Canceled) {
			err = nil
		}
	case "step":
		_, err = r.Step(ctx)
	case "copy":
		err = r.Copy(ctx)
	}
	if err != nil {
		return err
	}
	peak, err := peakMemory()
	if err == nil {
		fmt.Println("peak", peak)
	}
	return r.Close()
}

// peakMemory is the most memory that this process has had, in bytes.
func peakMemory() (int64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		return 0, errors.New("the kernel does not tell VmHWM")
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10, err
}

// process is a child.
type process struct {
	cmd     *exec.Cmd
	lines   chan string // of its output; closed at its end
	message *strings.Builder
}

// child starts one.
func (w *world) child(do, node string, tables ...string) *process {
	w.t.Helper()
	c := childConfig{Do: do, Node: node, Tables: tables}
	c.Source.Vendor, c.Source.DSN = w.sv.name, w.sv.dsn(w.t, w.sourceURL)
	c.Target.Vendor, c.Target.DSN = w.tv.name, w.tv.dsn(w.t, w.targetURL)
	text, err := json.Marshal(c)
	w.must(err)
	program, err := os.Executable()
	w.must(err)
	p := &process{cmd: exec.Command(program), lines: make(chan string, 10_000), message: new(strings.Builder)}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	p.cmd.Stderr = p.message
	if _, err := p.cmd.StdinPipe(); err != nil { // ends with this process
		w.t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	w.must(err)
	w.must(p.cmd.Start())
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			select {
			case p.lines <- s.Text():
			default: // nobody reads them
			}
		}
	}()
	w.t.Cleanup(p.kill)
	return p
}

// kill kills it, without a chance to end in order.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		for range p.lines {
		}
		_ = p.cmd.Wait()
	}
}

// peak waits for the end of a child and returns its peak of memory, in bytes.
func (p *process) peak(t *testing.T) (peak int64) {
	t.Helper()
	for line := range p.lines {
		if text, ok := strings.CutPrefix(line, "peak "); ok {
			peak, _ = strconv.ParseInt(text, 10, 64)
		}
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("child: %v: %s", err, p.message)
	}
	return peak
}
