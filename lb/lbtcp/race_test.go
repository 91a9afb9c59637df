//go:build race

package lbtcp_test

const raceEnabled = true
