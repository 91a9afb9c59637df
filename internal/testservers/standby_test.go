package testservers_test

import (
	"context"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

func TestStandbyFollowsItsPrimary(t *testing.T) {
	primary := testservers.StartPostgres(t)
	standby := testservers.StartPostgresStandby(t, primary)
	from, to := openPostgres(t, primary.URL), openPostgres(t, standby.URL)
	if _, err := from.Exec("CREATE TABLE t AS SELECT 42 AS n"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for n := 0; n != 42; {
		if ctx.Err() != nil {
			t.Fatal("the standby does not get the table")
		}
		_ = to.QueryRowContext(ctx, "SELECT n FROM t").Scan(&n) // not there yet
	}
	if _, err := to.Exec("INSERT INTO t VALUES (1)"); err == nil {
		t.Error("the standby takes writes")
	}
	standby.Kill()
	standby.Restart()
	if err := openPostgres(t, standby.URL).PingContext(ctx); err != nil {
		t.Error(err)
	}
}
