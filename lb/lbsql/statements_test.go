package lbsql_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsql"
)

func count(list []string, s string) (n int) {
	for _, e := range list {
		if e == s {
			n++
		}
	}
	return n
}

func TestStatementsArePreparedOnceOnEachConnection(t *testing.T) {
	s := newServer("r")
	db := sql.OpenDB(lbsql.Statements(s, 2))
	defer db.Close()
	db.SetMaxOpenConns(1)
	ask := func(i int) {
		t.Helper()
		var name string
		if err := db.QueryRow(fmt.Sprintf("SELECT %d, ? /*prepared*/", i), 7).Scan(&name); err != nil || name != "r" {
			t.Fatal(name, err)
		}
	}
	for range 5 {
		ask(1)
		ask(2)
	}
	if n := count(s.statements(), "prepare SELECT 1, ? /*prepared*/"); n != 1 {
		t.Errorf("prepared %d times: %q", n, s.statements())
	}
	// The third takes the place of the first, which was used the longest ago.
	ask(3)
	ask(2)
	s.mu.Lock()
	if s.stmts != 2 {
		t.Errorf("%d statements are kept, want 2", s.stmts)
	}
	s.mu.Unlock()
	ask(1)
	if n := count(s.statements(), "prepare SELECT 1, ? /*prepared*/"); n != 2 {
		t.Errorf("prepared %d times", n)
	}
	// A statement that fails is forgotten, and prepared anew.
	no := stateError("0A000")
	s.set(func(s *server) { s.refuses = no })
	if _, err := db.Query("SELECT 1, ? /*prepared*/", 7); err != no {
		t.Error(err)
	}
	s.set(func(s *server) { s.refuses = nil })
	ask(1)
	if n := count(s.statements(), "prepare SELECT 1, ? /*prepared*/"); n != 3 {
		t.Errorf("prepared %d times", n)
	}
	// What needs no preparation gets none, and column types are passed through.
	before := s.received()
	rows, err := db.Query("SELECT c")
	if err != nil {
		t.Fatal(err)
	}
	rows.Close()
	if got := s.statements()[before:]; !slices.Equal(got, []string{"SELECT c"}) {
		t.Errorf("%q", got)
	}
	rows, err = db.Query("SELECT 1, ? /*prepared*/", 7)
	if err != nil {
		t.Fatal(err)
	}
	if types, err := rows.ColumnTypes(); err != nil || types[0].DatabaseTypeName() != "FAKE" {
		t.Error(types, err)
	}
	rows.Close()
}

func TestStatementWithOpenRowsIsNotUsedTwice(t *testing.T) {
	s := newServer("r")
	db := sql.OpenDB(lbsql.Statements(s, 2))
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var open []*sql.Rows
	for range 3 {
		rows, err := tx.Query("SELECT ? /*prepared*/", 1)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, rows)
	}
	if n := count(s.statements(), "prepare SELECT ? /*prepared*/"); n != 3 {
		t.Errorf("prepared %d times", n)
	}
	for _, rows := range open {
		rows.Close()
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stmts != 1 || s.busy != 0 {
		t.Errorf("%d statements are kept, %d rows are open", s.stmts, s.busy)
	}
}

func TestReplicaThatKeepsStatements(t *testing.T) {
	r := newServer("r0")
	db := sql.OpenDB(lbsql.Statements(r, 10))
	defer db.Close()
	c, err := lbsql.New(lbsql.Config{
		Primary: newServer("primary").open(t), Measure: measure, PrimaryReads: -1, Wait: 1 << 40,
		Replicas: []lbsql.Replica{{Node: lb.Node{ID: "r0"}, DB: db}},
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, c)
	defer stop()
	cdb := sql.OpenDB(c)
	defer cdb.Close()
	for range 10 {
		var name string
		if err := cdb.QueryRow("SELECT ? /*prepared*/", option("x"), 5).Scan(&name); err != nil || name != "r0" {
			t.Fatal(name, err)
		}
	}
	if n := count(r.statements(), "prepare SELECT ? /*prepared*/"); n == 0 || n > 2 { // idle connections
		t.Errorf("prepared %d times", n)
	}
}
