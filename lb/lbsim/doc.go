// Package lbsim is the yardstick for the policies of package lb: a simulated
// farm with several balancers that runs the real policies, through the real
// interface of a pool, in virtual time.
//
// Start with [Run]: it plays one [Scenario] with one [Entry]. [RunAll] makes a
// [Table], which prints and draws itself. [SafeLoads] finds how far servers can
// be loaded.
//
// Servers share their cores equally among their requests (processor sharing),
// may differ in speed, be slow for a while, fail at once, fall silent, recover,
// or join cold. Requests come as a Poisson process to balancers drawn at
// random, each of which has a pool of its own. Replies carry reports; probes
// and reports travel as long as requests do.
//
// # Guarantees
//
//   - The same scenario, entry and seed give the same result.
//   - All policies meet the same requests at the same times with the same work.
//   - Only an [Oracle] sees a server; policies see replies and reports.
//
// What it leaves out: memory, locks, connections, garbage collection, retries.
// It compares policies; it foretells nobody's latencies.
package lbsim
