"""Replay recorded histories in a process that cannot import any library of a model's provider; run as a script.

What a workflow decides is thus none of those libraries' doing, so that an upgrade of one needs no patch.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

LIBRARIES: Final = ("anthropic", "boto3", "botocore", "genai_prices", "httpx2", "openai", "pydantic_ai")
"""As `pyproject.toml` forbids them to all but `connectors.models`."""


async def _replay(paths: list[Path]) -> int:
    from temporalio.client import WorkflowHistory  # noqa: PLC0415 - after the libraries are out of reach
    from temporalio.worker import Replayer  # noqa: PLC0415

    from workflows.implementations import WORKFLOWS  # noqa: PLC0415
    from workflows.plugin import banksman_plugin  # noqa: PLC0415

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for path in paths:
            text = path.read_text(encoding="utf-8")
            started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
            yield WorkflowHistory.from_json(started["workflowId"], text)

    replayer = Replayer(workflows=WORKFLOWS, plugins=[banksman_plugin()])
    await replayer.replay_workflows(histories())  # one worker for all of them
    return len(paths)


def main() -> None:
    """Replay the histories that are named; say how many."""
    for name in LIBRARIES:
        sys.modules[name] = None  # pyright: ignore[reportArgumentType] - how the import system is told that there is none
    sys.stdout.write(f"{asyncio.run(_replay([Path(one) for one in sys.argv[1:]]))}\n")


if __name__ == "__main__":
    main()
