// Package testservers starts private servers for tests: memcached, PostgreSQL
// and MariaDB, on free ports of 127.0.0.1, with their data in temporary
// directories. Nothing that already runs on the machine is touched.
//
//	func TestPublishReachesEveryTier(t *testing.T) {
//		mc := testservers.Memcached(t)          // fresh, one per call
//		db, err := sql.Open("pgx", testservers.Postgres(t)) // fresh database
//		...
//		mc.Kill()                               // pages keep coming
//	}
//
// [Memcached] starts a server per call: that takes milliseconds. [Postgres] and
// [MariaDB] hand out fresh databases on one server per test process, or on the
// one that the command internal/testservers/with started for many test binaries
// and announced in ASHLAR_TEST_POSTGRES and ASHLAR_TEST_MARIADB. A test that
// wants to kill, pause or restart a database uses [StartPostgres] and
// [StartMariaDB] and has it for itself; [StartPostgresStandby] adds a standby to
// such a PostgreSQL.
//
// # Guarantees
//
//   - A server never outlives the process that started it, also when that
//     process panics, calls os.Exit or is killed; its directory goes with it.
//   - Only processes started here are signalled: by process id, while their
//     parent still holds the id, so that it cannot belong to somebody else.
//   - A commit that the client has seen survives [Server.Kill].
//   - When the tests run as root, the servers run as postgres, mysql, memcache
//     or nobody.
//
// # What happens when
//
//   - a program is not installed: the test is skipped with one line beginning
//     with SKIPPED, which is appended to the file named by ASHLAR_SKIPS. With
//     ASHLAR_REQUIRE=all the test fails instead.
//   - a server does not start: the test fails with the end of the server's log.
//   - the operating system is not Linux: as if nothing were installed.
//
// The package is for tests only; internal/arch refuses it elsewhere.
package testservers
