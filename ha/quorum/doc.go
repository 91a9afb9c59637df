// Package quorum says which sets of members may act for a cluster, and proves
// that two of them cannot act at once.
//
// Start with [Parse], or build the same [Rule] from functions:
//
//	r, err := quorum.Parse("any of (5 of 6, 2 of 6 with new-york)")
//	r := quorum.Any(quorum.Of(5, 6), quorum.All(quorum.Of(2, 6), quorum.Has("new-york")))
//	err = r.Verify([]string{"new-york", "boston", "paris", "rome", "oslo", "bern"})
//
// # The text
//
//	majority                        more than half of the members
//	5 of 6                          at least 5, of a cluster that has exactly 6
//	at least 5                      at least 5, of any number
//	new-york                        that member
//	3 votes of (a=2, b=1, c=1)      members whose votes sum up to at least 3
//	any of (RULE, RULE...)          one of the rules is met
//	all of (RULE, RULE...)          each of the rules is met
//	RULE with NAME                  the same as all of (RULE, NAME)
//	(RULE)                          RULE
//
// Names are letters, digits and . _ - :, and begin with a letter; others, and
// those that are words of the grammar, are written as Go strings: "5".
//
// # Guarantees
//
//   - Rules only ever ask for members, never for their absence: more members
//     never make a quorum invalid.
//   - Verify is exact: it accepts a rule only if no two disjoint sets of members
//     meet it, and refuses it with two such sets. It never guesses: what it cannot
//     enumerate is an error that says so.
//   - Parse(r.String()) is r.
//
// # What happens when
//
//   - a rule can never be met, names a stranger, or counts more members than
//     there are: Verify says so.
//   - the list of members differs between nodes: no rule helps; package ha compares
//     the lists.
//
// Chapter 8 of the book: "five of six, or any two if one is New York".
package quorum
