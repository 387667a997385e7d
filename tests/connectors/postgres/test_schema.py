"""What a schema is: each change of it is seen, and nothing else; and which migrations a database says it has had."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.neon.twin.app import create_twin
from connectors.postgres.schema import VERSIONS, look_at_schema
from connectors.postgres.session import Database, Server, connected
from tests.connectors.neon.at_neon import MAIN, AtNeon, config
from tests.connectors.serving import served_twin

pytestmark = pytest.mark.timeout(180)

THERE = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE SCHEMA app;
CREATE TABLE app.orders (id int PRIMARY KEY, at timestamptz DEFAULT now(), mood mood, parent int);
CREATE TABLE app.lines (id int, price int CHECK (price > 0));
CREATE VIEW app.cheap AS SELECT id FROM app.lines WHERE price < 10;
CREATE FUNCTION app.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
"""
CHANGES = (
    "CREATE SCHEMA other",
    "CREATE TABLE app.more (id int)",
    "CREATE OR REPLACE VIEW app.cheap AS SELECT id FROM app.lines WHERE price < 11",
    "DROP VIEW app.cheap",
    "ALTER TABLE app.orders ADD COLUMN total int",
    "ALTER TABLE app.orders ALTER COLUMN at SET NOT NULL",
    "ALTER TABLE app.orders ALTER COLUMN at DROP DEFAULT",
    "ALTER TABLE app.lines ALTER COLUMN id TYPE bigint",
    "ALTER TABLE app.lines ADD UNIQUE (id)",
    "ALTER TABLE app.lines DROP CONSTRAINT lines_price_check",
    "ALTER TABLE app.orders ADD FOREIGN KEY (parent) REFERENCES app.orders (id)",
    "CREATE INDEX by_at ON app.orders (at)",
    "ALTER TYPE mood ADD VALUE 'so'",
    "CREATE OR REPLACE FUNCTION app.one() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "CREATE TRIGGER noted BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.noted()",
    "ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY mine ON app.orders USING (id > 0)",
    "CREATE SEQUENCE app.numbers",
    "ALTER TABLE app.orders DROP COLUMN at",
    "CREATE DOMAIN app.positive AS int CHECK (VALUE > 0)",
)
NO_CHANGES = (
    "INSERT INTO app.orders VALUES (1)",
    "GRANT SELECT ON app.orders TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "ANALYZE",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served_twin(create_twin(config(tmp_path))) as served:
        query = {"branch_id": MAIN, "database_name": "shop", "role_name": "shop_owner"}
        uri = AtNeon(served).ask("GET", "/connection_uri", params=query)["uri"]
        yield Server.of(SecretStr(uri), what="the shop")


async def digest(database: Database) -> str:
    return (await look_at_schema(database)).digest


async def test_each_change_is_seen_and_nothing_else(server: Server) -> None:
    async with connected(server) as database:
        await database.run(THERE)
        before = await digest(database)
        for change in NO_CHANGES:
            await database.run(change)
            assert await digest(database) == before, change
        for change in CHANGES:
            await database.run(change)
            after = await digest(database)
            assert after != before, change
            before = after


async def test_it_says_which_migrations_were_done_and_not_when(server: Server) -> None:
    async with connected(server) as database:
        await database.run("CREATE TABLE django_migrations (id serial, app text, name text, applied timestamptz)")
        await database.run("CREATE TABLE unlike_any (version text)")
        before = await look_at_schema(database)
        assert list(before.versions) == ["public.django_migrations"]
        await database.run("INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0001', now())")
        done = await look_at_schema(database)
        assert done.digest != before.digest
        await database.run("UPDATE django_migrations SET applied = now() + interval '1 day', id = 7")
        assert (await look_at_schema(database)).digest == done.digest
        await database.run("INSERT INTO unlike_any VALUES ('1')")
        assert (await look_at_schema(database)).digest == done.digest


async def test_a_table_of_that_name_with_other_columns_is_a_table_like_any(server: Server) -> None:
    async with connected(server) as database:
        await database.run('CREATE TABLE migrations (run_at timestamptz); CREATE SCHEMA "odd ""one"')
        await database.run('CREATE TABLE "odd ""one"."schema_migrations" (version text)')
        assert set((await look_at_schema(database)).versions) == {"public.migrations", 'odd "one.schema_migrations'}


def test_the_tools_that_are_known_are_named_in_small_letters() -> None:
    assert all(name == name.lower() and columns for name, columns in VERSIONS.items())
