// Package group makes processes on several machines a group: they publish
// messages to each other by subject, and know who is there.
//
// Start with [Group]: each process makes one, runs it, and publishes and
// subscribes. A server of the NATS protocol runs inside each process, and the
// servers find each other by [Config].Seeds; or the processes connect to a NATS
// cluster that is there, with Config.URL. Programs that import this package
// link nats-server: about 12 MB.
//
//	g, err := group.New(group.Config{
//		Name: "web1", Cluster: "10.0.0.1:6222", Seeds: []string{"10.0.0.2:6222", "10.0.0.3:6222"}, Secret: secret,
//	})
//	...
//	go g.Run(ctx)
//	for ctx.Err() == nil {
//		err := g.Subscribe(ctx, "purge", func(data []byte) { cache.Delete(string(data)) })
//		cache.Clear() // messages may have been missed
//	}
//	...
//	err = g.Publish(ctx, "purge", []byte("/index.html"))
//
// # Guarantees
//
//   - Messages of one publisher on one subject come in the order in which it
//     published them, each at most once, at every [Level].
//   - A subscription never misses a message silently: from its begin on, every
//     message of every member of the view comes, or a [GapError] in its place.
//     What a member loses on its way is noticed by the member's next message or
//     heartbeat. Of a member that failed nobody knows up to where it had come:
//     that is a gap too. So is each member's absence during a partition.
//   - At FIFO, what was lost on the way is repaired as long as its publisher
//     lives, is connected and has it in its history.
//   - At Ordered, all subscribers get all messages in the same order, and
//     Publish returns when a majority of Config.Replicas members keeps the
//     message: those survive the loss of the others.
//   - No message is believed that is not signed with the Secret; a message that
//     is sent again by somebody who saw it is dropped as a duplicate.
//
// # What happens when
//
//   - a member dies: the others have a view without it after Config.Misses
//     heartbeats; one that ends by itself says so, and is out at once.
//   - the network parts: each side goes on with those that it hears, with
//     FIFO and BestEffort; Ordered goes on where a majority of those that keep
//     messages is, and fails with ErrNotStored elsewhere. When it heals, the
//     others join again.
//   - a subscriber is slow: 65,536 messages or 64 MiB wait for it; what is
//     dropped then is had from its publisher's history when it comes to it, or
//     told as a gap. It never slows publishers.
//   - the connection to Config.URL breaks: Publish fails until it is back.
//   - a clock was set back while a member was down: the others take its new life
//     for its old one until they have missed that one.
//
// # What it is not
//
// Spread's extended virtual synchrony is not here: views are not ordered
// against messages, two members that go through the same change of views may
// have delivered different messages before it, and there is no level at which
// a message is delivered only once every member has it. A cache that forgets
// all when Subscribe returns needs none of that; a replicated state machine
// uses Ordered. FIFO is not causal: an answer may overtake the question it
// answers, where they have different publishers.
//
// Ordered relies on JetStream. Without Config.Sync an acknowledged message
// survives the death of processes, and not of power: nats-server writes to the
// disk every two minutes by itself. Its issues 7545 and 7567 tell of losses
// beyond that, when power fails and the network parts at the same time.
//
// Appendix A of the book (Spread), and chapters 6, 7 and 9, which build on it.
package group
