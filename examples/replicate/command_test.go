package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// TestMain lets the test binary be the command.
func TestMain(m *testing.M) {
	if os.Getenv("REPLICATE_TEST_AS_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "REPLICATE_TEST_AS_COMMAND=1", sourcePassword+"=", targetPassword+"=")
	return cmd
}

// replicate runs the command to its end.
func replicate(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code tells
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// ok runs the command and wants it to succeed.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := replicate(t, args...)
	if code != 0 {
		t.Fatalf("replicate %s: exit %d\n%s%s", args[len(args)-1], code, out, errs)
	}
	return out
}

// database opens what a URL names, for the test's own statements.
func database(t *testing.T, raw string) *sql.DB {
	t.Helper()
	end, _, err := open("test", raw, "", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end.DB.Close() })
	return end.DB
}

func exec1(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func newSQLite(t *testing.T) string {
	return "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "a file.db"))
}

func TestFromPlanToUninstall(t *testing.T) {
	for name, urls := range map[string]func(t *testing.T) (source, target string){
		"sqlite to sqlite":    func(t *testing.T) (string, string) { return newSQLite(t), newSQLite(t) },
		"postgres to mariadb": func(t *testing.T) (string, string) { return testservers.Postgres(t), testservers.MariaDB(t) },
		"mariadb to postgres": func(t *testing.T) (string, string) { return testservers.MariaDB(t), testservers.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			source, target := urls(t)
			master, copied := database(t, source), database(t, target)
			exec1(t, master, "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(50))", "CREATE TABLE news (id INTEGER PRIMARY KEY, title VARCHAR(200))")
			for i := range 100 {
				exec1(t, master, fmt.Sprintf("INSERT INTO users VALUES (%d, 'user %d')", i, i), fmt.Sprintf("INSERT INTO news VALUES (%d, 'title')", i))
			}
			args := func(more ...string) []string {
				return append([]string{"-source", source, "-target", target, "-tables", "users,news=articles", "-node", "r1"}, more...)
			}
			plan := ok(t, args("plan")...)
			for _, want := range []string{"-- on the master:", "CREATE", "-- on the replica:", "-- columns:"} {
				if !strings.Contains(plan, want) {
					t.Errorf("plan does not have %q", want)
				}
			}
			if code, out, errs := replicate(t, args("once")...); code != 1 || !strings.Contains(errs, "must be copied") {
				t.Errorf("once before copy: exit %d, %s%s", code, out, errs)
			}
			ok(t, args("install")...)
			if code, _, errs := replicate(t, args("copy")...); code != 0 || !strings.Contains(errs, "copied") {
				t.Fatalf("copy: exit %d, %s", code, errs)
			}
			if out := ok(t, args("verify")...); out != "equal\n" {
				t.Errorf("verify: %q", out)
			}
			exec1(t, master, "UPDATE users SET name = 'changed' WHERE id < 5")
			var st statusJSON
			if err := json.Unmarshal([]byte(ok(t, args("-json", "status")...)), &st); err != nil {
				t.Fatal(err)
			}
			if st.Phase != "following" || st.Backlog != 5 || len(st.Tables) != 2 || len(st.Nodes) != 1 || st.Nodes[0].Name != "r1" || st.LagSeconds == nil {
				t.Errorf("status %+v", st)
			}
			if out := ok(t, args("once")...); !strings.HasPrefix(out, "5 rows in ") {
				t.Errorf("once: %q", out)
			}
			if out := ok(t, args("status")...); !strings.Contains(out, "following") || !strings.Contains(out, "0 rows wait") {
				t.Errorf("status: %s", out)
			}

			// Somebody writes to the replica: verify exits 1 and names the row.
			exec1(t, copied, "UPDATE articles SET title = 'tampered' WHERE id = 7")
			code, out, _ := replicate(t, args("verify")...)
			if code != 1 || !strings.Contains(out, "id=7 differs in column title") {
				t.Errorf("verify of a difference: exit %d, %s", code, out)
			}
			if out := ok(t, args("verify", "-repair")...); !strings.Contains(out, "1 rows repaired") {
				t.Errorf("repair: %s", out)
			}
			ok(t, args("verify")...)

			runUntilItArrives(t, master, copied, args("-interval", "20ms", "run"))
			ok(t, args("drop-node")...)
			ok(t, args("uninstall")...)
			exec1(t, master, "INSERT INTO users VALUES (1000, 'not logged')")
		})
	}
}

// runUntilItArrives starts run, changes the master, and ends run by a signal.
func runUntilItArrives(t *testing.T, master, copied *sql.DB, args []string) {
	t.Helper()
	cmd := command(t, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exec1(t, master, "DELETE FROM users WHERE id = 50", "INSERT INTO news VALUES (500, 'late')")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var users, news int
		if err := copied.QueryRow("SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM articles)").Scan(&users, &news); err != nil {
			t.Fatal(err)
		}
		if users == 99 && news == 101 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the changes do not arrive: %d users, %d articles\n%s", users, news, errs.String())
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("run ended by a signal: exit %d\n%s", code, errs.String())
	}
}

func TestSnapshotFlipsAndSaysWhenNothingChanged(t *testing.T) {
	source, target := newSQLite(t), newSQLite(t)
	exec1(t, database(t, source), "CREATE TABLE admins (name VARCHAR(50))", "INSERT INTO admins VALUES ('a')")
	args := []string{"-source", source, "-target", target, "-tables", "admins", "snapshot"}
	if out := ok(t, args...); !strings.Contains(out, "flipped [admins]: 1 rows") {
		t.Errorf("%s", out)
	}
	if out := ok(t, args...); out != "nothing has changed\n" {
		t.Errorf("%s", out)
	}
	if out := ok(t, append(args, "-json")...); !strings.Contains(out, `"flipped":null`) {
		t.Errorf("%s", out)
	}
}

func TestAWrongCommandLineIsOneClearLineAndExit2(t *testing.T) {
	both := []string{"-source", "sqlite:///a", "-target", "sqlite:///b"}
	for want, args := range map[string][]string{
		"no command (replicate":                            {},
		`no command "dance"`:                               append(both, "-tables", "t", "dance"),
		"-source and -target are required":                 {"-tables", "t", "run"},
		"-tables is required":                              append(both, "run"),
		"flag provided but not defined: -nonsense":         {"-nonsense"},
		"a table without a name":                           append(both, "-tables", "a,,b", "run"),
		"-source: want postgres://":                        {"-source", "db2://x/y", "-target", "sqlite:///b", "-tables", "t", "run"},
		"-source is malformed":                             {"-source", "postgres://u:geheim@h:port/x", "-target", "sqlite:///b", "-tables", "t", "run"},
		"-every is for the command snapshot":               append(both, "-tables", "t", "-every", "1s", "run"),
		"-repair is for the command verify":                append(both, "-tables", "t", "-repair", "run"),
		`unexpected argument "copy" after the command run`: append(both, "-tables", "t", "run", "copy"),
		"two tables have the target t":                     append(both, "-tables", "t,s=t", "run"),
		`Config.Node is "a b"`:                             append(both, "-tables", "t", "-node", "a b", "run"),
	} {
		code, out, errs := replicate(t, args...)
		if code != 2 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, want) || strings.Contains(errs, "geheim") {
			t.Errorf("%q: exit %d, %q%q, want %q", args, code, out, errs, want)
		}
	}
}

func TestWhatCannotBeDoneIsOneClearLineAndExit1(t *testing.T) {
	pg := testservers.Postgres(t)
	exec1(t, database(t, pg), "CREATE TABLE nokey (a INTEGER)", "CREATE TABLE fine (id INTEGER PRIMARY KEY)")
	u, err := url.Parse(pg)
	if err != nil {
		t.Fatal(err)
	}
	wrong := *u
	wrong.User = url.UserPassword(u.User.Username(), "geheim")
	file := newSQLite(t)
	for want, args := range map[string][]string{
		"password authentication failed":     {"-source", wrong.String(), "-target", file, "-tables", "fine", "copy"},
		"no such table":                      {"-source", pg, "-target", file, "-tables", "missing", "copy"},
		"nokey: table has no key":            {"-source", pg, "-target", file, "-tables", "nokey", "install"},
		"not whole, or were never installed": {"-source", pg, "-target", file, "-tables", "fine", "copy"},
		"unable to open":                     {"-source", pg, "-target", "sqlite:///not/there/x.db", "-tables", "fine", "copy"},
		"connection refused":                 {"-source", "mysql://u:geheim@127.0.0.1:1/x", "-target", file, "-tables", "fine", "copy"},
		"no node nobody":                     {"-source", pg, "-target", file, "-tables", "fine", "-node", "nobody", "drop-node"},
	} {
		code, _, errs := replicate(t, args...)
		if code != 1 || !strings.Contains(errs, want) || strings.Contains(errs, "geheim") {
			t.Errorf("%s: exit %d, %q, want %q", args[len(args)-1], code, errs, want)
		}
	}
}

func TestHelpNamesEveryFlagAndCommand(t *testing.T) {
	code, out, errs := replicate(t, "-h")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d, %s", code, errs)
	}
	for _, want := range []string{"-source", "-target", "-tables", "-node", "-interval", "-json", "-every", "-repair", sourcePassword} {
		if !strings.Contains(out, want) {
			t.Errorf("-h does not have %s", want)
		}
	}
	for _, c := range commands {
		if !strings.Contains(out, c.name) {
			t.Errorf("-h does not have %s", c.name)
		}
	}
}
