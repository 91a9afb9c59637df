package lbsql

import (
	"context"
	"database/sql"
)

// Measure asks a server how far it is: the primary what it has written, a
// replica what it has applied, in positions that can be compared. It fails if
// the server is not what it should be, for example a primary that is a standby
// now. It is called concurrently, must respect ctx, and must not change what
// users see.
type Measure func(ctx context.Context, db *sql.DB, primary bool) (Position, error)
