// Package arch holds the tests of the library's shape; it has no code.
//
//   - testdata/rules.txt says which folder may import what, and why. An arrow
//     that it does not allow fails, and so does a folder that it does not list.
//   - Each folder has one package comment, and every exported symbol has a
//     comment.
//   - testdata/api.txt lists the exported API of every library package, so that
//     a review sees each change of it.
//   - A program that imports only cookiecache depends on x/crypto and what that
//     itself needs.
//
// After an intended change of the API:
//
//	go test ./internal/arch -update
package arch
