package replicationtest

import (
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// Pair is two kinds of databases to test replication between.
type Pair struct {
	// Source and Target return a new, empty database, which ends with the test.
	Source, Target func(t *testing.T) replication.End
	// Truncate is how the master empties a table in one statement that fires no
	// row triggers, with %s for the table; "" if there is none.
	Truncate string
	// Essentials leaves out the tests of what depends on one side alone, or on
	// the engine: for further combinations of sides that are tested in full.
	Essentials bool
}

// TestPair runs all tests, each on new databases.
func TestPair(t *testing.T, p Pair) {
	for _, test := range []struct {
		name      string
		run       func(t *testing.T, p Pair)
		essential bool
	}{
		{"CopyAndFollow", testCopyAndFollow, true},
		{"KeysChangeAndSwap", testKeysChangeAndSwap, true},
		{"UniqueValuesMove", testUniqueValuesMove, true},
		{"EveryApplyIsOneSnapshot", testEveryApplyIsOneSnapshot, true},
		{"EveryKindArrivesUnchanged", testEveryKindArrivesUnchanged, true},
		{"FilterMapRename", testFilterMapRename, false},
		{"CopyIntoRowsThatAreThere", testCopyIntoRowsThatAreThere, true},
		{"CopyIsResumed", testCopyIsResumed, false},
		{"CopyWhileRowsChange", testCopyWhileRowsChange, false},
		{"TwoReplicatorsOfOneNode", testTwoReplicatorsOfOneNode, false},
		{"NodeGivenUpHealsItself", testNodeGivenUpHealsItself, false},
		{"DeadNodeCostsARowPerKey", testDeadNodeCostsARowPerKey, false},
		{"ForeignMasterIsRefused", testForeignMasterIsRefused, false},
		{"DriftIsNoticed", testDriftIsNoticed, false},
		{"PoisonRowIsNamed", testPoisonRowIsNamed, true},
		{"VerifyAndRepair", testVerifyAndRepair, true},
		{"TruncateArrives", testTruncateArrives, false},
		{"Flip", testFlip, true},
		{"FlipFailsWithoutHarm", testFlipFailsWithoutHarm, false},
		{"UninstallLeavesNothing", testUninstallLeavesNothing, false},
	} {
		if test.essential || !p.Essentials {
			t.Run(test.name, func(t *testing.T) { test.run(t, p) })
		}
	}
}
