package testservers

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

const (
	readyWithin = 60 * time.Second // for a slow machine under full load
	stopWithin  = 20 * time.Second // then it is killed
)

// spec is what differs between the kinds of servers; the control flow is here.
type spec struct {
	name  string
	users []string // first that exists runs the server when we are root
	stop  string   // signal for an orderly end
	end   string   // signal for the quickest end that leaves nothing behind
	abort string   // the same for the commands of prepare

	prepare func(p *process) ([]command, error)     // make the data; run once
	serve   func(p *process, args []string) command // at p.port
	ready   func(p *process) error                  // nil: it answers, and it is ours
	url     func(p *process) string                 // of the database to hand out
	killed  func(p *process)                        // may be nil: clean up after SIGKILL
}

// command is a program with its arguments.
type command []string

// process is one server, running or not, with its directory. It is owned by the
// goroutine that uses it.
type process struct {
	spec
	args     []string
	dir      string // removed by the reaper
	port     int
	password string
	reaper   *reaper
	pid      int // 0: not running, as far as we have been told to believe
}

// launch makes a server and waits until it answers.
func launch(sp spec, args []string) (*process, error) {
	if runtime.GOOS != "linux" {
		return nil, &missing{sp.name + " on Linux", "this is " + runtime.GOOS}
	}
	p := &process{spec: sp, args: args, password: rand.Text()}
	var err error
	p.reaper, p.dir, err = newReaper(sp.name, sp.users)
	if err != nil {
		return nil, fmt.Errorf("testservers: %s: %w", sp.name, err)
	}
	if err := p.first(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// first prepares the data and finds a port on which the server starts. Between
// our look at the port and the server's bind somebody else may take it.
func (p *process) first() error {
	cmds, err := p.prepare(p)
	if err != nil {
		return err
	}
	for _, c := range cmds {
		if err := p.run(c); err != nil {
			return err
		}
	}
	for try := 1; ; try++ {
		p.port = freePort()
		err := p.start()
		if err == nil || try == 5 || portIsFree(p.port) {
			return err
		}
	}
}

func (p *process) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

func (p *process) url() string {
	if p.spec.url == nil {
		return ""
	}
	return p.spec.url(p)
}

func (p *process) file(name string) string { return filepath.Join(p.dir, name) }

// run runs one command of the preparation to its end.
func (p *process) run(c command) error {
	pid, err := p.reaper.start(c, p.abort)
	if err != nil {
		return p.err("prepare", err)
	}
	waitUntil(readyWithin, func() bool { return !alive(pid) })
	if alive(pid) {
		return p.err("prepare", fmt.Errorf("%s still runs after %v", c[0], readyWithin))
	}
	status, err := p.reaper.reap()
	if err == nil && status != 0 {
		err = fmt.Errorf("%s: exit status %d", c[0], status)
	}
	if err != nil {
		return p.err("prepare", err)
	}
	return nil
}

func (p *process) start() error {
	if p.pid != 0 {
		return nil
	}
	pid, err := p.reaper.start(p.serve(p, p.args), p.end)
	if err != nil {
		return p.err("start", err)
	}
	p.pid = pid
	waitUntil(readyWithin, func() bool {
		err = p.ready(p)
		return err == nil || !alive(pid)
	})
	if err == nil && alive(pid) {
		return nil
	}
	if !alive(pid) {
		err = errors.New("it ended at once")
	}
	return errors.Join(p.err("start", err), p.kill())
}

func (p *process) stop() error {
	if p.pid == 0 {
		return nil
	}
	// The child processes of a paused server must go on to let it stop.
	if err := p.resume(); err != nil {
		return err
	}
	if err := signal(p.pid, p.spec.stop); err != nil {
		return p.err("stop", err)
	}
	waitUntil(stopWithin, func() bool { return !alive(p.pid) })
	if alive(p.pid) {
		err := fmt.Errorf("still there %v after SIG%s; killed", stopWithin, p.spec.stop)
		return errors.Join(p.err("stop", err), p.kill())
	}
	return p.reap("stop")
}

func (p *process) kill() error {
	if p.pid == 0 {
		return nil
	}
	family, err := signalTree(p.pid, "KILL")
	if err != nil {
		return p.err("kill", err)
	}
	if err := p.reap("kill"); err != nil {
		return err
	}
	if !waitUntil(stopWithin, func() bool { return !anyAlive(family) }) {
		return p.err("kill", errors.New("a child process survived SIGKILL"))
	}
	if p.killed != nil {
		p.killed(p)
	}
	return nil
}

func (p *process) pause() error {
	if p.pid == 0 {
		return p.err("pause", errors.New("it does not run"))
	}
	if _, err := signalTree(p.pid, "STOP"); err != nil {
		return p.err("pause", err)
	}
	return nil
}

func (p *process) resume() error {
	if p.pid == 0 {
		return p.err("resume", errors.New("it does not run"))
	}
	if _, err := signalTree(p.pid, "CONT"); err != nil {
		return p.err("resume", err)
	}
	return nil
}

// reap lets the parent forget the process that has ended; from here on its id
// may be given to another.
func (p *process) reap(op string) error {
	p.pid = 0
	if _, err := p.reaper.reap(); err != nil {
		return p.err(op, err)
	}
	return nil
}

// close ends the server and removes its directory. It may be called twice.
func (p *process) close() error {
	if err := p.reaper.close(); err != nil {
		return fmt.Errorf("testservers: end %s: %w", p.name, err)
	}
	return nil
}

func (p *process) err(op string, err error) error {
	return fmt.Errorf("testservers: %s %s: %w; its log ends:\n%s", op, p.name, err, p.logTail())
}

func (p *process) logTail() string {
	b, err := os.ReadFile(p.file("log"))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	const most = 4 << 10
	if len(b) > most {
		b = b[len(b)-most:]
		b = b[bytes.IndexByte(b, '\n')+1:]
	}
	return string(b)
}

// freePort looks below the range from which the kernel takes the ports of
// outgoing connections, so that nobody gets the port of a server that is down
// for a while.
func freePort() int {
	for range 100 {
		if port := 20000 + mrand.IntN(12000); portIsFree(port) {
			return port
		}
	}
	return 0 // the server's own message will say it better
}

func portIsFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// waitUntil asks done, less and less often, and reports whether it came true.
func waitUntil(within time.Duration, done func() bool) bool {
	deadline := time.Now().Add(within)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if done() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
}
