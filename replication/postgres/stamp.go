package postgres

import (
	"context"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5"
)

// printed is a connection's last answer of Fingerprint.
type printed struct {
	key    string // what was asked
	prints []string
	tables string // oids of the tables and their partitions, as an array's text
	logs   string // of the logs and their sequences
	procs  string // of the functions
	stamp  string
}

const printsKey = "ashlar fingerprints"

// find looks up the oids.
func (p *printed) find(ctx context.Context, pc *pgx.Conn, tables []replication.SourceTable) error {
	var names, logs, procs []string
	for _, s := range tables {
		t := captured{s}
		names = append(names, quoteName(s.Name))
		logs = append(logs, t.log(0), t.log(1), t.choice())
		for _, suffix := range functionSuffixes {
			procs = append(procs, t.function(suffix)+"()")
		}
	}
	return pc.QueryRow(ctx, oidsQuery, names, logs, procs).Scan(&p.tables, &p.logs, &p.procs)
}

var oidsQuery = strings.ReplaceAll(catalogue(`SELECT
	COALESCE((SELECT array_agg(tree.relid) FROM unnest($1::text[]) u(n), LATERAL $TREE tree WHERE $T IS NOT NULL), '{}')::text,
	COALESCE((SELECT array_agg(to_regclass(n)::oid) FROM unnest($2::text[]) u(n)), '{}')::text,
	COALESCE((SELECT array_agg(to_regprocedure(n)::oid) FROM unnest($3::text[]) u(n)), '{}')::text`), "$T", "to_regclass(n)::oid")

// look returns a text that changes whenever one of the catalogue rows is written
// that Fingerprint reads.
func (p *printed) look(ctx context.Context, pc *pgx.Conn) (stamp string, err error) {
	err = pc.QueryRow(ctx, stampQuery, p.tables, p.logs, p.procs).Scan(&stamp)
	return stamp, err
}

const stampQuery = `SELECT concat_ws(' ', count(*), sum(hashtextextended(x, 0))) FROM (
	SELECT concat_ws(' ', 'c', oid, xmin) AS x FROM pg_class WHERE oid = ANY ($1::text::oid[] || $2::text::oid[])
	UNION ALL SELECT concat_ws(' ', 'a', attrelid, attnum, xmin) FROM pg_attribute WHERE attrelid = ANY ($1::text::oid[]) AND attnum > 0
	UNION ALL SELECT concat_ws(' ', 'g', oid, xmin) FROM pg_trigger WHERE tgrelid = ANY ($1::text::oid[])
	UNION ALL SELECT concat_ws(' ', 'i', indexrelid, xmin) FROM pg_index WHERE indrelid = ANY ($1::text::oid[])
	UNION ALL SELECT concat_ws(' ', 'h', inhrelid, inhparent, xmin) FROM pg_inherits WHERE inhrelid = ANY ($1::text::oid[]) OR inhparent = ANY ($1::text::oid[])
	UNION ALL SELECT concat_ws(' ', 's', srrelid, xmin) FROM pg_subscription_rel WHERE srrelid = ANY ($1::text::oid[])
	UNION ALL SELECT concat_ws(' ', 'd', objoid, xmin) FROM pg_description WHERE objoid = ANY ($2::text::oid[]) AND classoid = 'pg_class'::regclass
	UNION ALL SELECT concat_ws(' ', 'p', oid, xmin) FROM pg_proc WHERE oid = ANY ($3::text::oid[])) r`
