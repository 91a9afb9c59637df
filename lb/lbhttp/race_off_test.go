//go:build !race

package lbhttp_test

const raceEnabled = false
