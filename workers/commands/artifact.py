"""`banksman artifact`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from connectors.artifacts import ArtifactStore
from connectors.errors import ConnectorError
from workers.commands.exits import err, fail
from workers.commands.folder import stack_folder
from workers.commands.processes import load_settings


def artifact(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="As a result names it: sha256:…")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; stdout when left out.")
    ] = None,
) -> None:
    """Fetch what was too large for a result."""
    folder = stack_folder()
    location = str(folder.artifacts) if folder.read() else load_settings().artifacts
    try:
        content = asyncio.run(ArtifactStore(location).get(reference))
    except ConnectorError as error:
        fail(str(error))
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)
        err.print(f"wrote {len(content)} bytes to {output}")
