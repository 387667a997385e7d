"""The honest way: a real program, a real provider, a real database, and a plan between the two."""

import pytest

from sandbox.pulumi.outcome import ResourceProgress
from tests.sandbox.pulumi.conftest import ONE_LOOP, Database, Stack, said

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]

PROGRAM = """
import pulumi

class Database(pulumi.CustomResource):
    def __init__(self, name, database):
        super().__init__("banksman:postgres:Database", name, {"name": database})

print("hello from the program")
Database("shop", "NAME_shop")
pulumi.export("database", "NAME_shop")
"""


async def test_a_plan_is_applied_and_nothing_is_left(stack: Stack, database: Database) -> None:
    code = PROGRAM.replace("NAME", stack.name)
    seen: list[ResourceProgress] = []
    planned = await stack.preview(code)
    assert planned.ended == "done", said(planned)
    assert planned.plan is not None
    assert [one.name for one in planned.steps] == ["create", "before", "preview"]
    assert f"{stack.name}_shop" not in database.names
    applied = await stack.up(code, planned, on_progress=seen.append)
    assert applied.ended == "done", said(applied)
    assert f"{stack.name}_shop" in database.names
    assert applied.identity_before != applied.identity_after
    assert ("done", "create", "banksman:postgres:Database") in {(one.what, one.op, one.type) for one in seen}
    assert "hello from the program" in applied.program_output
    assert await stack.resources(applied.state_after) == [
        "banksman:postgres:Database",
        "pulumi:providers:banksman",
        "pulumi:pulumi:Stack",
    ]
    again = await stack.preview(code)
    assert again.ended == "done", said(again)
    assert [one.name for one in again.steps] == ["before", "preview"], "a stack that is there is not made"
    step = again.step("preview")
    assert step is not None
    assert set(step.changes) == {"same"}
