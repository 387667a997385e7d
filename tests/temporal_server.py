"""The real Temporal development server, from its wheel and with the embedded environment's settings."""

import contextlib
import functools
import sys
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from deploy.temporal import development_server_options
from workflows.plugin import banksman_plugin

_ATTEMPTS = 4


async def start_server() -> WorkflowEnvironment:
    """One that nobody else uses; the SDK gives it five seconds to answer, too little on a busy machine: tried again.

    Raises:
        RuntimeError: It does not start.
    """
    start = functools.partial(
        WorkflowEnvironment.start_local,
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        plugins=[banksman_plugin()],
        dev_server_log_level="error",
        dev_server_extra_args=development_server_options(),
    )
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(RuntimeError):
            return await start()
    return await start()
