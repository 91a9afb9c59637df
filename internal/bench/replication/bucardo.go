package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bucardoHome is the database and the directory of Bucardo's own.
type bucardoHome struct {
	dir string
	err error
}

// bucardo is Bucardo 5.6, to PostgreSQL or MariaDB. Its daemon does one sync at
// a time.
type bucardo struct{ p *pair }

// home installs Bucardo when it is first needed.
func (l *lab) bucardoHome(ctx context.Context) (*bucardoHome, error) {
	if l.bucardo == nil {
		l.bucardo = new(bucardoHome)
		l.bucardo.err = l.installBucardo(ctx, l.bucardo)
	}
	return l.bucardo, l.bucardo.err
}

func (l *lab) installBucardo(ctx context.Context, h *bucardoHome) (err error) {
	if _, err := exec.LookPath("bucardo"); err != nil {
		return fmt.Errorf("%w (Debian packages bucardo and postgresql-plperl-15)", err)
	}
	if h.dir, err = l.subdir("bucardo", l.asPostgres); err != nil {
		return err
	}
	admin, err := l.sqlDB(l.master, "postgres")
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := execAll(ctx, admin, "CREATE USER bucardo SUPERUSER PASSWORD '"+l.password+"'"); err != nil {
		return err
	}
	if _, err = l.bucardoRun(ctx, "install", "--batch", "--dbuser="+superuser, "--dbname=postgres"); err != nil {
		return err
	}
	_, err = l.bucardoRun(ctx, "set", "reason_file="+filepath.Join(h.dir, "reason"))
	return err
}

func (l *lab) bucardoRun(ctx context.Context, args ...string) (string, error) {
	args = append([]string{"bucardo", "--no-bucardorc", "--dbhost=127.0.0.1", fmt.Sprintf("--dbport=%d", l.master.port),
		"--piddir=" + l.bucardo.dir, "--log-dest=" + l.bucardo.dir}, args...)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	as := l.asPostgres
	as.home = l.bucardo.dir // it writes files wherever it is
	return as.run(ctx, "", args...)
}

func (b *bucardo) setup(ctx context.Context, p *pair) error {
	b.p = p
	if err := b.capture(ctx); err != nil {
		return err
	}
	// The first copy is not what is measured: it is made by other means.
	if p.to.kind == "postgres" {
		if err := p.copyByPsql(ctx); err != nil {
			return err
		}
	} else if err := p.copyByLoadData(ctx); err != nil {
		return err
	}
	if err := p.mark(ctx); err != nil {
		return err
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := p.arrived(ctx, 2*time.Minute); err != nil {
		return fmt.Errorf("%w; its log: %s", err, b.p.l.bucardo.logTail())
	}
	return b.stop(ctx)
}

// capture adds databases, tables and the sync, which makes the triggers.
func (b *bucardo) capture(ctx context.Context) error {
	p, l := b.p, b.p.l
	if _, err := l.bucardoHome(ctx); err != nil {
		return err
	}
	kind, user := "postgres", superuser
	if p.to.kind == "mysql" {
		kind, user = "mariadb", "bench"
	}
	for _, args := range [][]string{
		{"add", "db", "s_" + p.name, "type=postgres", "dbname=" + p.name, "host=127.0.0.1", fmt.Sprintf("port=%d", p.from.port), "user=" + superuser, "pass=" + l.password},
		{"add", "db", "t_" + p.name, "type=" + kind, "dbname=" + p.name, "host=127.0.0.1", fmt.Sprintf("port=%d", p.to.port), "user=" + user, "pass=" + l.password},
		{"add", "table", "public.site_users", "public.marker", "db=s_" + p.name, "relgroup=r_" + p.name},
		{"add", "sync", "y_" + p.name, "relgroup=r_" + p.name, "dbs=s_" + p.name + ":source,t_" + p.name + ":target", "onetimecopy=0", "autokick=1"},
		{"update", "sync", "y_" + p.name, "status=inactive"},
	} {
		if out, err := l.bucardoRun(ctx, args...); err != nil {
			return err
		} else if strings.Contains(out, "ERROR") || strings.Contains(out, "Failed") {
			return errors.New("bucardo: " + plain(errors.New(out)))
		}
	}
	return nil
}

func (b *bucardo) start(ctx context.Context) error {
	_, err := b.p.l.bucardoRun(ctx, "start")
	return err
}

// prepare makes this sync the one that the daemon will do.
func (b *bucardo) prepare(ctx context.Context) error {
	_, err := b.p.l.bucardoRun(ctx, "update", "sync", "y_"+b.p.name, "status=active")
	return err
}

// stop asks the daemon to end, and ends it: a Kid in a long query does not hear.
func (b *bucardo) stop(ctx context.Context) error {
	l := b.p.l
	if l.bucardo == nil || l.bucardo.err != nil {
		return nil
	}
	_, _ = l.bucardoRun(ctx, "stop") // what counts is whether they are gone
	err := until(ctx, 20*time.Second, 50*time.Millisecond, func() error {
		if n := len(l.bucardo.pids()); n > 0 {
			return fmt.Errorf("%d processes of bucardo go on", n)
		}
		return nil
	})
	if err != nil {
		l.logf("%v; %s", err, l.bucardo.logTail())
		for _, pid := range l.bucardo.pids() {
			endProcess(pid)
		}
		left, _ := filepath.Glob(filepath.Join(l.bucardo.dir, "*.pid"))
		for _, f := range left {
			_ = os.Remove(f)
		}
	}
	_, err = l.bucardoRun(ctx, "update", "sync", "y_"+b.p.name, "status=inactive")
	return err
}

// pids returns our descendants that are Bucardo's.
func (h *bucardoHome) pids() (out []int) {
	for _, pid := range children(os.Getpid()) {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if name := string(b); strings.HasPrefix(name, "Bucardo ") || strings.Contains(name, "/bucardo\x00") { // not a server's process for the user bucardo
			out = append(out, pid)
		}
	}
	return out
}

func (h *bucardoHome) logTail() string {
	b, _ := os.ReadFile(filepath.Join(h.dir, "log.bucardo"))
	return plain(errors.New(string(b[max(0, len(b)-1500):])))
}
