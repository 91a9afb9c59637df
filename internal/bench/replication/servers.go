package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
)

const superuser = "postgres"

// server is one database server.
type server struct {
	kind     string // postgres or mysql
	port     int
	password string
	d        *daemon
	stopWith syscall.Signal
	log      string
}

// lab is the servers of a run and all that is needed to reach them.
type lab struct {
	options
	dir             string
	password        string
	asPostgres      account
	asMySQL         account
	bin             string // directory of the PostgreSQL programs
	master, replica *server
	maria           *server // nil until it is needed
	bucardo         *bucardoHome
	pools           []*sql.DB
}

func openLab(ctx context.Context, o options) (_ *lab, err error) {
	if runtime.GOOS != "linux" {
		return nil, errors.New("this needs Linux")
	}
	if err := adopt(); err != nil {
		return nil, err
	}
	l := &lab{options: o, asPostgres: accountOf("postgres"), asMySQL: accountOf("mysql")}
	if l.dir, err = os.MkdirTemp("", "ashlar-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if err := os.Chmod(l.dir, 0o711); err != nil {
		return nil, err
	}
	l.asPostgres.home, l.asMySQL.home = l.dir, l.dir
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return nil, errors.New("needs PostgreSQL (Debian package postgresql)")
	}
	slices.SortFunc(found, func(a, b string) int { return pgVersion(a) - pgVersion(b) })
	l.bin = filepath.Dir(found[len(found)-1])
	// Whatever speaks libpq, and pgx, finds the password there.
	l.password = password()
	if err := os.Setenv("PGPASSWORD", l.password); err != nil {
		return nil, err
	}
	if l.master, err = l.startPostgres(ctx, "master"); err != nil {
		return nil, err
	}
	if l.replica, err = l.startPostgres(ctx, "replica"); err != nil {
		return nil, err
	}
	return l, nil
}

func pgVersion(program string) int {
	v, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(program))))
	return v
}

// close ends all that was started.
func (l *lab) close() error {
	for _, p := range l.pools {
		_ = p.Close()
	}
	var keep []int
	for _, s := range []*server{l.master, l.replica, l.maria} {
		if s != nil && s.d != nil {
			keep = append(keep, s.d.cmd.Process.Pid)
		}
	}
	endOrphans(keep...) // clients first
	for _, s := range []*server{l.master, l.replica, l.maria} {
		if s != nil {
			s.d.stop(s.stopWith, 20*time.Second)
			if l.keep != "" {
				if b, err := os.ReadFile(s.log); err == nil {
					_ = os.WriteFile(filepath.Join(l.keep, filepath.Base(filepath.Dir(s.log))+".log"), b, 0o644)
				}
			}
		}
	}
	endOrphans()
	return os.RemoveAll(l.dir)
}

func (l *lab) subdir(name string, owner account) (string, error) {
	dir := filepath.Join(l.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return dir, owner.own(dir)
}

func (l *lab) startPostgres(ctx context.Context, name string) (*server, error) {
	dir, err := l.subdir(name, l.asPostgres)
	if err != nil {
		return nil, err
	}
	pw := filepath.Join(dir, "password")
	if err := os.WriteFile(pw, []byte(l.password), 0o600); err != nil {
		return nil, err
	}
	if err := l.asPostgres.own(pw); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	// md5 because each connection of scram-sha-256 costs milliseconds by design.
	if _, err := l.asPostgres.run(ctx, "", filepath.Join(l.bin, "initdb"), "-D", data, "-U", superuser, "--pwfile", pw, "-A", "md5",
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"); err != nil {
		return nil, err
	}
	s := &server{kind: "postgres", password: l.password, stopWith: syscall.SIGINT, log: filepath.Join(dir, "log")}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	args := []string{filepath.Join(l.bin, "postgres"), "-D", data}
	for _, set := range []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(s.port), "unix_socket_directories=",
		"wal_level=logical", "synchronous_commit=off", "shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=60min",
		"max_connections=200", "max_worker_processes=16", "max_logical_replication_workers=8", "max_replication_slots=16", "max_wal_senders=16",
		// A vacuum would fall upon one of the sides at random: it is run between the measurements.
		"autovacuum=off", "log_timezone=UTC", "timezone=UTC", "log_checkpoints=off", "dynamic_shared_memory_type=mmap",
	} {
		args = append(args, "-c", set)
	}
	if l.keep != "" {
		args = append(args, "-c", "log_min_duration_statement=0", "-c", "log_line_prefix=%m %d ")
	}
	if s.d, err = l.asPostgres.start(s.log, args...); err != nil {
		return nil, err
	}
	db, err := l.sqlDB(s, "postgres")
	if err != nil {
		return s, err
	}
	defer db.Close()
	return s, s.ready(ctx, db)
}

func (s *server) ready(ctx context.Context, db *sql.DB) error {
	err := until(ctx, 60*time.Second, 50*time.Millisecond, func() error {
		if !s.d.running() {
			return errors.New("it ended")
		}
		return db.PingContext(ctx)
	})
	if err != nil {
		b, _ := os.ReadFile(s.log)
		return fmt.Errorf("%s does not start: %w\n%s", s.kind, err, b[max(0, len(b)-1000):])
	}
	return nil
}

// mariaDB starts MariaDB when it is first needed.
func (l *lab) mariaDB(ctx context.Context) (*server, error) {
	if l.maria != nil {
		return l.maria, nil
	}
	dir, err := l.subdir("mariadb", l.asMySQL)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if _, err := l.asMySQL.run(ctx, "", "mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve"); err != nil {
		return nil, err
	}
	s := &server{kind: "mysql", password: l.password, stopWith: syscall.SIGTERM, log: filepath.Join(dir, "log")}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	first := filepath.Join(dir, "first.sql")
	if err := os.WriteFile(first, []byte("CREATE OR REPLACE USER bench@'127.0.0.1' IDENTIFIED BY '"+l.password+"';\nGRANT ALL ON *.* TO bench@'127.0.0.1' WITH GRANT OPTION;\n"), 0o600); err != nil {
		return nil, err
	}
	if err := l.asMySQL.own(first); err != nil {
		return nil, err
	}
	s.d, err = l.asMySQL.start(s.log, "/usr/sbin/mariadbd", "--no-defaults", "--datadir="+data, "--tmpdir="+dir, "--bind-address=127.0.0.1",
		"--port="+strconv.Itoa(s.port), "--socket="+filepath.Join(dir, "socket"), "--skip-name-resolve", "--init-file="+first,
		"--pid-file="+filepath.Join(dir, "pid"), "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=512M",
		"--innodb-log-file-size=1G", "--local-infile=1", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin", "--innodb-use-native-aio=0")
	if err != nil {
		return nil, err
	}
	l.maria = s
	db, err := l.sqlDB(s, "mysql")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return s, s.ready(ctx, db)
}

func (l *lab) sqlDB(s *server, name string) (*sql.DB, error) {
	if s.kind == "mysql" {
		return sql.Open("mysql", s.dsn(name))
	}
	return sql.Open("pgx", s.dsn(name))
}

// dsn is what the Go driver takes; that of PostgreSQL is without the password.
func (s *server) dsn(name string) string {
	if s.kind == "mysql" {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.DBName = "bench", s.password, "tcp", "127.0.0.1:"+strconv.Itoa(s.port), name
		return c.FormatDSN()
	}
	return s.conninfo(name)
}

// conninfo is what libpq takes.
func (s *server) conninfo(name string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s sslmode=disable", s.port, superuser, name)
}

// createDB makes an empty database and opens it.
func (l *lab) createDB(ctx context.Context, s *server, name string) (*sql.DB, error) {
	home := "postgres"
	statements := []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name + " TEMPLATE template0"}
	if s.kind == "mysql" {
		home, statements = "mysql", []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name}
	}
	admin, err := l.sqlDB(s, home)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	if err := execAll(ctx, admin, statements...); err != nil {
		return nil, err
	}
	db, err := l.sqlDB(s, name)
	if err == nil {
		l.pools = append(l.pools, db)
	}
	return db, err
}

func execAll(ctx context.Context, db *sql.DB, statements ...string) error {
	for _, q := range statements {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%.200s: %w", q, err)
		}
	}
	return nil
}

// describe says what was measured on.
func (l *lab) describe(ctx context.Context) string {
	var version string
	if db, err := l.sqlDB(l.master, "postgres"); err == nil {
		_ = db.QueryRowContext(ctx, "SHOW server_version").Scan(&version)
		db.Close()
	}
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%s, %d cores, load %s, PostgreSQL %s; %d rows, %d rounds", time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		runtime.NumCPU(), strings.Join(strings.Fields(string(load))[:3], " "), version, l.rows, l.rounds)
}

func (l *lab) logf(format string, args ...any) {
	if l.verbose {
		fmt.Printf("    "+format+"\n", args...)
	}
}
