package testservers

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// StartPostgresStandby starts a standby of a PostgreSQL that [StartPostgres]
// started: a copy that follows it by streaming replication and takes reads. The
// arguments are added to its command line. It ends with the test, before its
// primary if that was started first.
func StartPostgresStandby(t testing.TB, primary *Server, args ...string) *Server {
	t.Helper()
	sp, err := postgresSpec()
	if err != nil {
		skipOrFail(t, err)
	}
	backup, err := postgresProgram("pg_basebackup")
	if err != nil {
		skipOrFail(t, err)
	}
	sp.name = "standby"
	sp.abort = "TERM" // a backup cut short leaves files only
	sp.prepare = func(p *process) ([]command, error) {
		p.password = primary.p.password // the accounts are copied too
		if err := os.WriteFile(p.file("password"), []byte(p.password), 0o644); err != nil {
			return nil, err
		}
		// The shell reads the password, because everybody sees the command line.
		return []command{{
			"sh", "-c", `PGPASSWORD=$(cat "$1") exec "$2" -D "$3" -R -X stream -c fast --no-sync -h 127.0.0.1 -p "$4" -U ashlar`,
			"sh", p.file("password"), backup, filepath.Join(p.dir, "data"), strconv.Itoa(primary.p.port),
		}}, nil
	}
	return started(t, sp, args)
}
