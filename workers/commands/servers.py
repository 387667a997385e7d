"""The servers of `banksman up --observability`, had before anything starts; loaded by that alone."""

import asyncio

from deploy.local.telemetry.programs import find_programs
from deploy.local.telemetry.servers import Programs
from deploy.local.tools import ToolUnavailableError
from workers.commands.exits import err, fail


def find_servers() -> Programs:
    """All of them. A machine that cannot have one is told so in one line."""
    try:
        return asyncio.run(find_programs(lambda line: err.print(f"» {line}", markup=False)))
    except ToolUnavailableError as error:
        fail(f"--observability cannot be had: {error}")
