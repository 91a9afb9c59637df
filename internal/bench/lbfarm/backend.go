package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsim"
)

// backend is a server of the farm: /work?ns=N takes so much work on a core of
// speed 1, /report says how loaded it is.
func backend(ctx context.Context) error {
	speed := flag.Float64("speed", 1, "of its cores")
	cores := flag.Int("cores", 1, "requests that it serves side by side at full speed")
	noisy := flag.Bool("noise", false, "be slow now and then")
	seed := flag.Uint64("seed", 1, "of that")
	flag.Parse()
	e := newEngine(*speed, *cores, *seed)
	if *noisy {
		e.noise = lbsim.Noisy
		e.turn = e.quiet()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /work", func(w http.ResponseWriter, r *http.Request) {
		work, err := strconv.ParseInt(r.FormValue("ns"), 10, 64)
		if err != nil || work < 0 {
			http.Error(w, "ns?", http.StatusBadRequest)
			return
		}
		<-e.serve(time.Duration(work))
		w.Header().Set(lb.ReportHeader, e.report().String())
		fmt.Fprintln(w, "done")
	})
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(lb.ReportHeader, e.report().String())
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Addr())
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
