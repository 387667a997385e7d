"""What the tests need is got before they run; how far it is, is told; what cannot be had stops nothing."""

import asyncio

import pytest

from deploy.local.container_engine.found import DockerUnavailable
from deploy.local.tools import ToolUnavailableError
from tests.prepare import Told


async def nothing() -> None:
    """Something that is there already."""


@pytest.mark.parametrize("error", [ToolUnavailableError("go is not here"), DockerUnavailable("no engine is here")])
async def test_what_cannot_be_had_is_told_and_stops_nothing(error: Exception) -> None:
    async def getting() -> None:
        raise error

    said: list[str] = []
    await Told({"the engine": getting(), "promtool": nothing()}, say=said.append).run()
    assert any(f"cannot be had: the engine: {error}; the tests that need it will be skipped" in line for line in said)
    assert said[-1].startswith("2 of 2 after ")
    assert any(line.endswith("ready: promtool") for line in said)


async def test_a_mistake_of_ours_is_not_taken_for_a_tool_that_is_missing() -> None:
    async def getting() -> None:
        raise TypeError

    with pytest.raises(TypeError):
        await Told({"it": getting()}, say=lambda _: None).run()


async def test_what_takes_long_tells_what_it_is_at_and_how_far_it_is() -> None:
    said: list[str] = []
    seen, enough = 0, asyncio.Event()

    def say(line: str) -> None:
        nonlocal seen
        said.append(line)
        seen += "still at the images" in line
        if seen > 1:
            enough.set()

    await Told({"promtool": nothing(), "the images": enough.wait()}, say=say, heartbeat=0.01).run()
    assert said[0] == "getting 2 parts that the tests need, side by side: promtool, the images"
    assert "kept in" in said[1]
    assert [line for line in said if line.startswith("1 of 2 after") and line.endswith("still at the images")]
    assert said[-1].endswith("ready: the images")
