"""A provider that is refused for a limit in the middle of an update: a server's own limit of connections."""

import uuid

import pytest

from connectors.pulumi.outcome import Ended
from tests.sandbox.pulumi.conftest import ONE_LOOP, Database
from tests.sandbox.pulumi.steps.conftest import CHANGE_PASSWORD, Shop
from tests.sandbox.pulumi.steps.test_bad_days import HISTORY

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]

# The doorway is the database that the provider logs in to, whatever it makes then.
BEGIN = """
import pulumi

def database(name, called, limit, **options):
    properties = {"name": called, "connectionLimit": limit}
    return pulumi.CustomResource("banksman:postgres:Database", name, properties, pulumi.ResourceOptions(**options))

"""
FIRST_DAY = BEGIN + 'database("doorway", "DOORWAY", -1, import_="DOORWAY")\n'
# Three, one after the other: the second one uses up what the third one needs.
LATER = BEGIN + (
    'first = database("first", "NAME_first", -1)\n'
    'doorway = database("doorway", "DOORWAY", LIMIT, depends_on=[first])\n'
    'database("last", "NAME_last", -1, depends_on=[doorway])\n'
)


@pytest.fixture
def doorway(database: Database) -> str:
    name = f"doorway_{uuid.uuid4().hex[:8]}"
    database.asked(f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    return name


@pytest.fixture
def said(doorway: str) -> dict[str, object]:
    logins = {"PGHOST": "{state.host}", "PGPORT": "{state.port}", "PGUSER": "{state-role}", "PGSSLMODE": "disable"}
    return {"environment": {**logins, "PGDATABASE": doorway}}


def names(found: tuple[object, ...]) -> list[str]:
    return [str(getattr(one, "urn", "")).rpartition("::")[2] for one in found]


async def test_a_limit_that_is_reached_half_way_is_named_and_nothing_is_tried_again(
    shop: Shop, database: Database, doorway: str
) -> None:
    database.asked(f"ALTER DATABASE {doorway} OWNER TO {shop.name}_change")
    later = LATER.replace("DOORWAY", doorway)
    await shop.deploy(FIRST_DAY.replace("DOORWAY", doorway))
    await shop.prepare(later.replace("LIMIT", "0"))
    changed = await shop.update(await shop.preview())

    outcome = changed.outcome
    assert outcome.ended is Ended.PARTIALLY_APPLIED, changed
    assert (names(outcome.done), names(outcome.not_done)) == (["doorway", "first"], ["last"])
    assert [(one.op, one.urn.rpartition("::")[2]) for one in outcome.failed] == [("create", "last")]
    words = f'too many connections for database "{doorway}"'
    assert words in outcome.errors[0], "as the server says it"
    assert outcome.next_step.startswith("A quota or limit is used up (")
    assert words in outcome.next_step
    assert CHANGE_PASSWORD not in changed.model_dump_json()
    assert shop.databases == ["first"]
    assert shop.database.asked(HISTORY, shop.name) == "2", "one update for each approval"

    database.asked(f"ALTER DATABASE {doorway} CONNECTION LIMIT 5")
    await shop.prepare(later.replace("LIMIT", "5"))
    refreshed = await shop.run(shop.looks.refresh_stack, await shop.look())
    again = await shop.update(await shop.preview(drift=refreshed.report))
    assert again.outcome.ended is Ended.APPLIED, again
    assert shop.databases == ["first", "last"]
