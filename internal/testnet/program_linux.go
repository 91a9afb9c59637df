package testnet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const envProgram = "ASHLAR_LAB_PROGRAM"

// Programs is for a TestMain: it runs the tests, or, in a process that
// [Node.Program] started, that program.
func Programs(m *testing.M, programs map[string]func(args []string) error) {
	name := os.Getenv(envProgram)
	if name == "" {
		os.Exit(m.Run())
	}
	program := programs[name]
	if program == nil {
		fmt.Fprintf(os.Stderr, "testnet: no program %q\n", name)
		os.Exit(2)
	}
	if err := program(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Process is a program that runs in a node's namespace. It ends with the test.
type Process struct {
	Cmd *exec.Cmd

	t     testing.TB
	node  *Node
	stdin io.WriteCloser
	lines chan string // of its standard output; closed at its end
	log   lockedBuffer
	wait  func() error
}

// Program starts one of the programs given to [Programs] in the node's namespace: this
// test binary once more.
func (n *Node) Program(name string, args ...string) *Process {
	n.t.Helper()
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), envProgram+"="+name)
	return n.Start(cmd)
}

// Start starts a command in the node's namespace. What it writes to standard
// error is shown if the test fails.
func (n *Node) Start(cmd *exec.Cmd) *Process {
	n.t.Helper()
	p := &Process{Cmd: cmd, t: n.t, node: n, lines: make(chan string, 1000)}
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, &p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if p.stdin, err = cmd.StdinPipe(); err == nil {
		err = n.Do(cmd.Start)
	}
	if err != nil {
		n.t.Fatalf("testnet: %s: %v", n.Name, err)
	}
	p.wait = sync.OnceValue(func() error {
		err := cmd.Wait()
		_ = w.Close()
		return err
	})
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	})
	reading.Go(func() { _ = p.wait() })
	n.t.Cleanup(func() {
		p.Kill()
		go func() { // what nobody read must not keep the reader
			for range p.lines {
			}
		}()
		reading.Wait()
		if n.t.Failed() {
			n.t.Logf("%s: %s:\n%s", n.Name, strings.Join(cmd.Args, " "), &p.log)
		}
	})
	return p
}

// Send writes a line to the program's standard input.
func (p *Process) Send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatalf("testnet: %s: %v\n%s", p.node.Name, err, &p.log)
	}
}

// Line returns the next line of the program's standard output.
func (p *Process) Line() string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatalf("testnet: %s: the program has ended\n%s", p.node.Name, &p.log)
		}
		return line
	case <-time.After(Patience):
		p.t.Fatalf("testnet: %s: the program is silent\n%s", p.node.Name, &p.log)
	}
	return ""
}

// Expect skips the program's output up to the line.
func (p *Process) Expect(line string) {
	p.t.Helper()
	for {
		if got := p.Line(); got == line {
			return
		}
	}
}

// Lines returns what the program printed and nobody has read, without waiting.
func (p *Process) Lines() []string {
	var all []string
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				return all
			}
			all = append(all, line)
		default:
			return all
		}
	}
}

// Log returns what the program has written to standard error.
func (p *Process) Log() string { return p.log.String() }

// Signal sends sig.
func (p *Process) Signal(sig os.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("testnet: %s: %v", p.node.Name, err)
	}
}

// Kill ends the program by SIGKILL and waits for that. It may have ended.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill()
	_ = p.wait()
}

// Wait closes the program's standard input and returns how it ended.
func (p *Process) Wait() error {
	_ = p.stdin.Close()
	return p.wait()
}

// lockedBuffer is what os/exec writes into while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
