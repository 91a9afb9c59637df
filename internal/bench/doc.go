// Package bench holds side-by-side benchmarks against the libraries and
// servers that people use now. It is a module of its own, so that nobody who
// uses Ashlar downloads them. Each folder is a program that runs both sides in
// one process, interleaved, and prints the ratios; docs/benchmarks.md keeps
// results with the commands that repeat them.
package bench
