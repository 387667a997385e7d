"""What the tests need is got before they run; what cannot be had is said, and stops nothing."""

import pytest

from deploy.local.docker import DockerUnavailable
from deploy.local.tools import ToolUnavailableError
from tests.prepare import told


@pytest.mark.parametrize("error", [ToolUnavailableError("go is not here"), DockerUnavailable("no engine is here")])
async def test_what_cannot_be_had_is_told(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    async def getting() -> None:
        raise error

    await told(getting())
    assert capsys.readouterr().err == f"» {error}; the tests that need it will be skipped\n"


async def test_a_mistake_of_ours_is_not_taken_for_a_tool_that_is_missing() -> None:
    async def getting() -> None:
        raise TypeError

    with pytest.raises(TypeError):
        await told(getting())
