// Package lbsql puts read replicas behind database/sql: each read goes to the
// replica that is best for it, and writes go to the primary.
//
// Start with [New], keep the Cluster's Run going, and give it to sql.OpenDB: the
// result is a *sql.DB like any other, for generated code and ORMs too.
//
//	cluster, err := lbsql.New(lbsql.Config{
//		Primary:  primary, // *sql.DB
//		Replicas: []lbsql.Replica{{Node: lb.Node{ID: "r1"}, DB: r1}, {Node: lb.Node{ID: "r2"}, DB: r2}},
//		Measure:  lbsql.Postgres,
//	})
//	...
//	go cluster.Run(ctx)
//	db := sql.OpenDB(cluster)
//
// What goes where is decided for each query and each transaction, not for each
// connection. Queries that [ReadOnly] recognizes and read-only transactions go
// to a replica; all else goes to the primary, and so does what [OnPrimary]
// marks. The node's connection and its lease of the pool are given back when
// the rows are closed or the transaction ends.
//
//	_, err = db.ExecContext(ctx, "INSERT ...")
//	token, err := cluster.Token(ctx)
//	...                                     // perhaps in the user's next request
//	rows, err := db.QueryContext(lbsql.After(ctx, token), "SELECT ...")
//
// # Guarantees
//
//   - A replica is used only if, when it was last asked, it was at most
//     Config.MaxLag behind the primary as that was when last asked. Each is
//     asked every Interval; one that stops answering is used for Fall times
//     Interval and Timeout at most. No clocks of two machines are compared.
//   - A read after a token sees all that the token stands for.
//   - For want of replicas the primary takes at most Config.PrimaryReads reads
//     at once, and at most Config.PrimaryShare of all reads; the others fail
//     with [ErrNoReplica].
//   - A statement that may write is sent at most once; it is repeated only when
//     its driver says, by driver.ErrBadConn, that nothing was sent.
//   - A read that broke a replica's connection is sent once more, to another
//     replica, never to the primary. A hedged read is sent twice at most.
//   - A replica that comes back is used again after Rise good measurements.
//   - Replicas come and go, and the primary may become another server, by
//     [Cluster.SetReplicas] and [Cluster.SetPrimary]: what runs goes on to its
//     end.
//
// # What happens when
//
//   - a replica dies or is too far behind: it gets no reads until it is well.
//   - all replicas do: the primary takes its share, the rest fails at once.
//   - the primary is away: reads go on, from the replicas that had all that was
//     known of it; writes fail, and a token cannot be had.
//   - a replica is promoted: its measurement fails, and it is out.
//   - a replica hangs: reads on it wait for their context, or are answered by
//     another one after Config.HedgeAfter; it is out after Fall measurements,
//     each of Timeout.
//   - Run does not run, or has not measured yet: reads wait for Config.Wait and
//     go to the primary then, within its share.
//   - the primary's position goes back, after a restore or when another server
//     takes its address: tokens from before ask for more than there is, and
//     their reads go to the primary within its share.
//   - a query that ReadOnly takes for a read writes by a function: the replica
//     refuses it, if it is read-only, and the caller gets its error.
//
// # Failover
//
// It does not choose a new primary; who does calls SetReplicas and SetPrimary,
// which measures the server and takes no standby. With PostgreSQL the driver can
// find it instead: a Primary of several hosts with
// target_session_attrs=read-write needs no call at all. go-sql-driver wants
// rejectReadOnly=true where a primary may become read-only while it runs.
//
// # What it does not do
//
// A connection of the resulting *sql.DB is no session, also when it is held by
// sql.Conn. Statements that obviously need one are refused outside of a
// transaction with [ErrSession]; LAST_INSERT_ID(), session locks and the like,
// which are functions, are not noticed: sql.Result.LastInsertId works, and for
// the others there is a transaction, or the *sql.DB of the primary. That one,
// or a replica's, is also where sql.Conn.Raw finds the driver, for COPY with pgx
// and LOAD DATA; Raw of a Cluster's connection shows nothing.
//
// Several statements in one text go to the primary together, if its driver takes
// them. Statements prepared outside of a transaction are prepared where they are
// used: pgx keeps them itself, go-sql-driver with interpolateParams=true needs
// none, and [Statements] keeps them for any other.
//
// Chapter 5 of the book: a choice per request, by what is known of the servers
// now; and a resource, here the primary, is given out rather than overrun.
package lbsql
