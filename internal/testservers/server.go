package testservers

import (
	"testing"
)

// Server is a private server that a test may break. Its methods end the test
// when they fail, so they are to be called from the test's own goroutine.
type Server struct {
	Addr string // host:port, the same for the server's whole life
	URL  string // of an empty database; "" for memcached

	t testing.TB
	p *process
}

// started is the test's side of launch.
func started(t testing.TB, sp spec, args []string) *Server {
	t.Helper()
	p, err := launch(sp, args)
	if err != nil {
		skipOrFail(t, err)
	}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	return &Server{Addr: p.addr(), URL: p.url(), t: t, p: p}
}

// Kill ends the server and all its child processes by SIGKILL, as a crash does.
// A dead server stays dead; a paused one dies too.
func (s *Server) Kill() {
	s.t.Helper()
	s.check(s.p.kill())
}

// Stop ends the server in good order and waits until it is gone.
func (s *Server) Stop() {
	s.t.Helper()
	s.check(s.p.stop())
}

// Restart starts the server again at the same address on the data that it left,
// stopping it first if it runs, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.check(s.p.stop())
	s.check(s.p.start())
}

// Pause stops the server and its child processes by SIGSTOP: connections are
// still accepted by the kernel, and nobody answers.
func (s *Server) Pause() {
	s.t.Helper()
	s.check(s.p.pause())
}

// Resume lets a paused server go on.
func (s *Server) Resume() {
	s.t.Helper()
	s.check(s.p.resume())
}

// Log returns the end of what the server has written to its log.
func (s *Server) Log() string { return s.p.logTail() }

func (s *Server) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
