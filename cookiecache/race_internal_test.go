//go:build race

package cookiecache

// raceEnabled says that timing and allocations are not as usual.
const raceEnabled = true
