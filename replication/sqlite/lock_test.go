package sqlite_test

import (
	"bufio"
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"testing"
)

// child is what conn and openFile need of a testing.TB, in a process that is no
// test.
type child struct{ testing.TB }

func (child) Helper()                  {}
func (child) Cleanup(func())           {}
func (child) Context() context.Context { return context.Background() }
func (child) Fatal(args ...any)        { fmt.Println(args...); os.Exit(1) }

// TestMain runs as the child of TestLockEndsWithItsProcess, if asked to.
func TestMain(m *testing.M) {
	if path := os.Getenv("ASHLAR_TEST_LOCK"); path != "" {
		holdLock(path)
	}
	os.Exit(m.Run())
}

// holdLock takes the lock, says so, and waits to be killed.
func holdLock(path string) {
	var t child
	c := conn(t, openFile(t, path))
	ok, err := dialect.TryLock(t.Context(), c, "node")
	fmt.Println(ok, err)
	select {}
}

func TestLockEndsWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "it's here.db")
	c := conn(t, openFile(t, path))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command(exe)
	cmd.Env = append(os.Environ(), "ASHLAR_TEST_LOCK="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, _, err := bufio.NewReader(out).ReadLine()
	if err != nil || string(line) != "true <nil>" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	if ok, err := dialect.TryLock(t.Context(), c, "node"); ok || err != nil {
		t.Fatalf("while the child holds it: TryLock = %t, %v", ok, err)
	}
	// The lock is not on the database.
	exec(t, c, "CREATE TABLE t (a)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)", "COMMIT")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if ok, err := dialect.TryLock(t.Context(), c, "node"); !ok || err != nil {
		t.Fatalf("after kill -9: TryLock = %t, %v", ok, err)
	}
}

func TestLockEndsWithItsConnection(t *testing.T) {
	db := open(t)
	a, b := conn(t, db), conn(t, db)
	for _, name := range []string{"one", "two", `odd/"name'`} {
		if ok, err := dialect.TryLock(t.Context(), a, name); !ok || err != nil {
			t.Fatalf("%s: TryLock = %t, %v", name, ok, err)
		}
		if ok, err := dialect.TryLock(t.Context(), b, name); ok || err != nil {
			t.Fatalf("%s is had twice: %t, %v", name, ok, err)
		}
	}
	// It remains of use, and waits for locks as before.
	exec(t, a, "CREATE TABLE t (a)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)", "COMMIT")
	var wait int
	if err := a.QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&wait); err != nil || wait != 10000 {
		t.Errorf("busy_timeout is %d, %v", wait, err)
	}
	_ = a.Raw(func(any) error { return driver.ErrBadConn })
	for _, name := range []string{"one", "two"} {
		if ok, err := dialect.TryLock(t.Context(), b, name); !ok || err != nil {
			t.Fatalf("after the connection: TryLock = %t, %v", ok, err)
		}
	}
}
