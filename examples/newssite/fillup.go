package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// How large the invented newspaper is, beside -articles.
const (
	editorCount = 25 // the first users are the editors
	readerCount = 2000
)

// fill makes the tables, and rows for them if there are none. A database that
// already has users is used as it is.
func (s *store) fill(ctx context.Context, seed uint64, articles int) error {
	if err := s.makeTables(ctx); err != nil {
		return err
	}
	var users int
	if err := s.master.QueryRowContext(ctx, `SELECT COUNT(*) FROM SiteUsers`).Scan(&users); err != nil || users > 0 {
		return err
	}
	err := s.write(ctx, func(tx *sql.Tx) error { return s.invent(ctx, tx, newGenerator(seed), articles) })
	if err != nil {
		return fmt.Errorf("filling the tables: %w", err)
	}
	return nil
}

func (s *store) invent(ctx context.Context, tx *sql.Tx, g *generator, articles int) error {
	users := s.rows(ctx, tx, "SiteUsers (user_id, name, navigation)", 3)
	editors := s.rows(ctx, tx, "AdminUsers (user_id, name)", 2)
	for id := 1; id <= editorCount+readerCount; id++ {
		name := g.reader(id).Name
		if id <= editorCount {
			name = g.editor(id)
			editors.add(id, name)
		}
		users.add(id, name, g.prefs(id).String())
	}
	news := s.rows(ctx, tx, "NewsArticles (article_id, section, title, summary, body, author_id, published, updated, live, version, comments)", 11)
	comments := s.rows(ctx, tx, "Comments (comment_id, article_id, parent_id, user_id, body, posted)", 6)
	commentID := int64(0)
	for id := int64(1); id <= int64(articles); id++ {
		a := g.article(id, editorCount)
		thread := g.comments(id, readerCount)
		published := a.Published.Unix()
		news.add(id, a.Section, a.Title, a.Lead, a.Body, a.AuthorID, published, published, 1, 1, len(thread))
		first := commentID + 1
		for _, c := range thread {
			commentID++
			parent := int64(0)
			if c.Parent >= 0 {
				parent = first + int64(c.Parent)
			}
			comments.add(commentID, id, parent, editorCount+c.UserID, c.Body, c.Posted.Unix())
		}
	}
	for _, r := range []*rows{users, editors, news, comments} {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if articles == 0 || commentID == 0 {
		return nil
	}
	for _, statement := range s.afterSeed {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// makeTables makes the tables and indexes that are not there.
func (s *store) makeTables(ctx context.Context) error {
	for _, statement := range s.schema() {
		if _, err := s.master.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("creating the tables: %w", err)
		}
	}
	for _, statement := range indexes {
		if _, err := s.master.ExecContext(ctx, statement); err != nil && !isThere(err) {
			return fmt.Errorf("creating the indexes: %w", err)
		}
	}
	return nil
}

// rows gathers rows for INSERT statements of many rows each.
type rows struct {
	ctx     context.Context // of the one call of invent that it lives in
	tx      *sql.Tx
	d       dialect
	into    string
	columns int
	values  []any
	err     error
}

func (s *store) rows(ctx context.Context, tx *sql.Tx, into string, columns int) *rows {
	return &rows{ctx: ctx, tx: tx, d: s.dialect, into: into, columns: columns}
}

func (r *rows) add(values ...any) {
	if r.values = append(r.values, values...); len(r.values) >= 200*r.columns && r.err == nil {
		r.err = r.flush()
	}
}

func (r *rows) flush() error {
	if r.err != nil || len(r.values) == 0 {
		return r.err
	}
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", r.columns), ",") + ")"
	many := strings.TrimSuffix(strings.Repeat(one+",", len(r.values)/r.columns), ",")
	_, err := r.tx.ExecContext(r.ctx, r.d.bind("INSERT INTO "+r.into+" VALUES "+many), r.values...)
	r.values = r.values[:0]
	return err
}
