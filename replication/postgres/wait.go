package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Wait listens from the first call on a connection, which therefore returns at
// once. Notifications that have piled up are one.
func (notifying) Wait(ctx context.Context, c *sql.Conn, group string) error {
	name := channel(group)
	err := raw(c, func(pc *pgx.Conn) error {
		var listening bool
		if err := pc.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_listening_channels() c WHERE c = $1)", name).Scan(&listening); err != nil {
			return err
		}
		if !listening {
			_, err := pc.Exec(ctx, "LISTEN "+ident(name))
			return err
		}
		for {
			n, err := pc.WaitForNotification(ctx)
			if err != nil {
				return err
			}
			if n.Channel == name {
				break
			}
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		for { // those that have arrived need no waiting
			if _, err := pc.WaitForNotification(ended); err != nil {
				return nil
			}
		}
	})
	if err != nil {
		return fmt.Errorf("postgres: wait for changes: %w", err)
	}
	return nil
}
