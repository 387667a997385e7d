"""What tests of deployed services wait for."""

import asyncio
from typing import Final

import pytest

from deploy.local.processes.control import Ask, ask
from tests.stack.running import Running, eventually
from tests.stack.test_stacks import FIRST_TIME

_MISSING: Final = "there is no "


def require_services(stack: Running) -> None:
    """Wait until services can be deployed, which takes minutes the first time. Skip where they never can."""

    def there() -> bool:
        reply = asyncio.run(ask(stack.home / "control.sock", Ask(op="status")))
        notes = reply.notes if reply else ()
        if missing := [note for note in notes if note.startswith(_MISSING)]:
            pytest.skip(missing[0])
        return "Pulumi is ready" in notes and stack.pid("platform") is not None

    eventually(there, seconds=FIRST_TIME, what="Pulumi and the platform")
