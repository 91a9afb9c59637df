// Package hatest tests clusters of package ha, and what users build on it.
//
// [Sim] runs the real machines of a cluster on a simulated network and clock,
// under a schedule of faults, and checks what package ha promises after each step.
// [Random] makes schedules. A schedule that fails is made smaller by [Sim.Shrink],
// and its error ends with the last steps of the run:
//
//	s := hatest.Sim{Seed: seed, Members: 5, Quorum: quorum.Majority(), Faults: hatest.Random(rnd, 5, time.Second)}
//	if s.Run() != nil {
//		t.Error(s.Shrink().Run())
//	}
//
// [LAN] is a network in memory whose hosts are Plumbers that work, and fail when
// they are told to: for tests of programs that run an ha.Node. [TestPlumber] is
// what every Plumber has to pass.
//
// # Guarantees
//
//   - The same Sim runs the same way again, on every machine.
//   - An address of a LAN is on a host from a successful Attach to a successful
//     Detach, and never otherwise.
package hatest
