package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/lib/pq"
)

const longestName = 63 // bytes; PostgreSQL cuts a longer one in silence

// connect opens PostgreSQL as libpq's variables say; without PGDATABASE, its maintenance database.
func connect() (*sql.DB, error) {
	options := ""
	if os.Getenv("PGDATABASE") == "" {
		options = "dbname=postgres"
	}
	connector, err := pq.NewConnector(options)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL cannot be reached as PGHOST, PGPORT, PGUSER and PGPASSFILE say: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// run executes statements one after the other; neither databases nor roles' memberships take a transaction whole.
func run(ctx context.Context, statements ...string) error {
	server, err := connect()
	if err != nil {
		return err
	}
	defer server.Close()
	for _, statement := range statements {
		if _, err := server.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("PostgreSQL refuses: %w", err)
		}
	}
	return nil
}

// lookUp reads one row; errGone where there is none.
func lookUp(ctx context.Context, query, name string, into ...any) error {
	server, err := connect()
	if err != nil {
		return err
	}
	defer server.Close()
	err = server.QueryRowContext(ctx, query, name).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return errGone
	}
	return err
}

func refuseName(value any) string {
	text, is := value.(string)
	if !is || text == "" || len(text) > longestName || strings.HasPrefix(text, "pg_") {
		return fmt.Sprintf("is %v: PostgreSQL's names have 1 to %d bytes and do not begin with pg_", value, longestName)
	}
	return ""
}

// database is a PostgreSQL database.
type database struct{}

func (database) fields() []field {
	return []field{
		{name: "name", replaces: true},
		{name: "owner", optional: true},
		{name: "locale", standard: "C", replaces: true},
		{name: "connectionLimit", standard: -1.0},
		{name: "comment", standard: ""},
	}
}

func (database) refuse(name string, value any) string {
	switch name {
	case "name", "owner":
		return refuseName(value)
	case "connectionLimit":
		return refuseLimit(value)
	}
	if _, is := value.(string); !is {
		return "must be a text"
	}
	return ""
}

func refuseLimit(value any) string {
	number, is := value.(float64)
	if !is || number != float64(int(number)) || number < -1 {
		return "must be a whole number; -1 is no limit"
	}
	return ""
}

func (database) identity(in values) string { return in.text("name") }

func (database) create(ctx context.Context, in values) error {
	name, locale := pq.QuoteIdentifier(in.text("name")), pq.QuoteLiteral(in.text("locale"))
	create := fmt.Sprintf("CREATE DATABASE %s TEMPLATE template0 LC_COLLATE %s LC_CTYPE %s CONNECTION LIMIT %d",
		name, locale, locale, in.number("connectionLimit"))
	if owner := in.text("owner"); owner != "" {
		create += " OWNER " + pq.QuoteIdentifier(owner)
	}
	return run(ctx, create, comment("DATABASE", in))
}

func comment(what string, in values) string {
	return fmt.Sprintf("COMMENT ON %s %s IS %s", what, pq.QuoteIdentifier(in.text("name")), pq.QuoteLiteral(in.text("comment")))
}

func (database) read(ctx context.Context, id string, known values) (values, error) {
	var owner, locale, said string
	var limit int
	err := lookUp(ctx, `SELECT pg_get_userbyid(datdba), datcollate, datconnlimit,
		coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = $1`,
		id, &owner, &locale, &limit, &said)
	found := values{"name": id, "locale": locale, "connectionLimit": float64(limit), "comment": said}
	// Without an owner in the program whoever owns it is right.
	if known.text("owner") != "" {
		found["owner"] = owner
	}
	return found, err
}

func (database) update(ctx context.Context, id string, olds, news values) error {
	name := pq.QuoteIdentifier(id)
	statements := []string{
		fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT %d", name, news.number("connectionLimit")),
		comment("DATABASE", news),
	}
	if owner := news.text("owner"); owner != "" && owner != olds.text("owner") {
		statements = append(statements, fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", name, pq.QuoteIdentifier(owner)))
	}
	return run(ctx, statements...)
}

// remove never throws people out: PostgreSQL refuses while somebody is connected.
func (database) remove(ctx context.Context, id string) error {
	return run(ctx, "DROP DATABASE IF EXISTS "+pq.QuoteIdentifier(id))
}
