package lbsql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/lb/lbsql"
)

// server is a database server that knows one number, its position, and can be
// told to misbehave. It speaks database/sql's driver interfaces.
type server struct {
	name string

	quiet bool // constant: keeps no log

	mu      sync.Mutex
	pos     int64         // guarded by mu, as all below
	down    bool          // no connection can be made, and those that are break when used
	stale   int           // so many uses of a connection fail with driver.ErrBadConn
	breaks  int           // so many statements are received and then the connection is lost
	hang    chan struct{} // statements wait until it is closed
	refuses error         // what statements are answered
	conns   int
	busy    int // rows and transactions that are open
	peak    int
	log     []string // statements received
	args    []driver.NamedValue
	stmts   int // prepared and not closed
}

func newServer(name string) *server { return &server{name: name} }

func (s *server) set(f func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// received returns how many statements other than measurements came.
func (s *server) received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.log)
}

func (s *server) statements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *server) open(t testing.TB) *sql.DB {
	db := sql.OpenDB(s)
	db.SetMaxIdleConns(100)
	t.Cleanup(func() { db.Close() })
	return db
}

// measure is the Measure of such servers.
func measure(ctx context.Context, db *sql.DB, primary bool) (lbsql.Position, error) {
	var p int64
	err := db.QueryRowContext(ctx, "position").Scan(&p)
	return lbsql.Position(p), err
}

func (s *server) Connect(context.Context) (driver.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, fmt.Errorf("%s: %w", s.name, io.ErrClosedPipe)
	}
	s.conns++
	return &fakeConn{s: s}, nil
}

func (s *server) Driver() driver.Driver { return nil }

type fakeConn struct {
	s    *server
	dead bool
}

func (c *fakeConn) Close() error {
	c.s.set(func(s *server) { s.conns-- })
	return nil
}

func (c *fakeConn) IsValid() bool { return !c.dead }

func (c *fakeConn) Begin() (driver.Tx, error) { return nil, errors.New("not used") }

func (c *fakeConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not used") }

// use is one round trip.
func (c *fakeConn) use(ctx context.Context, text string, args []driver.NamedValue) error {
	s := c.s
	s.mu.Lock()
	switch {
	case c.dead || s.stale > 0:
		s.stale--
		s.mu.Unlock()
		c.dead = true
		return driver.ErrBadConn
	case s.down:
		s.mu.Unlock()
		c.dead = true
		return fmt.Errorf("%s: %w", s.name, io.ErrUnexpectedEOF)
	}
	if text != "position" && !s.quiet {
		s.log = append(s.log, text)
		s.args = args
		if s.breaks > 0 {
			s.breaks--
			s.mu.Unlock()
			c.dead = true
			return fmt.Errorf("%s: %w", s.name, io.ErrUnexpectedEOF)
		}
	}
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			c.dead = true
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuses
}

func (c *fakeConn) begun(d int) {
	c.s.set(func(s *server) {
		s.busy += d
		s.peak = max(s.peak, s.busy)
	})
}

func (c *fakeConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if strings.HasSuffix(text, "/*prepared*/") {
		return nil, driver.ErrSkip
	}
	if err := c.use(ctx, text, args); err != nil {
		return nil, err
	}
	if text == "position" {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		return &fakeRows{sets: [][]driver.Value{{c.s.pos}}}, nil
	}
	c.begun(1)
	if text == "SELECT name, pos" {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		return &fakeRows{c: c, sets: [][]driver.Value{{fmt.Sprint(c.s.name, " ", c.s.pos)}}}, nil
	}
	return &fakeRows{c: c, sets: [][]driver.Value{{c.s.name}, {"second set"}}}, nil
}

func (c *fakeConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.use(ctx, text, args); err != nil {
		return nil, err
	}
	return driver.RowsAffected(1), nil
}

func (c *fakeConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if err := c.use(ctx, "prepare "+text, nil); err != nil {
		return nil, err
	}
	c.s.set(func(s *server) { s.stmts++ })
	return &fakeStmt{c: c, text: text}, nil
}

func (c *fakeConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.use(ctx, fmt.Sprintf("begin readonly=%v", opts.ReadOnly), nil); err != nil {
		return nil, err
	}
	c.begun(1)
	return fakeTx{c}, nil
}

func (c *fakeConn) Ping(ctx context.Context) error { return c.use(ctx, "ping", nil) }

// CheckNamedValue knows an option, which is no argument, and a type of its own.
func (c *fakeConn) CheckNamedValue(nv *driver.NamedValue) error {
	switch v := nv.Value.(type) {
	case option:
		return driver.ErrRemoveArgument
	case point:
		nv.Value = fmt.Sprint("point", v.x, v.y)
		return nil
	}
	return driver.ErrSkip
}

type (
	option string
	point  struct{ x, y int }
)

type fakeTx struct{ c *fakeConn }

func (t fakeTx) Commit() error   { return t.end("commit") }
func (t fakeTx) Rollback() error { return t.end("rollback") }

func (t fakeTx) end(what string) error {
	t.c.begun(-1)
	return t.c.use(context.Background(), what, nil)
}

type fakeStmt struct {
	c    *fakeConn
	text string
}

func (s *fakeStmt) Close() error {
	s.c.s.set(func(s *server) { s.stmts-- })
	return nil
}
func (s *fakeStmt) NumInput() int { return strings.Count(s.text, "?") }
func (s *fakeStmt) Exec([]driver.Value) (driver.Result, error) {
	return nil, errors.New("not used")
}
func (s *fakeStmt) Query([]driver.Value) (driver.Rows, error) { return nil, errors.New("not used") }

func (s *fakeStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.c.use(ctx, "execute "+s.text, args); err != nil {
		return nil, err
	}
	s.c.begun(1)
	return &fakeRows{c: s.c, sets: [][]driver.Value{{s.c.s.name}}}, nil
}

func (s *fakeStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), s.c.use(ctx, "execute "+s.text, args)
}

// ColumnConverter makes all arguments text.
func (s *fakeStmt) ColumnConverter(int) driver.ValueConverter { return driver.String }

// fakeRows has one row in each set.
type fakeRows struct {
	c    *fakeConn // nil: nobody counts
	sets [][]driver.Value
	read bool
}

func (r *fakeRows) Columns() []string { return []string{"c"} }
func (r *fakeRows) Close() error {
	if r.c != nil {
		r.c.begun(-1)
	}
	return nil
}

func (r *fakeRows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read = true
	copy(dest, r.sets[0])
	return nil
}
func (r *fakeRows) HasNextResultSet() bool { return len(r.sets) > 1 }
func (r *fakeRows) NextResultSet() error {
	if len(r.sets) < 2 {
		return io.EOF
	}
	r.sets, r.read = r.sets[1:], false
	return nil
}
func (r *fakeRows) ColumnTypeScanType(int) reflect.Type               { return reflect.TypeFor[string]() }
func (r *fakeRows) ColumnTypeDatabaseTypeName(int) string             { return "FAKE" }
func (r *fakeRows) ColumnTypeLength(int) (int64, bool)                { return 7, true }
func (r *fakeRows) ColumnTypeNullable(int) (bool, bool)               { return true, true }
func (r *fakeRows) ColumnTypePrecisionScale(int) (int64, int64, bool) { return 5, 2, true }
