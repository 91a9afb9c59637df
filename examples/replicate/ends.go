package main

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/ashlar-go/ashlar/replication"
	mysqldialect "github.com/ashlar-go/ashlar/replication/mysql"
	"github.com/ashlar-go/ashlar/replication/oracle"
	"github.com/ashlar-go/ashlar/replication/postgres"
	"github.com/ashlar-go/ashlar/replication/sqlite"
)

// Where passwords may be, rather than in a URL that other users see.
const (
	sourcePassword = "REPLICATE_SOURCE_PASSWORD"
	targetPassword = "REPLICATE_TARGET_PASSWORD"
)

// open opens the database at a URL. It connects to nothing. No error shows the
// password.
func open(which, raw, passwordFrom string, notify bool) (end replication.End, secret string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return end, "", fmt.Errorf("%w: %s is malformed", errUsage, which) // err quotes it, password included
	}
	secret, has := u.User.Password()
	if p := os.Getenv(passwordFrom); !has && p != "" {
		secret = p
		u.User = url.UserPassword(u.User.Username(), p)
	}
	switch u.Scheme {
	case "sqlite":
		if u.Host != "" || u.Path == "" {
			return end, "", fmt.Errorf("%w: %s: want sqlite:///PATH", errUsage, which)
		}
		end.Dialect = sqlite.Dialect
		end.DB, err = sql.Open("sqlite", "file:"+(&url.URL{Path: u.Path}).EscapedPath()+
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(1)")
	case "postgres", "postgresql":
		end.Dialect = postgres.Dialect
		if notify {
			end.Dialect = postgres.Notifying
		}
		end.DB, err = sql.Open("pgx", u.String())
	case "mysql":
		end.Dialect = mysqldialect.Dialect
		cfg := mysql.NewConfig()
		cfg.Net, cfg.Addr, cfg.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
		cfg.User, cfg.Passwd = u.User.Username(), secret
		if u.Port() == "" {
			cfg.Addr = u.Hostname() + ":3306"
		}
		cfg.Logger = &mysql.NopLogger{} // what it logs is in the errors that it returns
		var connector driver.Connector
		if connector, err = mysql.NewConnector(cfg); err == nil {
			end.DB = sql.OpenDB(connector)
		}
	case "oracle":
		end.Dialect = oracle.Dialect
		end.DB, err = oracle.Open(u.String())
	default:
		return end, "", fmt.Errorf("%w: %s: want postgres://, mysql://, sqlite:/// or oracle://", errUsage, which)
	}
	if err != nil {
		return end, secret, errors.New(which + ": " + hide(err.Error(), secret))
	}
	return end, secret, nil
}

// hide writes text without a secret.
func hide(text, secret string) string {
	if secret != "" {
		text = strings.ReplaceAll(text, secret, "xxxxx")
		text = strings.ReplaceAll(text, url.QueryEscape(secret), "xxxxx")
	}
	return strings.Join(strings.Fields(text), " ")
}
