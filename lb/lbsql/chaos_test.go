package lbsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb/lbsql"
)

// Servers die, hang, lose connections, fall behind and come back while clients
// read, write and read their own writes. Whatever happens: nobody reads older
// than his token, the primary never runs more reads than it may, no write is
// sent twice, and in the end nothing is held and everybody is used again.
func TestPromisesHoldWhateverServersDo(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaos(t, seed) })
		})
	}
}

func chaos(t *testing.T, seed uint64) {
	const most, clients, span = 4, 12, 10 * time.Second
	f := newFarm(t, 3, func(c *lbsql.Config) { c.PrimaryReads, c.MaxLag = most, 3*time.Second })
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	var wg sync.WaitGroup

	// Replication: each replica gets to where the primary is, when it does.
	for i, r := range f.replicas {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
				var p int64
				f.primary.set(func(s *server) { p = s.pos })
				r.set(func(s *server) { s.pos = p })
			}
		})
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(10+i)))
			for ctx.Err() == nil {
				time.Sleep(time.Duration(rnd.IntN(2000)) * time.Millisecond)
				r.set(func(s *server) {
					switch rnd.IntN(5) {
					case 0:
						s.down = !s.down
					case 1:
						s.breaks = 3
					case 2:
						s.stale = 5
					case 3:
						s.refuses = stateError("40001")
					case 4:
						s.down, s.refuses = false, nil
					}
				})
				if rnd.IntN(4) == 0 {
					hang := make(chan struct{})
					r.set(func(s *server) { s.hang = hang })
					time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
					r.set(func(s *server) { s.hang = nil })
					close(hang)
				}
			}
		})
	}

	var writes, written, answers, refused atomic.Int64
	for i := range clients {
		rnd := rand.New(rand.NewPCG(seed, uint64(100+i)))
		wg.Go(func() {
			var token lbsql.Token
			for ctx.Err() == nil {
				time.Sleep(time.Duration(rnd.IntN(50)) * time.Millisecond)
				each, cancel := context.WithTimeout(ctx, time.Duration(1+rnd.IntN(500))*time.Millisecond)
				switch rnd.IntN(10) {
				case 0:
					writes.Add(1)
					if _, err := f.db.ExecContext(each, "UPDATE"); err == nil {
						written.Add(1)
						f.primary.set(func(s *server) { s.pos++ })
						if next, err := f.cluster.Token(each); err == nil {
							token = next
						}
					}
				case 1:
					tx, err := f.db.BeginTx(lbsql.After(each, token), &sql.TxOptions{ReadOnly: true})
					if err == nil {
						f.see(tx.QueryRowContext(each, "SELECT name, pos"), token, &answers)
						tx.Rollback()
					}
				default:
					err := f.see(f.db.QueryRowContext(lbsql.After(each, token), "SELECT name, pos"), token, &answers)
					if errors.Is(err, lbsql.ErrNoReplica) {
						refused.Add(1)
					}
				}
				cancel()
			}
		})
	}
	wg.Wait()

	// A read-only transaction and its query are one.
	f.primary.mu.Lock()
	reads, sent := f.primary.peak, 0
	for _, q := range f.primary.log {
		if q == "UPDATE" {
			sent++
		}
	}
	f.primary.mu.Unlock()
	if reads > 2*most {
		t.Errorf("the primary had %d rows and transactions at once", reads)
	}
	if sent > int(writes.Load()) || sent < int(written.Load()) {
		t.Errorf("%d writes were asked for, %d were sent, %d succeeded", writes.Load(), sent, written.Load())
	}
	if answers.Load() == 0 {
		t.Error("nobody was answered")
	}
	for _, r := range f.replicas {
		r.set(func(s *server) { s.down, s.breaks, s.stale, s.refuses, s.pos = false, 0, 0, nil, f.primary.pos })
	}
	later(10 * time.Second)
	for _, s := range f.cluster.Replicas() {
		if !s.Usable {
			t.Errorf("not used again: %+v", s)
		}
	}
	f.end()
	t.Logf("%d answers, %d refused, %d writes: %+v", answers.Load(), refused.Load(), written.Load(), f.cluster.Stats())
}

// see checks that an answer is not older than the token.
func (f *farm) see(row *sql.Row, token lbsql.Token, answers *atomic.Int64) error {
	var text, name string
	if err := row.Scan(&text); err != nil {
		return err
	}
	var pos int64
	if _, err := fmt.Sscan(text, &name, &pos); err != nil {
		f.Error(err)
	}
	if pos < int64(token) {
		f.Errorf("%s answered as of %d after token %d", name, pos, token)
	}
	answers.Add(1)
	return nil
}
