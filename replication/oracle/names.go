package oracle

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// maxName is the length of a name up to Oracle 12.1.
const maxName = 30

// The objects of this package have a $ in their names, so that they never meet
// those of Bookkeeping, and are in the session's current schema, but for those
// of snapshots, which are next to the public name.
const (
	bookkeeping = "ASHLAR_"
	copyPrefix  = "ASHLAR$CP"
	tableLock   = "ASHLAR$LOCK"   // a row for each name of TryLock
	tablePublic = "ASHLAR$PUBLIC" // which copy of each snapshot is shown
)

func positionTable(group string) string { return object("ASHLAR$POS_", group) }
func logTable(id string) string         { return object("ASHLAR$LOG_", id) }
func keysTable(id string) string        { return object("ASHLAR$KEY_", id) }
func batchIndex(id string) string       { return object("ASHLAR$BAT_", id) }
func triggerName(id string) string      { return object("ASHLAR$TRG_", id) }

// stageTable has a name for each shape, because a temporary table that another
// session uses cannot be made anew.
func stageTable(id, shape string) string { return object("ASHLAR$STG_", id+"/"+shape) }

func copyTable(n int, id string) string {
	return object(copyPrefix+string(rune('0'+n))+"_", id)
}

// object returns the name for id below a prefix: in upper case if that loses
// nothing and fits, else cut and with a hash behind a #, which no other has.
func object(prefix, id string) string {
	const hashed = 8
	if plain(id) && len(prefix)+len(id) <= maxName {
		return prefix + strings.ToUpper(id)
	}
	sum := sha256.Sum256([]byte(id))
	hash := base32.HexEncoding.EncodeToString(sum[:5])
	keep := strings.Map(func(r rune) rune {
		if r < 0x80 && plain(strings.ToLower(string(r))) {
			return r
		}
		return '_'
	}, strings.ToUpper(id))
	return prefix + keep[:min(len(keep), maxName-len(prefix)-1-hashed)] + "#" + hash
}

func plain(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// fold returns the name that Oracle makes of one without quotes, for tables that
// are made here: others would have to be quoted by everybody.
func fold(name string) string {
	if plain(name) && name[0] >= 'a' {
		return strings.ToUpper(name)
	}
	return name
}
