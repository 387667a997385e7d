"""Stacks in a rehearsal: the real engine, program and plan, and providers that are asked and do nothing."""

import uuid

import pytest

from connectors.pulumi.copying import without_secrets
from sandbox.pulumi.project import StackSettings
from sandbox.pulumi.request import MakeRequest, RefreshRequest
from tests.sandbox.pulumi.conftest import ONE_LOOP, Database, Stack, said

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]

ONE = """
import pulumi

class Database(pulumi.CustomResource):
    def __init__(self, name, database):
        super().__init__("banksman:postgres:Database", name, {"name": database})

Database("shop", "NAME_shop")
pulumi.export("token", pulumi.Output.secret("secret-canary-77e1"))
"""
OTHER = ONE.replace('Database("shop", "NAME_shop")', 'Database("crew", "NAME_crew")')


@pytest.fixture
def unmade() -> bool:
    return False


def played(stack: Stack) -> Stack:
    stack.engine_options = {**stack.engine_options, "played": True}
    return stack


async def test_a_played_update_creates_and_deletes_in_the_state_and_nowhere_else(
    stack: Stack, database: Database
) -> None:
    one, other = (code.replace("NAME", stack.name) for code in (ONE, OTHER))
    await stack.applied(one)
    before = dict(database.made_by(stack.name))
    assert f"{stack.name}_shop" in before

    planned = await played(stack).preview(other)
    assert planned.ended == "done", said(planned)
    done = await stack.up(other, planned)
    assert done.ended == "done", said(done)
    step = done.step("up")
    assert step is not None
    assert (step.changes["create"], step.changes["delete"]) == (1, 1)
    after = await stack.text(done.state_after)
    assert f"{stack.name}_crew" in after
    assert f"{stack.name}_shop" not in after
    assert dict(database.made_by(stack.name)) == before, "nothing outside was created or deleted"

    seen = await stack.pulumi.refresh(RefreshRequest.model_validate(stack.fields()), stack.secrets)
    assert seen.ended == "done", said(seen)
    looked = seen.step("refresh")
    assert looked is not None
    assert set(looked.changes) <= {"same"}, "what is not there really is as the state says"


async def test_the_same_update_is_had_where_nobody_plays(stack: Stack, database: Database) -> None:
    """Or the test above would show nothing."""
    one, other = (code.replace("NAME", stack.name) for code in (ONE, OTHER))
    await stack.applied(one)
    planned = await stack.preview(other)
    done = await stack.up(other, planned)
    assert done.ended == "done", said(done)
    assert set(database.made_by(stack.name)) == {f"{stack.name}_crew"}


async def test_a_copied_state_is_planned_on_as_the_real_one_without_its_key_and_its_secrets(stack: Stack) -> None:
    code = ONE.replace("NAME", stack.name)
    _, applied = await stack.applied(code)
    assert applied.state_after is not None
    copied, secrets = without_secrets(await stack.store.get(applied.state_after))
    assert secrets > 0
    assert b"ciphertext" not in copied
    assert b"salt" not in copied

    stack.make()
    stack.settings, stack.passphrase = StackSettings(), f"of-the-rehearsal-{uuid.uuid4().hex}"
    asked = {**played(stack).fields(), "exported": await stack.store.put(copied)}
    made = await stack.pulumi.make(MakeRequest.model_validate(asked), stack.secrets)
    assert made.ended == "done", said(made)
    planned = await stack.preview(code)
    assert planned.ended == "done", said(planned)
    step = planned.step("preview")
    assert step is not None
    assert set(step.changes) == {"same"}, said(planned)
    again = await stack.pulumi.make(MakeRequest.model_validate({**asked, "run_id": "again"}), stack.secrets)
    assert again.ended != "done", "a stack that has something is left as it is"
