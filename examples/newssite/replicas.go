package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/replication"
	mysqlreplication "github.com/ashlar-go/ashlar/replication/mysql"
	postgresreplication "github.com/ashlar-go/ashlar/replication/postgres"
	sqlitereplication "github.com/ashlar-go/ashlar/replication/sqlite"
)

// All replication of the site is in this file: copies of the database that the
// site keeps equal to the master, and reads from.

// replica is one copy. It may be of another vendor than the master.
type replica struct {
	dialect
	name   string
	db     *sql.DB
	keeper *replication.Replicator
	reads  atomic.Int64
}

// maxLag is how far behind a copy may be to be read from at all.
const maxLag = 10 * time.Second

// settle is how long after an invalidation the caches keep nothing that they
// load, if other processes of the site write too: their writes may not have
// reached this process's copies yet.
const settle = 2 * time.Second

// replicated are the tables that a copy has.
var replicated = []replication.Table{{Source: "SiteUsers"}, {Source: "AdminUsers"}, {Source: "NewsArticles"}, {Source: "Comments"}}

// vendor is how package replication speaks to a database of this dialect.
func (d dialect) vendor() replication.Dialect {
	switch d.name {
	case postgres.name:
		return postgresreplication.Notifying
	case mariadb.name:
		return mysqlreplication.Dialect
	}
	return sqlitereplication.Dialect
}

// newReplica opens a copy and makes its tables, if they are not there.
func newReplica(ctx context.Context, master *store, raw string, log *slog.Logger) (*replica, error) {
	db, d, err := openDB(ctx, raw)
	if err != nil {
		return nil, err
	}
	r := &replica{dialect: d, db: db, name: replicaName(raw)}
	if err := r.prepare(ctx, master, log); err != nil {
		return nil, errors.Join(fmt.Errorf("replica %s: %w", r.name, err), db.Close())
	}
	return r, nil
}

func (r *replica) prepare(ctx context.Context, master *store, log *slog.Logger) error {
	fresh := (&store{dialect: r.dialect, master: r.db})
	if err := fresh.makeTables(ctx); err != nil {
		return err
	}
	keeper, err := replication.New(replication.Config{
		Node: r.name, Group: "newssite", Tables: replicated, Interval: 20 * time.Millisecond,
		Source: replication.End{DB: master.master, Dialect: master.vendor()},
		Target: replication.End{DB: r.db, Dialect: r.vendor()},
		Logger: log,
	})
	r.keeper = keeper
	return err
}

// replicaName is the copy's name at the master: the same after a restart.
func replicaName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "newssite-" + rand.Text()
	}
	sum := sha256.Sum256([]byte(u.Host + u.Path))
	return fmt.Sprintf("newssite-%x", sum[:6])
}

// catchUp installs the triggers on the master and brings the copy up to date,
// by copying it if need be.
func (r *replica) catchUp(ctx context.Context) error {
	err := r.keeper.Install(ctx)
	if err == nil {
		if _, err = r.keeper.Step(ctx); errors.Is(err, replication.ErrNeedResync) || errors.Is(err, replication.ErrDrift) {
			err = r.keeper.Copy(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("replica %s: %s", r.name, strings.TrimPrefix(err.Error(), "replication: "))
	}
	return nil
}

// follow keeps the copies up to date until ctx ends. One that cannot follow is
// too old to be read from after maxLag, and the site goes on without it.
func (s *store) follow(ctx context.Context, log *slog.Logger) {
	var all sync.WaitGroup
	for _, r := range s.replicas {
		all.Go(func() {
			if err := r.keeper.Run(ctx); ctx.Err() == nil {
				log.Error("a replica follows no longer", "replica", r.name, "error", err)
			}
		})
	}
	all.Wait()
}

// covers reports whether a read from the copy sees what was committed before
// the moment t, by this process's clock.
func (r *replica) covers(t time.Time) bool {
	st := r.keeper.Stats()
	return st.AsOf.After(t) && st.Lag < maxLag
}

// source is a database to read from.
type source struct {
	dialect
	db *sql.DB
}

// reader returns the database to read from: a copy that has heard of this
// process's last write, or the master. What is read after a write is what the
// caches keep, so it must not be older.
func (s *store) reader() source {
	wrote := time.Unix(0, s.wrote.Load())
	first := int(s.turn.Add(1))
	for i := range s.replicas {
		if r := s.replicas[(first+i)%len(s.replicas)]; r.covers(wrote) {
			r.reads.Add(1)
			return source{r.dialect, r.db}
		}
	}
	return source{s.dialect, s.master}
}

// replicaStats is one copy in /stats.json.
type replicaStats struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`
	Reads   int64   `json:"reads"`
	Rows    int64   `json:"rows_applied"`
	Lag     float64 `json:"lag_seconds"`
	Usable  bool    `json:"usable"`
	Retries int64   `json:"errors"`
}

func (s *store) replicaStats() []replicaStats {
	var out []replicaStats
	for _, r := range s.replicas {
		st := r.keeper.Stats()
		out = append(out, replicaStats{r.name, r.dialect.name, r.reads.Load(), st.Rows, st.Lag.Seconds(), r.covers(time.Time{}), st.Errors})
	}
	return out
}
