package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// moveAtOnce bounds a transaction of the sequencer.
const moveAtOnce = 20000

const (
	movedTable   = "`ashlar_moved`"
	createdMoved = "CREATE TEMPORARY TABLE IF NOT EXISTS " + movedTable + " (ashlar_id BIGINT NOT NULL /*!80000 PRIMARY KEY */) ENGINE=/*M!100600 MEMORY */ /*!80000 InnoDB */" // GTIDs of MySQL may want a transactional one
)

// Sequence moves the log rows that are visible into a numbered batch.
//
// The numbers are in the order of commits: one row has the counter, whoever moves
// rows holds it locked until he has committed, and everybody else lets it be. So a
// snapshot in which the counter is n has all batches up to n and none above, and
// what commits after that snapshot gets a higher number.
//
// Nobody waits. What is to be moved is found by one read without locks, so it is
// committed and nobody else has a lock on it; it is deleted by its primary key
// alone, in an order that is told to the optimizer, at READ COMMITTED, so no gap
// is locked in which a trigger wants to insert. (A DELETE that scans would wait
// for the rows of open transactions, for as long as they are open.)
func (d dialect) Sequence(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable) error {
	if len(tables) == 0 {
		return nil
	}
	s := sequencer{c: c, group: group, tables: tables}
	if err := s.sequence(ctx); err != nil {
		return fmt.Errorf("mysql: sequence the log of group %s: %w", group, processHint(err))
	}
	return nil
}

type sequencer struct {
	c      *sql.Conn
	group  string
	tables []replication.SourceTable
	others map[string]string // table ids whose ident is another one than was noted
}

func (s *sequencer) sequence(ctx context.Context) error {
	idle, err := s.look(ctx)
	if err != nil || idle {
		return err
	}
	if _, err := s.c.ExecContext(ctx, createdMoved); err != nil {
		return err
	}
	for more := true; more; {
		tx, err := dialect{}.Begin(ctx, s.c, replication.Write)
		if err != nil {
			return err
		}
		if more, err = s.batch(ctx); err != nil {
			_ = tx.Rollback() // the error is what matters; a lost connection has rolled back
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		s.others = nil
	}
	return nil
}

// look tells whether there is nothing to do, in one query.
func (s *sequencer) look(ctx context.Context) (idle bool, err error) {
	q := "SELECT 'log' AS what, '' AS id, CAST(" + anyLogged(s.tables) + " AS CHAR) AS value" +
		" UNION ALL SELECT 'noted', id, ident FROM " + tableTable + " WHERE grp=" + textLiteral(s.group) +
		" UNION ALL SELECT 'is', id, ident FROM (" + idents(s.tables) + ") AS ashlar_i"
	rows, err := texts(ctx, s.c, q, 3)
	if err != nil {
		return false, err
	}
	idle = true
	noted, is := map[string]string{}, map[string]string{}
	for _, r := range rows {
		switch r[0] {
		case "log":
			idle = r[2] == "0"
		case "noted":
			noted[r[1]] = r[2]
		case "is":
			is[r[1]] = r[2]
		}
	}
	s.others = map[string]string{}
	for id, ident := range is {
		if old, ok := noted[id]; ok && old != ident {
			s.others[id], idle = ident, false
		}
	}
	return idle, nil
}

// anyLogged is 1 if a log has a row.
func anyLogged(tables []replication.SourceTable) string {
	parts := make([]string, len(tables))
	for i, t := range tables {
		parts[i] = "EXISTS(SELECT 1 FROM " + qualified(logName(t)) + ")"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// batch is one transaction. It tells whether there may be more to move.
func (s *sequencer) batch(ctx context.Context) (more bool, err error) {
	var last int64
	err = s.c.QueryRowContext(ctx, "SELECT batch FROM "+groupTable+" WHERE name="+textLiteral(s.group)+" FOR UPDATE SKIP LOCKED").Scan(&last)
	if err == sql.ErrNoRows {
		return false, nil // somebody else is at it
	}
	if err != nil {
		return false, err
	}
	n := strconv.FormatInt(last+1, 10)
	work := false
	for _, t := range s.tables {
		moved, err := s.move(ctx, t, n)
		if err != nil {
			return false, err
		}
		work = work || moved > 0
		more = more || moved == moveAtOnce
		if ident, ok := s.others[t.ID]; ok {
			work = true
			if _, err := s.exec(ctx, "UPDATE "+tableTable+" SET ident="+textLiteral(ident)+", whole="+n+
				" WHERE grp="+textLiteral(s.group)+" AND id="+textLiteral(t.ID)); err != nil {
				return false, err
			}
		}
	}
	if work {
		_, err = s.exec(ctx, "UPDATE "+groupTable+" SET batch="+n+" WHERE name="+textLiteral(s.group))
	}
	return more, err
}

func (s *sequencer) move(ctx context.Context, t replication.SourceTable, n string) (int64, error) {
	log, keys := qualified(logName(t)), qualified(keyName(t))
	columns := joinAt(t.KeyColumns(), ", ", func(i int, _ replication.Column) string { return kept(i) })
	if _, err := s.exec(ctx, "DELETE FROM "+movedTable); err != nil {
		return 0, err
	}
	moved, err := s.exec(ctx, "INSERT INTO "+movedTable+" SELECT ashlar_id FROM "+log+" LIMIT "+strconv.Itoa(moveAtOnce))
	if err != nil || moved == 0 {
		return 0, err
	}
	// The table has one unique index only: on such a one ON DUPLICATE KEY is safe.
	if _, err := s.exec(ctx, "INSERT INTO "+keys+" ("+columns+", ashlar_batch) SELECT "+columns+", "+n+
		" FROM "+movedTable+" AS ashlar_m STRAIGHT_JOIN "+log+" AS ashlar_l ON ashlar_l.ashlar_id=ashlar_m.ashlar_id"+
		" ON DUPLICATE KEY UPDATE ashlar_batch="+n); err != nil {
		return 0, err
	}
	gone, err := s.exec(ctx, "DELETE ashlar_l FROM "+movedTable+" AS ashlar_m STRAIGHT_JOIN "+log+
		" AS ashlar_l ON ashlar_l.ashlar_id=ashlar_m.ashlar_id")
	if err == nil && gone != moved {
		err = fmt.Errorf("%d of %d rows were there to be moved: somebody else writes to %s", gone, moved, logName(t))
	}
	return moved, err
}

func (s *sequencer) exec(ctx context.Context, q string) (int64, error) {
	r, err := s.c.ExecContext(ctx, q)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// processHint says what the privilege is for.
func processHint(err error) error {
	if isNumber(err, 1227) {
		return fmt.Errorf("PROCESS is needed on a master, since nothing else tells of a TRUNCATE: %w", err)
	}
	return err
}
