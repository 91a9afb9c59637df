package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// following is a store with a replica that is kept equal until the test ends.
func following(t *testing.T, master, copy string) *store {
	t.Helper()
	st := newStore(t, options{db: master, replicas: []string{copy}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.follow(ctx, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() { cancel(); <-done })
	return st
}

func copyFile(t *testing.T) string {
	return "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "copy.db"))
}

// onReplica waits until reads come from the replica.
func onReplica(t *testing.T, st *store) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); st.reader().db == st.master; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no reads from the replica after 20 s")
		}
	}
}

// Reads come from the replicas, but a writer reads its own write: what is read
// after a write is what the caches keep.
func TestAWriterReadsItsOwnWriteAndReplicasAreReadFrom(t *testing.T) {
	for name, dbs := range map[string]func(t *testing.T) (master, copy string){
		"sqlite to sqlite":   func(t *testing.T) (string, string) { return "sqlite", copyFile(t) },
		"postgres to sqlite": func(t *testing.T) (string, string) { return testservers.Postgres(t), copyFile(t) },
		"mysql to postgres":  func(t *testing.T) (string, string) { return testservers.MariaDB(t), testservers.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			master, copied := dbs(t)
			st := following(t, master, copied)
			s := newPaper(t, st, 2, caching{replicas: true})
			top := newestID(t, st)
			path := articlePath(top)
			reader := newBrowser(t, s)
			reader.logIn(40)
			for n := range 20 {
				body := fmt.Sprintf("Comment number %d", n)
				reader.post("/comment", "article", fmt.Sprint(top), "body", body)
				if a := reader.page(path); !strings.Contains(a.html, body) {
					t.Fatalf("%s is not on the next load", body)
				}
			}
			onReplica(t, st)
			a, err := st.comments(t.Context(), top)
			if err != nil || !strings.Contains(fmt.Sprint(a), "Comment number 19") {
				t.Errorf("the replica has not heard of the last comment: %v", err)
			}
			stats := s.stats().Replicas
			if len(stats) != 1 || stats[0].Reads == 0 || stats[0].Rows < 20 || !stats[0].Usable {
				t.Errorf("stats %+v", stats)
			}
		})
	}
}

// A replica that cannot follow is not read from, and nothing else happens.
func TestTheSiteGoesOnWithoutAReplica(t *testing.T) {
	st := newStore(t, options{replicas: []string{copyFile(t)}}) // nobody follows
	if st.reader().db == st.master {
		t.Fatal("a replica that is up to date is not read from")
	}
	st.wrote.Store(time.Now().UnixNano())
	if st.reader().db != st.master {
		t.Error("a replica is read from that has not heard of the last write")
	}
}
