package lbsql

import "sync"

// share decides how many reads the primary takes in place of replicas. Its
// methods are safe for concurrent use.
type share struct {
	most  int     // at once
	ratio float64 // of all reads that were offered; 1: no such limit

	mu     sync.Mutex
	busy   int     // guarded by mu
	credit float64 // guarded by mu: reads that ratio allows now
}

// newShare begins with the credit of one read, so that the first is not
// refused for want of a past.
func newShare(most int, ratio float64) *share {
	return &share{most: most, ratio: ratio, credit: 1}
}

// offered counts a read, wherever it goes. What good times leave unused is
// worth at most as many reads as may run at once: no flood can be saved up.
func (s *share) offered() {
	if s.ratio >= 1 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credit = min(s.credit+s.ratio, float64(max(s.most, 1)))
}

// take asks for the right to one read on the primary; give returns it.
func (s *share) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy >= s.most {
		return false
	}
	if s.ratio < 1 {
		if s.credit < 1 {
			return false
		}
		s.credit--
	}
	s.busy++
	return true
}

func (s *share) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
}

func (s *share) running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy
}
