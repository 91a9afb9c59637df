//go:build !cgo

package oracle_test

import (
	"errors"
	"testing"

	"github.com/ashlar-go/ashlar/replication/oracle"
)

func TestWithoutCgoConnectingIsUnsupported(t *testing.T) {
	if _, err := oracle.Open("oracle://h/s"); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	s := new(server)
	if err := dialect.Prepare(t.Context(), s.conn(t)); !errors.Is(err, errors.ErrUnsupported) || len(s.log) > 0 {
		t.Errorf("%v after %q", err, s.log)
	}
}
