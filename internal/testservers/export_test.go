package testservers

// PID and Dir let the tests look at what must be gone afterwards.
func (s *Server) PID() int    { return s.p.pid }
func (s *Server) Dir() string { return s.p.dir }

var (
	Alive     = alive
	SignalPID = signal
)

// SharedPID starts the shared PostgreSQL of this process if need be.
func SharedPID() (pid int, dir string, err error) {
	p, err := sharedPostgres.start()
	if err != nil {
		return 0, "", err
	}
	return p.pid, p.dir, nil
}
