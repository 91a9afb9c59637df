package testservers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// shared is a database server that many tests use, each in a database of its
// own: the one named in the environment, else one per test process.
type shared struct {
	env          string
	create, drop string // statements with %s for the database
	query        func(url, statements string) error
	start        func() (*process, error) // once
}

func launchShared(sp func() (spec, error)) (*process, error) {
	s, err := sp()
	if err != nil {
		return nil, err
	}
	return launch(s, nil) // ends with this process, by its reaper
}

func (s *shared) url() (string, error) {
	if u := os.Getenv(s.env); u != "" {
		return u, nil
	}
	p, err := s.start()
	if err != nil {
		return "", err
	}
	return p.url(), nil
}

func (s *shared) database(t testing.TB) string {
	t.Helper()
	server, err := s.url()
	if err != nil {
		skipOrFail(t, err)
	}
	name := "ashlar_" + strings.ToLower(rand.Text()[:16])
	if err := s.query(server, fmt.Sprintf(s.create, name)); err != nil {
		skipOrFail(t, err)
	}
	t.Cleanup(func() {
		if err := s.query(server, fmt.Sprintf(s.drop, name)); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("testservers: %s is not a URL", s.env)
	}
	u.Path = "/" + name
	return u.String()
}

// Share starts the servers that [Postgres] and [MariaDB] use and returns the
// environment that names them to test processes, and a function that ends them.
// A server that is not installed, or that the environment already names, is left
// out. It is for the command internal/testservers/with.
func Share() (env []string, stop func() error, err error) {
	both := []*shared{sharedPostgres, sharedMariaDB}
	procs := make([]*process, len(both))
	errs := make([]error, len(both))
	var wg sync.WaitGroup
	for i, s := range both {
		if os.Getenv(s.env) != "" {
			continue
		}
		wg.Go(func() { procs[i], errs[i] = s.start() })
	}
	wg.Wait()
	stop = func() error {
		var errs []error
		for _, p := range procs {
			if p != nil {
				errs = append(errs, p.close())
			}
		}
		return errors.Join(errs...)
	}
	for i, s := range both {
		if _, notThere := errors.AsType[*missing](errs[i]); errs[i] != nil && !notThere {
			return nil, nil, errors.Join(errs[i], stop())
		}
		if procs[i] != nil {
			env = append(env, s.env+"="+procs[i].url())
		}
	}
	return env, stop, nil
}
