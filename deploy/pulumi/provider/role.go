package main

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/lib/pq"
)

// role is a PostgreSQL role. Its password cannot be read back: a change of it by hand is not seen.
type role struct{}

func (role) fields() []field {
	return []field{
		{name: "name", replaces: true},
		{name: "login", standard: false},
		{name: "connectionLimit", standard: -1.0},
		{name: "password", optional: true},
		{name: "comment", standard: ""},
	}
}

func (role) refuse(name string, value any) string {
	switch name {
	case "name":
		return refuseName(value)
	case "connectionLimit":
		return refuseLimit(value)
	case "login":
		if _, is := value.(bool); !is {
			return "must be true or false"
		}
		return ""
	}
	if _, is := value.(string); !is {
		return "must be a text"
	}
	return ""
}

func (role) identity(in values) string { return in.text("name") }

func (role) create(ctx context.Context, in values) error {
	options, err := roleOptions(in)
	if err != nil {
		return err
	}
	return run(ctx, "CREATE ROLE "+pq.QuoteIdentifier(in.text("name"))+options, comment("ROLE", in))
}

func roleOptions(in values) (string, error) {
	options := fmt.Sprintf(" CONNECTION LIMIT %d NOLOGIN", in.number("connectionLimit"))
	if in.yes("login") {
		options = fmt.Sprintf(" CONNECTION LIMIT %d LOGIN", in.number("connectionLimit"))
	}
	password := in.text("password")
	if password == "" {
		return options + " PASSWORD NULL", nil
	}
	verifier, err := scram(password)
	return options + " PASSWORD " + pq.QuoteLiteral(verifier), err
}

func (role) read(ctx context.Context, id string, known values) (values, error) {
	var login bool
	var limit int
	var said string
	err := lookUp(ctx, `SELECT rolcanlogin, rolconnlimit, coalesce(shobj_description(oid, 'pg_authid'), '')
		FROM pg_roles WHERE rolname = $1`, id, &login, &limit, &said)
	found := values{"name": id, "login": login, "connectionLimit": float64(limit), "comment": said}
	if password := known.text("password"); password != "" {
		found["password"] = password
	}
	return found, err
}

func (role) update(ctx context.Context, id string, _, news values) error {
	options, err := roleOptions(news)
	if err != nil {
		return err
	}
	return run(ctx, "ALTER ROLE "+pq.QuoteIdentifier(id)+options, comment("ROLE", news))
}

func (role) remove(ctx context.Context, id string) error {
	return run(ctx, "DROP ROLE IF EXISTS "+pq.QuoteIdentifier(id))
}

// scram makes the verifier that PostgreSQL would make (RFC 5803), so that no statement, and no log of the server,
// holds the password.
func scram(password string) (string, error) {
	const rounds = 4096
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(sign(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s",
		rounds, encode(salt), encode(stored[:]), encode(sign(salted, "Server Key"))), nil
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
