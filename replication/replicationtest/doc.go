// Package replicationtest holds the tests that every pair of vendors must pass:
// [TestPair] replicates between two databases, and between their failures.
//
// The tests write to the databases through database/sql, as applications do,
// and compare the tables by the texts that both dialects stream. Whoever writes
// a [replication.Dialect] calls TestPair with it as the master and as the
// replica.
package replicationtest
