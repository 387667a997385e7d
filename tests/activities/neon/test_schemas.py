"""The steps that read schemas: the same digest whoever looks, and a difference without owners and rights."""

from activities.neon.migrations.contracts import COMPARE_SCHEMA, LOOK_AT_SCHEMA, CompareSchema, DatabasePlace
from activities.neon.migrations.looking import NeonSchemas
from hitl.protocol import PolicyContext
from tests.activities.github.at_work import at_work
from tests.activities.neon.at_neon import House
from tests.connectors.neon.at_neon import MAIN, OLD_IDEA, PROJECT, psql

MAIN_SHOP = DatabasePlace(project=PROJECT, branch=MAIN, database="shop")


def schemas(house: House) -> NeonSchemas:
    return NeonSchemas(house, base_url=house.neon.served.url)


def owner(house: House, branch: str) -> str:
    query = {"branch_id": branch, "database_name": "shop", "role_name": "shop_owner"}
    return str(house.neon.ask("GET", "/connection_uri", params=query)["uri"])


async def test_a_schema_is_looked_at_as_the_databases_owner_by_a_key_that_reads(house: House) -> None:
    step = at_work(LOOK_AT_SCHEMA.name)
    before = await step.run(schemas(house).look_at_schema, MAIN_SHOP)
    psql(owner(house, MAIN), "CREATE TABLE schema_migrations (version text)")
    after = await step.run(schemas(house).look_at_schema, MAIN_SHOP)
    assert before.digest != after.digest
    assert after.tables == ("public.schema_migrations",)
    assert house.asked == ["neon-read", "neon-read"]


async def test_two_branches_differ_by_what_goes_and_comes_and_not_by_owners_and_rights(house: House) -> None:
    psql(owner(house, MAIN), "CREATE TABLE orders (id int); CREATE TABLE old (id int)")
    changed = "CREATE ROLE other; GRANT other TO shop_owner; GRANT ALL ON SCHEMA public TO other"
    owned = "ALTER TABLE orders OWNER TO other; GRANT SELECT ON orders TO PUBLIC"
    psql(owner(house, OLD_IDEA), f"{changed}; CREATE TABLE orders (id int, total int); {owned}")
    request = CompareSchema(**{**MAIN_SHOP.model_dump(), "branch": OLD_IDEA}, base=MAIN)
    told = await at_work(COMPARE_SCHEMA.name).run(schemas(house).compare_schema, request)
    assert "+    total integer" in told.lines
    assert "-CREATE TABLE public.old (" in told.lines
    assert not [line for line in told.lines if "other" in line or "GRANT" in line]
    assert told.left_out == 0


async def test_a_long_difference_is_cut_and_told_by_its_digest(house: House) -> None:
    columns = ", ".join(f"c{number} int" for number in range(400))
    psql(owner(house, OLD_IDEA), f"CREATE TABLE wide ({columns})")
    request = CompareSchema(**{**MAIN_SHOP.model_dump(), "branch": OLD_IDEA}, base=MAIN)
    told = await at_work(COMPARE_SCHEMA.name).run(schemas(house).compare_schema, request)
    assert (len(told.lines), told.left_out) == (300, 102)
    assert told.digest.startswith("sha256:")


def test_the_policy_sees_the_database_and_what_for() -> None:
    assert MAIN_SHOP.policy_context() == PolicyContext(account=PROJECT, resource=f"{MAIN}/shop", purpose="migrate")
