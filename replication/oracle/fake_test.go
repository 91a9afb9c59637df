package oracle_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// server stands in for Oracle where the order of statements, and what follows an
// error, is to be seen. It answers by the first rule whose words are all in the
// statement; a rule without n is used up by one statement, and one that may
// stand for ever has n < 0.
type server struct {
	mu    sync.Mutex
	rules []*rule
	log   []string // statements, and BEGIN, COMMIT, UNDONE for those of the driver
	args  [][]any  // of each
}

type rule struct {
	words    string // all must be in the statement
	n        int
	rows     [][]any
	affected int64
	err      error
}

// oraError is shaped like the driver's.
type oraError int

func (e oraError) Code() int     { return int(e) }
func (e oraError) Error() string { return fmt.Sprintf("ORA-%05d: made up", int(e)) }

func (s *server) note(what string, args []driver.NamedValue) {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	s.log, s.args = append(s.log, what), append(s.args, values)
}

func (s *server) answer(query string, args []driver.NamedValue) rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(query, args)
	for i, r := range s.rules {
		match := true
		for word := range strings.SplitSeq(r.words, " ... ") {
			match = match && strings.Contains(query, word)
		}
		if !match {
			continue
		}
		if r.n--; r.n == 0 {
			s.rules = append(s.rules[:i:i], s.rules[i+1:]...)
		}
		return *r
	}
	return rule{}
}

// said returns the statements that contain one of the words, shortened to it.
func (s *server) said(words ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, q := range s.log {
		for _, w := range words {
			if strings.Contains(q, w) {
				out = append(out, w)
				break
			}
		}
	}
	return strings.Join(out, ", ")
}

func (s *server) conn(t *testing.T, rules ...*rule) *sql.Conn {
	t.Helper()
	for _, r := range rules {
		if r.n == 0 {
			r.n = 1
		}
	}
	s.rules = rules
	db := sql.OpenDB(s)
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); db.Close() })
	return c
}

func (s *server) Connect(context.Context) (driver.Conn, error) { return &fakeConn{s: s}, nil }
func (s *server) Driver() driver.Driver                        { return nil }

type fakeConn struct {
	s  *server
	tx bool
}

func (c *fakeConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (c *fakeConn) Close() error                        { return nil }
func (c *fakeConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *fakeConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.tx {
		return nil, fmt.Errorf("already in transaction")
	}
	c.tx = true
	c.s.note("BEGIN", nil)
	return c, nil
}

func (c *fakeConn) end(how string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.tx = false
	c.s.note(how, nil)
	return nil
}
func (c *fakeConn) Commit() error   { return c.end("COMMIT") }
func (c *fakeConn) Rollback() error { return c.end("UNDONE") }

// CheckNamedValue takes arrays, and drops options, as the driver does.
func (c *fakeConn) CheckNamedValue(v *driver.NamedValue) error {
	if reflect.ValueOf(v.Value).Kind() == reflect.Func {
		return driver.ErrRemoveArgument
	}
	return nil
}

func (c *fakeConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r := c.s.answer(query, args)
	return driver.RowsAffected(r.affected), r.err
}

func (c *fakeConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r := c.s.answer(query, args)
	if r.err != nil {
		return nil, r.err
	}
	return &fakeRows{r.rows}, nil
}

type fakeRows struct{ rows [][]any }

func (r *fakeRows) Columns() []string {
	if len(r.rows) == 0 {
		return []string{"A"}
	}
	return make([]string, len(r.rows[0]))
}
func (r *fakeRows) Close() error { return nil }
func (r *fakeRows) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	for i, v := range r.rows[0] {
		dest[i] = v
	}
	r.rows = r.rows[1:]
	return nil
}
