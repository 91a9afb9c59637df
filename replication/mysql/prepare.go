package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// The session's settings. What each is for:
//
//   - names, time_zone: one spelling of text and of points in time.
//   - sql_mode: strict, so that a value that does not fit is an error; without
//     ANSI_QUOTES, NO_BACKSLASH_ESCAPES and PAD_CHAR_TO_FULL_LENGTH, which change
//     what our texts mean; NO_AUTO_VALUE_ON_ZERO, so that 0 stays 0. NO_ZERO_DATE
//     is not in it, since triggers keep the mode that they were made under, and an
//     application that may store such a key must go on to. Zero dates are refused
//     where they are read.
//   - sql_notes: DECIMAL's lost digits are only a note.
//   - wait_timeout: a client that has gone without a word holds its locks and
//     snapshots for so long; that of TryLock is shorter.
//   - net_write_timeout, net_read_timeout: one side waits for the other's database.
//   - tmp_table_size, max_heap_table_size: an UPDATE of joined tables collects its
//     rows first, three times as slowly if on disk.
//   - lock_wait_timeout: everybody who comes after a statement that waits for a
//     table's metadata lock waits behind it, so it gives up soon.
const settings = "SET NAMES utf8mb4 COLLATE utf8mb4_bin, " +
	"time_zone='+00:00', " +
	"sql_mode='STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', " +
	"sql_notes=1, autocommit=1, sql_auto_is_null=0, sql_safe_updates=0, sql_big_selects=1, sql_select_limit=DEFAULT, " +
	"max_error_count=64, group_concat_max_len=1048576, foreign_key_checks=1, unique_checks=1, " +
	"wait_timeout=600, net_read_timeout=600, net_write_timeout=600, " +
	"lock_wait_timeout=5, innodb_lock_wait_timeout=20, tmp_table_size=268435456, max_heap_table_size=268435456" +
	"/*M!100600 , max_statement_time=0 */ /*!80000 , max_execution_time=0, information_schema_stats_expiry=0 */"

// Prepare pins the session's settings and refuses what this package cannot work
// with: another driver, parseTime, no database chosen, a server that is too old,
// and a binary log that is written by statement.
func (dialect) Prepare(ctx context.Context, c *sql.Conn) error {
	if err := checkDriver(ctx, c); err != nil {
		return err
	}
	var version string
	var db sql.NullString
	var date any
	err := c.QueryRowContext(ctx, "SELECT VERSION(), DATABASE(), CAST('2000-01-02' AS DATE)").Scan(&version, &db, &date)
	if err != nil {
		return fmt.Errorf("mysql: prepare: %w", err)
	}
	if _, ok := date.([]byte); !ok {
		return errors.New("mysql: prepare: the data source has parseTime, which cannot give a date as it is stored; open one without it")
	}
	if !db.Valid {
		return errors.New("mysql: prepare: the data source names no database")
	}
	if err := checkVersion(version); err != nil {
		return err
	}
	if err := checkVariables(ctx, c); err != nil {
		return err
	}
	for _, s := range []string{settings, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE"} {
		if _, err := c.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("mysql: prepare: %w", err)
		}
	}
	return nil
}

// checkDriver looks at the connection, or, if somebody has wrapped it, at an error.
func checkDriver(ctx context.Context, c *sql.Conn) error {
	errForeign := errors.New("mysql: prepare: the database was not opened with github.com/go-sql-driver/mysql")
	var direct, queries bool
	err := c.Raw(func(conn any) error {
		if t := reflect.TypeOf(conn); t.Kind() == reflect.Pointer {
			direct = t.Elem().PkgPath() == reflect.TypeFor[mysql.Config]().PkgPath()
		}
		_, queries = conn.(driver.QueryerContext)
		return nil
	})
	if err != nil {
		return fmt.Errorf("mysql: prepare: %w", err)
	}
	if !queries {
		return errForeign
	}
	if direct {
		return nil
	}
	var nothing any
	err = c.QueryRowContext(ctx, "SELECT @@ashlar_no_such_variable").Scan(&nothing)
	if !isNumber(err, 1193) {
		return errForeign
	}
	return nil
}

// checkVersion takes MariaDB 10.6 and MySQL 8.0.17, from which on there is
// everything that the texts use.
func checkVersion(version string) error {
	text := strings.TrimPrefix(version, "5.5.5-") // what MariaDB says to old clients
	var v [3]int
	for i, part := range strings.SplitN(text, ".", 3) {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(part)
		}
		v[i], _ = strconv.Atoi(part[:end])
	}
	n := v[0]*10000 + v[1]*100 + v[2]
	if isMariaDB(version) && n < 100600 || !isMariaDB(version) && n < 80017 {
		return fmt.Errorf("mysql: prepare: server %s is too old: MariaDB 10.6 or MySQL 8.0.17 is needed", version)
	}
	return nil
}

func isMariaDB(version string) bool { return strings.Contains(strings.ToLower(version), "mariadb") }

func checkVariables(ctx context.Context, c *sql.Conn) error {
	rows, err := c.QueryContext(ctx, "SHOW VARIABLES WHERE Variable_name IN ('log_bin','binlog_format')")
	if err != nil {
		return fmt.Errorf("mysql: prepare: %w", err)
	}
	defer rows.Close()
	is := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return fmt.Errorf("mysql: prepare: %w", err)
		}
		is[name] = value
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("mysql: prepare: %w", err)
	}
	if is["log_bin"] == "ON" && is["binlog_format"] == "STATEMENT" {
		return errors.New("mysql: prepare: the server's binlog_format is STATEMENT, which refuses transactions at READ COMMITTED; set ROW or MIXED")
	}
	return nil
}
