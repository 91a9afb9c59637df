package lbsql

// ReadOnly reports whether a query certainly only reads, going by its text. It
// is the default of Config.ReadOnly and careful: what it does not understand is
// no read, nor are several statements in one, a locking clause, SELECT INTO, a
// WITH that changes data, and what asks for the state of a session, such as
// LAST_INSERT_ID(). So INSERT ... RETURNING, which generated code sends as a
// query, finds its way to the primary.
//
// PostgreSQL and MySQL quote and comment differently; a text that reads
// differently by the two is a read only if it is one by both. That a function
// of the user's writes cannot be seen: such a query needs [OnPrimary], and a
// replica refuses it.
func ReadOnly(query string) bool {
	plain, ok := readOnly(query, false)
	if !ok || plain {
		return ok
	}
	_, ok = readOnly(query, true)
	return ok
}

// readOnly reads a query by the rules of one family of servers. plain says that
// the other family cannot read it differently.
func readOnly(query string, mysql bool) (plain, ok bool) {
	l := lexer{s: query, mysql: mysql, plain: true}
	begun, ended := false, false
	for {
		switch kind := l.next(); {
		case kind == end:
			return l.plain, begun
		case kind == foreign: // an error to one family; the other decides
			return false, true
		case kind == broken || kind == variable:
			return l.plain, false
		case kind == semicolon:
			ended = true
		case ended: // another statement
			return l.plain, false
		case kind == name:
			if !begun && !reader(l.word()) || writer(l.word()) {
				return l.plain, false
			}
			begun = true
		case !begun && kind != parenthesis:
			return l.plain, false
		}
	}
}

// reader reports whether a word begins statements that may be reads. SHOW and
// EXPLAIN are asked for by people and migrations, which want the primary's
// answer.
func reader(w []byte) bool {
	switch string(w) {
	case "select", "with", "values", "table":
		return true
	}
	return false
}

// writer reports whether a word makes such a statement more than a read
// wherever it stands. Some are names of columns now and then: then a read goes
// to the primary.
func writer(w []byte) bool {
	switch string(w) {
	case "insert", "update", "delete", "merge", // WITH x AS (DELETE ...; FOR UPDATE
		"into",  // SELECT INTO
		"share", // FOR SHARE, LOCK IN SHARE MODE
		"nextval", "setval", "currval", "lastval", "set_config", "pg_notify",
		"txid_current", "pg_current_xact_id", "pg_backend_pid", "dblink_exec",
		"lo_create", "lo_import", "lo_unlink", "lo_put", "lo_from_bytea",
		"last_insert_id", "found_rows", "row_count", "connection_id",
		"get_lock", "release_lock", "release_all_locks", "is_used_lock", "is_free_lock":
		return true
	}
	// Locks of a session's.
	return len(w) > 11 && string(w[:11]) == "pg_advisory" || len(w) > 15 && string(w[:15]) == "pg_try_advisory"
}
