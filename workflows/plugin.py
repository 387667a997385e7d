"""What Banksman sets of Temporal's SDK, as one plugin. Whoever runs workflows or replays them uses it.

A client that has it hands it on to every worker made of it: how values are written, how failures are said, in which
sandbox workflows run, and what looks at everything that reaches them.
"""

from typing import Final

from temporalio.converter import PayloadCodec
from temporalio.plugin import SimplePlugin

from workflows.converter import data_converter
from workflows.runner import sandbox_runner

_NAME: Final = "banksman"


def banksman_plugin(codec: PayloadCodec | None = None) -> SimplePlugin:
    """The plugin of clients, workers and replayers.

    Args:
        codec: Encrypts payloads; None in development.
    """
    return SimplePlugin(_NAME, data_converter=data_converter(codec), workflow_runner=sandbox_runner())
