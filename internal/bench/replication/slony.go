package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// slony is Slony-I 2.2: a slon for each side, looking for changes every 100 ms.
type slony struct {
	p     *pair
	slons [2]*daemon
}

func (s *slony) cluster() string { return "c_" + s.p.name }

func (s *slony) conninfo(node int) string {
	if node == 1 {
		return s.p.from.conninfo(s.p.name)
	}
	return s.p.to.conninfo(s.p.name)
}

func (s *slony) slonik(ctx context.Context, script string) error {
	preamble := fmt.Sprintf("cluster name = %s;\nnode 1 admin conninfo = '%s';\nnode 2 admin conninfo = '%s';\n", s.cluster(), s.conninfo(1), s.conninfo(2))
	_, err := s.p.l.asPostgres.run(ctx, preamble+script, "slonik")
	return err
}

func (s *slony) setup(ctx context.Context, p *pair) error {
	s.p = p
	for _, program := range []string{"slon", "slonik"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w (Debian packages slony1-2-bin and postgresql-15-slony1-2)", err)
		}
	}
	if err := s.capture(ctx); err != nil {
		return err
	}
	if err := s.slonik(ctx, fmt.Sprintf("store node (id = 2, comment = 'replica', event node = 1);\n"+
		"store path (server = 1, client = 2, conninfo = '%s');\nstore path (server = 2, client = 1, conninfo = '%s');\n", s.conninfo(1), s.conninfo(2))); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.slonik(ctx, "subscribe set (id = 1, provider = 1, receiver = 2, forward = no);\n"); err != nil {
		return err
	}
	if err := p.mark(ctx); err != nil {
		return err
	}
	if err := p.arrived(ctx, 2*time.Minute); err != nil {
		return err
	}
	return s.stop(ctx)
}

// capture makes the cluster of one node with its triggers.
func (s *slony) capture(ctx context.Context) error {
	return s.slonik(ctx, "init cluster (id = 1, comment = 'master');\n"+
		"create set (id = 1, origin = 1, comment = 'all');\n"+
		"set add table (set id = 1, origin = 1, id = 1, fully qualified name = 'public.site_users');\n"+
		"set add table (set id = 1, origin = 1, id = 2, fully qualified name = 'public.marker');\n")
}

func (s *slony) start(context.Context) error {
	for i := range s.slons {
		log := filepath.Join(s.p.l.dir, fmt.Sprintf("%s-slon%d.log", s.p.name, i+1))
		d, err := s.p.l.asPostgres.start(log, "slon", "-s", "100", "-d", "0", s.cluster(), s.conninfo(i+1))
		if err != nil {
			return err
		}
		s.slons[i] = d
	}
	return nil
}

func (s *slony) stop(context.Context) error {
	var errs []error
	for i, d := range s.slons {
		if d == nil {
			continue
		}
		if !d.running() {
			b, _ := os.ReadFile(filepath.Join(s.p.l.dir, fmt.Sprintf("%s-slon%d.log", s.p.name, i+1)))
			errs = append(errs, fmt.Errorf("slon %d ended by itself: %s", i+1, b[max(0, len(b)-500):]))
		}
		d.stop(syscall.SIGTERM, 20*time.Second)
		s.slons[i] = nil
	}
	return errors.Join(errs...)
}
