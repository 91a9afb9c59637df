package oracle

import (
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Publish shows a copy through a view that joins each of them with the row that
// says which is public. That row is found first, and the copy that it does not
// name is not entered.
//
// The idle copy is emptied by DELETE: readers that began before the last flip may
// still be in it, and TRUNCATE would take it from under them (ORA-08103).
func (dialect) Publish(t replication.TargetTable) replication.Publishing {
	t = folded(t)
	copies := func(n int) replication.Name {
		return replication.Name{Schema: t.Name.Schema, Table: copyTable(n, t.ID)}
	}
	public := publicTable(t)
	columns := strings.Join(quoted(t.Columns, "t."), ", ")
	shown := func(n int) string {
		return fmt.Sprintf("SELECT /*+ LEADING(s t) USE_NL(t) */ %s FROM %s s, %s t WHERE s.ID = '%s' AND s.N = %d",
			columns, public, quoteName(copies(n)), t.ID, n)
	}
	return replication.Publishing{
		Create: []string{
			unlessExists("CREATE TABLE " + public + " (ID VARCHAR2(24) PRIMARY KEY, NAME VARCHAR2(128 CHAR) NOT NULL, N NUMBER(1) NOT NULL)"),
			fmt.Sprintf("MERGE INTO %s p USING (SELECT '%s' ID, %s NAME FROM DUAL) s ON (p.ID = s.ID)\n"+
				"WHEN NOT MATCHED THEN INSERT (ID, NAME, N) VALUES (s.ID, s.NAME, 0)", public, t.ID, text(t.Name.Table)),
			unlessExists(createTable(copies(0), t)),
			unlessExists(createTable(copies(1), t)),
			"CREATE OR REPLACE VIEW " + quoteName(t.Name) + " (" + strings.Join(quoted(t.Columns, ""), ", ") + ") AS\n" + shown(0) + "\nUNION ALL\n" + shown(1),
		},
		Public: fmt.Sprintf("SELECT N FROM %s WHERE ID = '%s'", public, t.ID),
		Copies: copies,
		Clear:  func(n int) []string { return []string{"DELETE FROM " + quoteName(copies(n))} },
		Ready:  func(n int) []string { return []string{gatherStatistics(copies(n))} },
	}
}

func publicTable(t replication.TargetTable) string {
	return quoteName(replication.Name{Schema: t.Name.Schema, Table: tablePublic})
}

// gatherStatistics commits; the copy is loaded by then.
func gatherStatistics(name replication.Name) string {
	return "BEGIN\n  DBMS_STATS.GATHER_TABLE_STATS(" + text(name.Schema) + ", " + text(quote(name.Table)) + ");\nEND;"
}

// Flip is one UPDATE for each schema, in one transaction.
func (dialect) Flip(tables []replication.TargetTable, to []int) []string {
	var order []string
	flips := make(map[string][]int) // by table
	for i, t := range tables {
		public := publicTable(folded(t))
		if flips[public] == nil {
			order = append(order, public)
		}
		flips[public] = append(flips[public], i)
	}
	var statements []string
	for _, public := range order {
		var when, ids []string
		for _, i := range flips[public] {
			when = append(when, fmt.Sprintf("WHEN '%s' THEN %d", tables[i].ID, to[i]))
			ids = append(ids, "'"+tables[i].ID+"'")
		}
		statements = append(statements, fmt.Sprintf("UPDATE %s SET N = CASE ID %s END WHERE ID IN (%s)",
			public, strings.Join(when, " "), strings.Join(ids, ", ")))
	}
	return statements
}
