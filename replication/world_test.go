package replication_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/mysql"
	"github.com/ashlar-go/ashlar/replication/postgres"
)

// vendor is a kind of server that the tests of faults break.
type vendor struct {
	name    string
	driver  string
	dialect replication.Dialect
	fresh   func(testing.TB) string // URL of a new database of the shared server
	start   func(t testing.TB, args ...string) *testservers.Server
}

var (
	pg      = vendor{"Postgres", "pgx", postgres.Dialect, testservers.Postgres, testservers.StartPostgres}
	mariadb = vendor{"MariaDB", "mysql", mysql.Dialect, testservers.MariaDB, testservers.StartMariaDB}
)

// dsn is the driver's spelling of a URL.
func (v vendor) dsn(t *testing.T, raw string) string {
	if v.driver == "mysql" {
		return mysqlDSN(t, raw)
	}
	return raw
}

func (v vendor) open(t *testing.T, raw string) replication.End {
	t.Helper()
	return end(t, v.driver, v.dsn(t, raw), v.dialect)
}

// via opens a database through a proxy that can break the connections.
func (v vendor) via(t *testing.T, raw string) (replication.End, *testnet.Proxy) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal("not a URL")
	}
	p := testnet.NewProxy(t, u.Host)
	u.Host = p.Addr()
	return v.open(t, u.String()), p
}

// world is a master and a replica, each reached directly.
type world struct {
	t                    *testing.T
	source, target       replication.End
	sourceURL, targetURL string
	sv, tv               vendor
}

func newWorld(t *testing.T, source, target vendor) *world {
	t.Helper()
	return worldOf(t, source, target, source.fresh(t), target.fresh(t))
}

func worldOf(t *testing.T, source, target vendor, sourceURL, targetURL string) *world {
	t.Helper()
	return &world{t: t, sv: source, tv: target, sourceURL: sourceURL, targetURL: targetURL,
		source: source.open(t, sourceURL), target: target.open(t, targetURL)}
}

func (w *world) exec(end replication.End, query string, args ...any) int64 {
	w.t.Helper()
	res, err := end.DB.Exec(end.Dialect.Bind(query), args...)
	if err != nil {
		w.t.Fatalf("%s: %.200s: %v", end.Dialect.Name(), query, err)
	}
	n, _ := res.RowsAffected()
	return n
}

// tx runs statements in one transaction of the master.
func (w *world) tx(statements ...string) {
	w.t.Helper()
	w.must(inTx(w.source, statements...))
}

// inTx is tx for other goroutines than the test's.
func inTx(end replication.End, statements ...string) error {
	tx, err := end.DB.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, q := range statements {
		if _, err := tx.Exec(q); err != nil {
			return fmt.Errorf("%.200s: %w", q, err)
		}
	}
	return tx.Commit()
}

func (w *world) begin(end replication.End) *sql.Tx {
	w.t.Helper()
	tx, err := end.DB.Begin()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

func (w *world) in(tx *sql.Tx, query string) {
	w.t.Helper()
	if _, err := tx.Exec(query); err != nil {
		w.t.Fatalf("%.200s: %v", query, err)
	}
}

// node makes a replicator of the node n1 for tables; change may be nil.
func (w *world) node(change func(*replication.Config), tables ...string) *replication.Replicator {
	w.t.Helper()
	cfg := replication.Config{Node: "n1", Source: w.source, Target: w.target, Interval: 10 * time.Millisecond}
	for _, name := range tables {
		cfg.Tables = append(cfg.Tables, replication.Table{Source: name})
	}
	if change != nil {
		change(&cfg)
	}
	r, err := replication.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = r.Close() })
	return r
}

// started is a node that is installed and copied.
func (w *world) started(change func(*replication.Config), tables ...string) *replication.Replicator {
	w.t.Helper()
	r := w.node(change, tables...)
	w.must(r.Install(context.Background()))
	w.must(r.Copy(context.Background()))
	return r
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) step(r *replication.Replicator) int64 {
	w.t.Helper()
	n, err := r.Step(context.Background())
	w.must(err)
	return n
}

// dump reads a table as texts, one row each, sorted.
func dump(end replication.End, table string) ([]string, error) {
	rows, err := end.DB.Query("SELECT * FROM " + table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprint(values))
	}
	slices.Sort(out)
	return out, rows.Err()
}

func (w *world) dump(end replication.End, table string) []string {
	w.t.Helper()
	rows, err := dump(end, table)
	w.must(err)
	return rows
}

// equal checks that tables of the replica are the master's.
func (w *world) equal(tables ...string) {
	w.t.Helper()
	w.equalAt(w.target, tables...)
}

func (w *world) equalAt(replica replication.End, tables ...string) {
	w.t.Helper()
	for _, name := range tables {
		if d := difference(w.dump(w.source, name), w.dump(replica, name)); d != "" {
			w.t.Fatalf("table %s: %s", name, d)
		}
	}
}

// difference says how two sorted lists of rows differ, or "".
func difference(want, got []string) string {
	if slices.Equal(want, got) {
		return ""
	}
	only := func(a, b []string) (out []string) {
		for _, r := range a {
			if _, ok := slices.BinarySearch(b, r); !ok && len(out) < 5 {
				out = append(out, r)
			}
		}
		return out
	}
	return fmt.Sprintf("%d rows on the master, %d on the replica; only there %s, only here %s",
		len(want), len(got), only(want, got), only(got, want))
}

// position waits for the transactions of the replica that move the node's
// position, and reads it: "" if there is none.
func (w *world) position(node string) string {
	w.t.Helper()
	q := w.target.Dialect.Quote
	var at sql.NullString
	err := w.target.DB.QueryRow(w.target.Dialect.Bind("SELECT position FROM "+q(w.target.Dialect.Bookkeeping("replica"))+
		" WHERE node = ? FOR UPDATE"), node).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		w.t.Fatal(err)
	}
	return at.String
}

// soak is how long a test with random faults runs: ASHLAR_SOAK, such as 10m,
// or else usual.
func soak(usual time.Duration) time.Duration {
	if d, err := time.ParseDuration(os.Getenv("ASHLAR_SOAK")); err == nil {
		return d
	}
	return usual
}

// waitLong is long enough for what has to happen, on a slow machine.
const waitLong = 40 * time.Second

func soaking() bool { return os.Getenv("ASHLAR_SOAK") != "" }

// seeded is a source of chance that can be repeated with ASHLAR_SEED.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s := os.Getenv("ASHLAR_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatalf("ASHLAR_SEED: %v", err)
		}
	}
	t.Logf("ASHLAR_SEED=%d repeats this", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// within waits until ok, and ends the test if that does not come true.
func (w *world) within(d time.Duration, what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("waited %v until %s", d, what)
		}
	}
}

// values writes "(0), (1), ..." with %d for the number.
func values(from, to int, row string) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		if i > from {
			b.WriteString(", ")
		}
		b.WriteString(strings.ReplaceAll(row, "%d", fmt.Sprint(i)))
	}
	return b.String()
}
