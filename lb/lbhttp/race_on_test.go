//go:build race

package lbhttp_test

// raceEnabled: the race detector's own memory is no figure of ours.
const raceEnabled = true
