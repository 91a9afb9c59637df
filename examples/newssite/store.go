package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// store is the database: a master, and copies of it to read from.
type store struct {
	dialect
	master   *sql.DB
	replicas []*replica
	turn     atomic.Uint32 // whose turn among the replicas it is
	wrote    atomic.Int64  // when this process last wrote, in Unix nanoseconds
	queries  atomic.Int64  // statements sent
}

var errNoRow = errors.New("no such row")

// meter counts the statements that one page needed. It travels in the context,
// also into the loads of the caches.
type meter struct{ queries atomic.Int64 }

type meterKey struct{}

func (s *store) count(ctx context.Context) {
	s.queries.Add(1)
	if m, ok := ctx.Value(meterKey{}).(*meter); ok {
		m.queries.Add(1)
	}
}

// query collects the rows that scan reads.
func query[T any](ctx context.Context, s *store, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	s.count(ctx)
	from := s.reader()
	rows, err := from.db.QueryContext(ctx, from.bind(text), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// one is query for one row; errNoRow if there is none.
func one[T any](ctx context.Context, s *store, scan func(*sql.Rows) (T, error), text string, args ...any) (v T, err error) {
	all, err := query(ctx, s, scan, text, args...)
	switch {
	case err != nil:
		return v, err
	case len(all) == 0:
		return v, errNoRow
	}
	return all[0], nil
}

// write runs do in a transaction on the master.
func (s *store) write(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.master.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // without effect after a commit
	if err := do(tx); err != nil {
		return err
	}
	s.wrote.Store(time.Now().UnixNano())
	err = tx.Commit()
	s.wrote.Store(time.Now().UnixNano())
	return err
}

// exec runs one statement of a transaction and returns how many rows it changed.
func (s *store) exec(ctx context.Context, tx *sql.Tx, text string, args ...any) (int64, error) {
	s.count(ctx)
	res, err := tx.ExecContext(ctx, s.bind(text), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// insert runs one INSERT and returns the new row's key.
func (s *store) insert(ctx context.Context, tx *sql.Tx, key, text string, args ...any) (id int64, err error) {
	s.count(ctx)
	if s.returning != "" {
		err = tx.QueryRowContext(ctx, s.bind(text+s.returning+key), args...).Scan(&id)
		return id, err
	}
	res, err := tx.ExecContext(ctx, s.bind(text), args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

const articleColumns = `SELECT a.article_id, a.section, a.title, a.summary, a.body, u.name, a.published, a.updated, a.live, a.version
	FROM NewsArticles a JOIN AdminUsers u ON u.user_id = a.author_id `

// article returns an article, published or not.
func (s *store) article(ctx context.Context, id int64) (article, error) {
	return one(ctx, s, func(r *sql.Rows) (a article, err error) {
		var published, updated int64
		var live int
		err = r.Scan(&a.ID, &a.Section, &a.Title, &a.Lead, &a.Body, &a.Author, &published, &updated, &live, &a.Version)
		a.Published, a.Updated, a.Live = moment(published), moment(updated), live != 0
		return a, err
	}, articleColumns+`WHERE a.article_id = ?`, id)
}

// comments returns an article's comments in the order of display.
func (s *store) comments(ctx context.Context, articleID int64) ([]comment, error) {
	flat, err := query(ctx, s, func(r *sql.Rows) (c comment, err error) {
		var posted int64
		err = r.Scan(&c.ID, &c.Parent, &c.Author, &c.Body, &posted)
		c.Posted = moment(posted)
		return c, err
	}, `SELECT c.comment_id, c.parent_id, u.name, c.body, c.posted
		FROM Comments c JOIN SiteUsers u ON u.user_id = c.user_id
		WHERE c.article_id = ? ORDER BY c.comment_id`, articleID)
	return threaded(flat), err
}

// threaded puts answers behind what they answer.
func threaded(flat []comment) []comment {
	answers := make(map[int64][]comment)
	for _, c := range flat {
		answers[c.Parent] = append(answers[c.Parent], c)
	}
	out := make([]comment, 0, len(flat))
	var add func(parent int64, depth int)
	add = func(parent int64, depth int) {
		for _, c := range answers[parent] {
			c.Depth = min(depth, 4)
			out = append(out, c)
			add(c.ID, depth+1)
		}
	}
	add(0, 0)
	return out
}

const headlineColumns = `SELECT a.article_id, a.section, a.title, a.summary, u.name, a.published, a.comments
	FROM NewsArticles a JOIN AdminUsers u ON u.user_id = a.author_id WHERE a.live = 1 `

func scanHeadline(r *sql.Rows) (h headline, err error) {
	var published int64
	err = r.Scan(&h.ID, &h.Section, &h.Title, &h.Lead, &h.Author, &published, &h.Comments)
	h.Published = moment(published)
	return h, err
}

// latest returns the newest headlines of a section, or of all for "".
func (s *store) latest(ctx context.Context, section string, limit, offset int) ([]headline, error) {
	order := fmt.Sprintf(`ORDER BY a.published DESC, a.article_id DESC LIMIT %d OFFSET %d`, limit, offset)
	list, err := []headline(nil), error(nil)
	if section == "" {
		list, err = query(ctx, s, scanHeadline, headlineColumns+order)
	} else {
		list, err = query(ctx, s, scanHeadline, headlineColumns+`AND a.section = ? `+order, section)
	}
	for i := range list {
		list[i].Comments = 0 // would be out of date with the next comment
	}
	return list, err
}

// discussed returns the headlines with the most comments.
func (s *store) discussed(ctx context.Context, limit int) ([]headline, error) {
	return query(ctx, s, scanHeadline, headlineColumns+
		fmt.Sprintf(`AND a.comments > 0 ORDER BY a.comments DESC, a.article_id DESC LIMIT %d`, limit))
}

func scanUser(r *sql.Rows) (u user, err error) {
	var admin sql.NullInt64
	err = r.Scan(&u.ID, &u.Name, &admin)
	u.Admin = admin.Valid
	return u, err
}

const userColumns = `SELECT u.user_id, u.name, a.user_id FROM SiteUsers u LEFT JOIN AdminUsers a ON a.user_id = u.user_id `

func (s *store) user(ctx context.Context, id int) (user, error) {
	return one(ctx, s, scanUser, userColumns+`WHERE u.user_id = ?`, id)
}

// someUsers returns editors and readers to choose from.
func (s *store) someUsers(ctx context.Context, editors, readers int) ([]user, error) {
	return query(ctx, s, scanUser, userColumns+
		`WHERE u.user_id <= ? OR (u.user_id > ? AND u.user_id <= ?) ORDER BY u.user_id`, editors, editorCount, editorCount+readers)
}

// prefs returns a user's navigation.
func (s *store) prefs(ctx context.Context, userID int) (prefs, error) {
	return one(ctx, s, func(r *sql.Rows) (prefs, error) {
		var text string
		err := r.Scan(&text)
		return parsePrefs(text), err
	}, `SELECT navigation FROM SiteUsers WHERE user_id = ?`, userID)
}

func (s *store) savePrefs(ctx context.Context, userID int, p prefs) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := s.exec(ctx, tx, `UPDATE SiteUsers SET navigation = ? WHERE user_id = ?`, p.String(), userID)
		return err
	})
}

// String writes p as the column navigation has it: "town,sports;compact".
func (p prefs) String() string {
	text := strings.Join(p.Sections, ",")
	if p.Compact {
		text += ";compact"
	}
	return text
}

// parsePrefs reads what String writes; sections that are gone are left out.
func parsePrefs(text string) prefs {
	list, options, _ := strings.Cut(text, ";")
	p := prefs{Compact: options == "compact"}
	for key := range strings.SplitSeq(list, ",") {
		if _, ok := sectionTitle(key); ok && !slices.Contains(p.Sections, key) {
			p.Sections = append(p.Sections, key)
		}
	}
	return p
}

// addComment stores a comment on a published article.
func (s *store) addComment(ctx context.Context, articleID, parent int64, userID int, body string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, `UPDATE NewsArticles SET comments = comments + 1 WHERE article_id = ? AND live = 1`, articleID)
		if err != nil {
			return err
		}
		if n == 0 {
			return errNoRow
		}
		if parent != 0 {
			s.count(ctx)
			var found int64
			err := tx.QueryRowContext(ctx, s.bind(`SELECT comment_id FROM Comments WHERE comment_id = ? AND article_id = ?`),
				parent, articleID).Scan(&found)
			if errors.Is(err, sql.ErrNoRows) {
				return errNoRow
			}
			if err != nil {
				return err
			}
		}
		_, err = s.insert(ctx, tx, "comment_id",
			`INSERT INTO Comments (article_id, parent_id, user_id, body, posted) VALUES (?, ?, ?, ?, ?)`,
			articleID, parent, userID, body, time.Now().Unix())
		return err
	})
}

// create stores a new article and publishes it.
func (s *store) create(ctx context.Context, a article, authorID int) (id int64, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		now := time.Now().Unix()
		id, err = s.insert(ctx, tx, "article_id", `INSERT INTO NewsArticles
			(section, title, summary, body, author_id, published, updated, live, version, comments)
			VALUES (?, ?, ?, ?, ?, ?, ?, 1, 1, 0)`,
			a.Section, a.Title, a.Lead, a.Body, authorID, now, now)
		return err
	})
	return id, err
}

// change stores what an editor changed in an article, and returns the section
// that it was in before.
func (s *store) change(ctx context.Context, a article) (from string, err error) {
	return s.changeArticle(ctx, a.ID, `section = ?, title = ?, summary = ?, body = ?, updated = ?`,
		a.Section, a.Title, a.Lead, a.Body, time.Now().Unix())
}

// setLive publishes an article or takes it back, and returns its section.
func (s *store) setLive(ctx context.Context, id int64, live bool) (section string, err error) {
	n := 0
	if live {
		n = 1
	}
	return s.changeArticle(ctx, id, `live = ?`, n)
}

// changeArticle counts the version up first: that locks the row, so that the
// section which it then reads is the one that the change replaces.
func (s *store) changeArticle(ctx context.Context, id int64, set string, args ...any) (section string, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, `UPDATE NewsArticles SET version = version + 1 WHERE article_id = ?`, id)
		if err == nil && n == 0 {
			err = errNoRow
		}
		if err != nil {
			return err
		}
		s.count(ctx)
		if err := tx.QueryRowContext(ctx, s.bind(`SELECT section FROM NewsArticles WHERE article_id = ?`), id).Scan(&section); err != nil {
			return err
		}
		_, err = s.exec(ctx, tx, `UPDATE NewsArticles SET `+set+` WHERE article_id = ?`, append(args, id)...)
		return err
	})
	return section, err
}

// adminList returns all articles, newest first.
func (s *store) adminList(ctx context.Context, limit, offset int) ([]adminRow, error) {
	return query(ctx, s, func(r *sql.Rows) (a adminRow, err error) {
		var published int64
		var live int
		err = r.Scan(&a.ID, &a.Title, &a.Section, &a.Author, &published, &live)
		a.Published, a.Live = moment(published), live != 0
		return a, err
	}, fmt.Sprintf(`SELECT a.article_id, a.title, a.section, u.name, a.published, a.live
		FROM NewsArticles a JOIN AdminUsers u ON u.user_id = a.author_id
		ORDER BY a.article_id DESC LIMIT %d OFFSET %d`, limit, offset))
}

func moment(unix int64) time.Time { return time.Unix(unix, 0).UTC() }
