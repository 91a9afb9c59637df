package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5"
)

// Fingerprint hashes, in one query for all tables, what capture and transfer
// rest on. A trigger's xmin tells that its catalogue row was written, so also
// that it was disabled and enabled again; a log's oid, that it is not the same
// log; and the set of partitions, that rows may have come or gone with one.
//
// The answer is remembered on the connection, with a stamp: as long as nobody
// has written the catalogue rows that it was made of, it is the same.
func (dialect) Fingerprint(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable) (prints []string, err error) {
	var key strings.Builder
	for _, t := range tables {
		fmt.Fprintf(&key, "%q %q %q %q;", t.ID, t.Name, columnList("", t.Columns), columnList("", t.KeyColumns()))
	}
	made := &printed{key: key.String()}
	err = raw(c, func(pc *pgx.Conn) error {
		if known, ok := pc.PgConn().CustomData()[printsKey].(*printed); ok && known.key == made.key {
			stamp, err := known.look(ctx, pc)
			if err != nil || stamp == known.stamp {
				prints = slices.Clone(known.prints)
				return err
			}
		}
		// Before the fingerprints are taken: what is changed in between then shows
		// in the next stamp.
		if err := made.find(ctx, pc, tables); err != nil {
			return err
		}
		made.stamp, err = made.look(ctx, pc)
		return err
	})
	if err == nil && prints == nil {
		prints, err = fingerprint(ctx, c, tables)
		if err == nil && !slices.Contains(prints, "") {
			made.prints = slices.Clone(prints)
			err = raw(c, func(pc *pgx.Conn) error {
				pc.PgConn().CustomData()[printsKey] = made
				return nil
			})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: fingerprint tables: %w", err)
	}
	return prints, nil
}

func fingerprint(ctx context.Context, c *sql.Conn, tables []replication.SourceTable) ([]string, error) {
	type arg struct {
		I         int      `json:"i"`
		Name      string   `json:"name"`
		Columns   []string `json:"columns"`
		Key       []string `json:"key"`
		Triggers  []string `json:"triggers"`
		Functions []string `json:"functions"`
		Log0      string   `json:"log0"`
		Log1      string   `json:"log1"`
		Choice    string   `json:"choice"`
	}
	args := make([]arg, len(tables))
	for i, s := range tables {
		t := captured{s}
		a := arg{I: i, Name: quoteName(s.Name), Triggers: t.triggers(), Log0: t.log(0), Log1: t.log(1), Choice: t.choice()}
		for _, col := range s.Columns {
			a.Columns = append(a.Columns, col.Name)
		}
		for _, col := range t.KeyColumns() {
			a.Key = append(a.Key, col.Name)
		}
		for _, suffix := range functionSuffixes {
			a.Functions = append(a.Functions, t.function(suffix)+"()")
		}
		args[i] = a
	}
	text, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	rows, err := c.QueryContext(ctx, fingerprintQuery, string(text))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	prints := make([]string, len(tables))
	for rows.Next() {
		var i int
		var print string
		if err := rows.Scan(&i, &print); err != nil {
			return nil, err
		}
		prints[i] = print
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return prints, nil
}

var fingerprintQuery = strings.NewReplacer("$KEYS", "w.key", "$T", "w.oid").Replace(catalogue(`WITH w AS (
	SELECT a.*, to_regclass(a.name)::oid AS oid
	FROM jsonb_to_recordset($1::jsonb) a(i int, name text, columns text[], key text[], triggers text[], functions text[],
		log0 text, log1 text, choice text))
SELECT w.i, CASE WHEN
		-- The logs are there, fit the key, and survive a crash.
		2 = (SELECT count(*) FROM pg_class WHERE oid IN (to_regclass(w.log0), to_regclass(w.log1)) AND relpersistence = 'p')
		AND to_regclass(w.choice) IS NOT NULL
		AND obj_description(to_regclass(w.log0), 'pg_class') IS NOT DISTINCT FROM $SIGNATURE
		AND obj_description(to_regclass(w.log1), 'pg_class') IS NOT DISTINCT FROM $SIGNATURE
		-- Each trigger is there, always enabled, on all partitions, and sees all rows.
		AND trigger.n = 5 * tree.n AND trigger.whole
		AND (trigger.by_row OR NOT $BYROW) AND NOT $HEIRS
		AND 4 = (SELECT count(*) FROM unnest(w.functions) f WHERE to_regprocedure(f) IS NOT NULL)
		-- A valid unique index on exactly the key.
		AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = w.oid AND i.indisunique AND i.indisvalid
			AND i.indpred IS NULL AND i.indexprs IS NULL
			AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, at)
				JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum = k.attnum WHERE k.at <= i.indnkeyatts)
				= (SELECT array_agg(k ORDER BY k) FROM unnest(w.key) k))
		AND sent.n = cardinality(w.columns)
	THEN md5(concat_ws('|', w.oid, to_regclass(w.log0)::oid, to_regclass(w.log1)::oid, tree.text, trigger.text, sent.text, array_to_string(w.key, ','),
		(SELECT string_agg(concat_ws(' ', p.oid, md5(p.prosrc), p.prosecdef, p.proconfig::text, p.prolang), ',' ORDER BY f)
			FROM unnest(w.functions) f JOIN pg_proc p ON p.oid = to_regprocedure(f))))
	ELSE '' END
FROM w
	CROSS JOIN LATERAL (SELECT count(*) AS n, string_agg(relid::text, ',' ORDER BY relid) AS text FROM $TREE tree) tree
	CROSS JOIN LATERAL (SELECT count(*) AS n, bool_and(g.tgenabled = 'A') AS whole,
			bool_or(g.tgtype & 1 = 1 AND g.tgtype & 4 = 4) AS by_row,
			string_agg(concat_ws(' ', g.oid, g.xmin, g.tgenabled::text, g.tgtype, g.tgfoid), ',' ORDER BY g.oid) AS text
		FROM $TREE tree JOIN pg_trigger g ON g.tgrelid = tree.relid AND g.tgname = ANY (w.triggers)) trigger
	CROSS JOIN LATERAL (SELECT count(*) AS n, string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod,
			a.attcollation, a.attnotnull, a.attgenerated::text), ',' ORDER BY u.n) AS text
		FROM unnest(w.columns) WITH ORDINALITY u(name, n)
		JOIN pg_attribute a ON a.attrelid = w.oid AND a.attname = u.name AND a.attnum > 0 AND NOT a.attisdropped) sent
WHERE w.oid IS NOT NULL`))
