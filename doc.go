// Package ashlar is the map of a library of scalability building blocks: cut
// stones that fit without mortar. It holds no code; import the packages you
// need.
//
//   - [github.com/ashlar-go/ashlar/cache]: look-aside and write-thru caches over
//     a slow source of truth, with a memcached second tier.
//   - [github.com/ashlar-go/ashlar/cookiecache]: the visitor's browser as a cache
//     node, by sealed, rotating, typed cookies.
//   - [github.com/ashlar-go/ashlar/replication]: a master's tables on any number
//     of replicas, across PostgreSQL, MySQL, SQLite and Oracle, by logged keys or
//     flipping snapshots.
//   - [github.com/ashlar-go/ashlar/lb]: a node for each request, by one pool
//     behind HTTP, TCP, SQL replicas and memcached. In the making.
//
// Families never import each other; they meet in your application, as they do
// in examples/newssite. The ideas come from Theo Schlossnagle's Scalable
// Internet Architectures (2006); docs/book.md says which chapter became which
// package.
package ashlar
