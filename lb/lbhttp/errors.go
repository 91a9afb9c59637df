package lbhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/ashlar-go/ashlar/lb"
)

// Phase is how far an attempt came.
type Phase uint8

const (
	// PhaseDial is connecting, the TLS handshake included.
	PhaseDial Phase = iota
	// PhaseWrite is sending the request.
	PhaseWrite
	// PhaseHeader is waiting for the head of the response.
	PhaseHeader
	// PhaseBody is the response's body: the client has the head already.
	PhaseBody
)

// String returns the phase's name in small letters.
func (p Phase) String() string {
	switch p {
	case PhaseDial:
		return "dial"
	case PhaseWrite:
		return "write"
	case PhaseHeader:
		return "header"
	case PhaseBody:
		return "body"
	}
	return "phase?"
}

// AttemptError says how the last attempt to have a request answered failed.
type AttemptError struct {
	Node    *lb.Node // that was asked
	Attempt int      // 1 is the first
	Phase   Phase
	Sent    bool // the node may have seen some of the request
	Err     error
}

// Error names the node, the attempt and the phase.
func (e *AttemptError) Error() string {
	return fmt.Sprintf("lbhttp: attempt %d, %s of node %s: %v", e.Attempt, e.Phase, e.Node.ID, e.Err)
}

// Unwrap returns Err.
func (e *AttemptError) Unwrap() error { return e.Err }

// mayRetry decides whether another node may be asked after an attempt: on what
// was sent and what the method promises (RFC 9110, section 9.2.2), never on an
// error's text. whole means that all of the body, if any, can be sent again.
func mayRetry(phase Phase, sent, idempotent, whole bool) bool {
	return phase != PhaseBody && whole && (!sent || idempotent)
}

// A verdict is what a client is told when no node has answered.
type verdict struct {
	status int
	code   string // RFC 9209, section 2.3
}

// judge finds the verdict on an error of Acquire or of an attempt.
func judge(err error) verdict {
	var r *refusal
	phase := PhaseHeader
	if ae, ok := errors.AsType[*AttemptError](err); ok {
		phase = ae.Phase
	}
	switch {
	case errors.Is(err, lb.ErrQueueFull), errors.Is(err, lb.ErrQueueTimeout):
		return verdict{503, "connection_limit_reached"}
	case errors.Is(err, lb.ErrNoNodes), errors.Is(err, lb.ErrClosed), errors.Is(err, lb.ErrBudget):
		return verdict{503, "destination_unavailable"}
	case errors.As(err, &r):
		return verdict{502, "http_protocol_error"}
	case errors.Is(err, errUpgrade):
		return verdict{502, "http_upgrade_failed"}
	case isTimeout(err) && phase == PhaseDial:
		return verdict{504, "connection_timeout"}
	case isTimeout(err):
		return verdict{504, "http_response_timeout"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return verdict{502, "connection_refused"}
	case phase == PhaseDial:
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			return verdict{502, "dns_error"}
		}
		return verdict{502, "destination_unavailable"}
	case phase == PhaseBody:
		return verdict{502, "http_response_incomplete"}
	}
	return verdict{502, "connection_terminated"}
}

func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errSlow) {
		return true
	}
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

var (
	errSlow    = errors.New("lbhttp: the backend took too long")
	errUpgrade = errors.New("lbhttp: the backend switched protocols without being asked")
	errShort   = errors.New("lbhttp: the backend closed before the end of its response")
)
