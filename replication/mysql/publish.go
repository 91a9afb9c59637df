package mysql

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Publish keeps the public copy under the public name, and idle copy n as
// NAME__n. Which of the two idle names is there says which copy is public, so
// that the atomic RENAME that flips them changes both at once, and a flip to the
// copy that is public already fails: there is nothing by its idle name.
//
// Ready rebuilds the loaded copy. That makes statistics, as ANALYZE would; and it
// makes InnoDB refuse the copy to transactions whose snapshot is older (error
// 1412, try again), which would find it empty otherwise.
func (d dialect) Publish(t replication.TargetTable) replication.Publishing {
	made := func(name replication.Name) string {
		copied := t
		copied.Name = name
		statements := d.Create(copied)
		return statements[len(statements)-1]
	}
	var create []string
	if all := d.Create(t); len(all) > 1 {
		create = append(create, all[:len(all)-1]...)
	}
	create = append(create, made(t.Name))
	// Copy 1 is idle at first. If copy 0 is, copy 1 is the public one.
	create = append(create, dynamic("IF("+exists(copyName(t.Name, 0))+", NULL, "+textLiteral(made(copyName(t.Name, 1)))+")")...)
	return replication.Publishing{
		Create: create,
		Public: "SELECT IF(" + exists(copyName(t.Name, 0)) + ", 1, 0)",
		Copies: func(n int) replication.Name { return copyName(t.Name, n) },
		Clear:  func(n int) []string { return []string{"TRUNCATE TABLE " + qualified(copyName(t.Name, n))} },
		Ready:  func(n int) []string { return []string{"ALTER TABLE " + qualified(copyName(t.Name, n)) + " FORCE"} },
	}
}

// Flip is one RENAME TABLE. It waits for transactions that have read the public
// copies, and readers that come meanwhile wait behind it, so it gives up after a
// second.
func (dialect) Flip(tables []replication.TargetTable, to []int) []string {
	var q strings.Builder
	q.WriteString("RENAME TABLE ")
	for i, t := range tables {
		if i > 0 {
			q.WriteString(", ")
		}
		q.WriteString(qualified(t.Name) + " TO " + qualified(copyName(t.Name, 1-to[i])) + ", " +
			qualified(copyName(t.Name, to[i])) + " TO " + qualified(t.Name))
	}
	return []string{"SET SESSION lock_wait_timeout=1", q.String()}
}

// maxName is how long a name may be.
const maxName = 64

func copyName(n replication.Name, copy int) replication.Name {
	suffix := "__" + strconv.Itoa(copy)
	runes := []rune(n.Table)
	if len(runes)+len(suffix) > maxName {
		sum := sha256.Sum256([]byte(n.Table))
		suffix = "_" + hex.EncodeToString(sum[:4]) + suffix
		runes = runes[:maxName-len(suffix)]
	}
	n.Table = string(runes) + suffix
	return n
}

func exists(n replication.Name) string {
	return "EXISTS(SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA=" + schemaOf(n) + " AND TABLE_NAME=" + textLiteral(n.Table) + ")"
}
