"""A step's creation: the goal's own mark, and a longer look from the second attempt on."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.creation import created_for_step
from connectors.creation import Creation, mark


@pytest.mark.parametrize(("attempt", "looks"), [(1, 1), (2, 2)])
async def test_what_is_marked_and_how_often_it_is_looked_for(attempt: int, looks: int) -> None:
    asked: list[str] = []

    async def find(wanted: str) -> Sequence[str]:
        asked.append(wanted)
        return []

    async def create(wanted: str) -> str:
        return wanted

    creation = Creation(what="it", find=find, create=create, id_of=str, shows_within=timedelta(seconds=1))
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, workflow_id="make/a", attempt=attempt)
    made = await environment.run(created_for_step, creation, "first")
    assert (made.resource, made.adopted) == (mark("make/a", "first"), False)
    assert asked == [mark("make/a", "first")] * looks
