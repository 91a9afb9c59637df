// Package mysql speaks MySQL 8.0 and MariaDB 10.6 and later to package
// replication, as master and as replica. Open the *sql.DB with
// github.com/go-sql-driver/mysql and hand [Dialect] to the engine. The tests run
// on MariaDB 10.11; MySQL itself was never run.
package mysql
