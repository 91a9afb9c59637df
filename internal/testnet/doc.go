// Package testnet breaks the network between a client and a server, for tests of
// what clients do then, and makes whole LANs to break. A [Proxy] stands between the two, on 127.0.0.1:
//
//	p := testnet.NewProxy(t, server)  // clients connect to p.Addr()
//	work()
//	n := p.Chunks()                   // how many requests that took
//	for i := 1; i <= n; i++ {
//		p.CutAfter(i)                 // the i-th is executed, its reply is lost
//		work()
//	}
//
// # What is counted
//
// A chunk is what one read from a client returned, of at most 64 KiB: for a
// client that waits for each reply, as those of databases do, it is one request,
// if that is not large. Numbers are of the chunks of all connections together.
// Large requests may be split otherwise in every run, so that a test has to do
// without the fault if a number turns out to be more than there are. What a client
// sends without waiting for a reply, such as its good-bye, is counted when it
// arrives here: a test that closes connections waits until [Proxy.Conns] is 0
// before it goes on.
//
// # Guarantees
//
//   - CutBefore: nothing of that chunk reaches the server, and all before it does.
//   - CutAfter: the server gets all of that chunk, and can execute it; nothing
//     that it sends afterwards reaches the client.
//   - A cut is a reset (RST) for the client. The server sees an ordinary end of
//     the connection, so that it still reads what was forwarded.
//   - A fault happens once; the connections after it work.
//   - While the proxy is paused, nothing is forwarded and no connection is closed;
//     Resume loses nothing.
//   - When the test ends, the listener and all connections are closed and no
//     goroutine is left.
//
// # What happens when
//
//   - the server cannot be reached: the client's connection is reset.
//   - the server closes a connection: the client's is closed once it has been sent
//     everything.
//   - the client stops sending: the server is told, and its reply still arrives.
//
// [Listen], [Serve], [Dial] and [Eventually] are what tests over real sockets
// need, and [Main] finds goroutines that they leave.
//
// # Labs
//
// A [Lab], on Linux and as root, is a LAN of network namespaces: nodes and a
// client on a bridge that loses what a test tells it to lose. [Node.Do] opens
// sockets in a namespace, [Node.Start] and [Node.Program] run processes there,
// [Lab.Probe] asks an address each millisecond and reports the longest silence:
//
//	lab := testnet.NewLab(t, 3)
//	lab.Nodes[0].Echo()
//	p := lab.Probe(lab.Nodes[0].Addr)
//	lab.Lose(lab.Nodes[0], lab.Client, 30)
//	r := p.Stop()                     // r.Longest, r.Lost
//
// Namespaces have no names, so that nothing is left behind, even by a test that
// is killed, and any number of labs exist side by side. Losses, partitions and
// their end come into force for all nodes in one instant. A namespace belongs to
// a thread: goroutines that a function given to Do starts are not in it.
//
// The package is for tests only; internal/arch refuses it elsewhere.
package testnet
