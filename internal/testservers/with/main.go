// With starts the database servers that tests share, runs a command with their
// addresses in its environment, and ends them.
//
//	go run ./internal/testservers/with -- go test ./...
//
// Its exit status is the command's. An interrupt goes to the command first; the
// servers end after it.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

func main() {
	args := os.Args[1:]
	if len(args) < 2 || args[0] != "--" {
		fmt.Fprintln(os.Stderr, "usage: with -- COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	status, err := run(args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "with:", err)
	}
	os.Exit(status)
}

func run(args []string) (status int, err error) {
	// From here on a signal no longer ends us before the servers. One that comes
	// while they start waits until they have.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	env, stop, err := testservers.Share()
	if err != nil {
		return 1, err
	}
	defer func() {
		if e := stop(); e != nil {
			status, err = max(status, 1), errors.Join(err, e)
		}
	}()

	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	select {
	case s := <-signals:
		return 1, fmt.Errorf("%v", s)
	default:
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // it may have just ended: done says so
		case err := <-done:
			if e, ok := errors.AsType[*exec.ExitError](err); ok {
				if e.ExitCode() > 0 {
					return e.ExitCode(), nil
				}
				return 1, fmt.Errorf("%s: %w", args[0], err) // ended by a signal
			}
			if err != nil {
				return 1, err
			}
			return 0, nil
		}
	}
}
