//go:build !cgo

package oracle

import (
	"database/sql"
	"errors"
	"fmt"
)

var errNoCgo = fmt.Errorf("oracle: the driver godror needs cgo, and this program was built without: %w", errors.ErrUnsupported)

// Open returns an error that is errors.ErrUnsupported: godror needs cgo.
func Open(dsn string) (*sql.DB, error) { return nil, errNoCgo }

func explain(err error) error { return err }

func checkDriver(any) error { return errNoCgo }

// What follows is reached on connections that Prepare has not seen, as in tests.

func fetchOptions() []any { return nil }

func bindNumbers(values [][]byte) any {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

func bindLobs(values [][]byte, characters bool) any { return values }
