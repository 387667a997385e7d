"""The description of Ollama's API that a release of its source carries: a Go module of a fixed version, which Go holds
against its checksum database. It is kept outside of the repository.
"""

import json
import shutil
from pathlib import Path
from typing import Final

from deploy.local.tools import DEFAULT_CACHE, Tool, ToolUnavailableError, resolve, run_program

MODULE: Final = "github.com/ollama/ollama"
DESCRIBED: Final = "v0.17.4"
DESCRIPTION: Final = DEFAULT_CACHE / f"ollama-{DESCRIBED}.yaml"
"""Where the description is kept."""
_DOWNLOAD: Final = 300.0


async def find_description(kept: Path = DESCRIPTION) -> Path:
    """Its `docs/openapi.yaml`, 23 MB to download the first time.

    Raises:
        ToolUnavailableError: Go is not here, or the module cannot be had.
    """
    if kept.exists():
        return kept
    go = await resolve(Tool.GO)
    kept.parent.mkdir(parents=True, exist_ok=True)
    code, said = await run_program(
        [*go.command, "mod", "download", "-json", f"{MODULE}@{DESCRIBED}"], seconds=_DOWNLOAD, cwd=kept.parent
    )
    if code != 0:
        raise ToolUnavailableError(f"{MODULE}@{DESCRIBED} cannot be had: {said.strip()[-300:]}")
    found = Path(str(json.loads(said[said.index("{") :])["Dir"])) / "docs" / "openapi.yaml"
    whole = kept.with_suffix(".part")
    shutil.copyfile(found, whole)
    whole.replace(kept)
    return kept
