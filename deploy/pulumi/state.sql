-- The database of one environment's Pulumi state, and the two roles that reach it. Run it by psql (14 or newer) as a
-- superuser of PostgreSQL 16 or newer; again whenever something changed or a password is to be another: it puts right
-- what is there. Its own environment says the rest, for arguments are seen by everybody on a machine:
--   BANKSMAN_STATE_DATABASE   the database
--   BANKSMAN_STATE_ROLES      how the roles' names begin: banksman makes banksman_look, banksman_change, banksman_state
--   BANKSMAN_LOOK_PASSWORD    of the role that previews and refreshes: it reads and writes states, and reads catalogues
--   BANKSMAN_CHANGE_PASSWORD  of the role that also makes databases and roles, after people said yes
\set ON_ERROR_STOP on
\getenv database BANKSMAN_STATE_DATABASE
\getenv roles BANKSMAN_STATE_ROLES
\getenv look_password BANKSMAN_LOOK_PASSWORD
\getenv change_password BANKSMAN_CHANGE_PASSWORD
\set state :roles _state
\set look :roles _look
\set change :roles _change

-- A statement that fails would be logged with its password.
SELECT rolsuper FROM pg_roles WHERE rolname = current_user
\gset
\if :rolsuper
  SET log_min_error_statement = panic;
  SET log_statement = none;
  SET log_min_duration_statement = -1;
\endif
SET password_encryption = 'scram-sha-256';

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY[:'state', :'look', :'change']) AS name
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
ALTER ROLE :"state" NOLOGIN NOCREATEDB NOCREATEROLE;
ALTER ROLE :"look" LOGIN NOCREATEDB NOCREATEROLE PASSWORD :'look_password';
ALTER ROLE :"change" LOGIN CREATEDB CREATEROLE PASSWORD :'change_password';
-- Without it, it could not give a database to a role that it made itself.
ALTER ROLE :"change" SET createrole_self_grant = 'set, inherit';

SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING ''UTF8''', :'database')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database')
\gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"look", :"change";
-- In this database both are the one role that owns the tables, whoever of them made them; elsewhere neither is.
GRANT :"state" TO :"look", :"change" WITH INHERIT FALSE, SET TRUE;
ALTER ROLE :"look" IN DATABASE :"database" SET role = :"state";
ALTER ROLE :"change" IN DATABASE :"database" SET role = :"state";

\connect :"database"
ALTER SCHEMA public OWNER TO :"state";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
