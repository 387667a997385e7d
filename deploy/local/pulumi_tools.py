"""What this machine has of Pulumi: rows of `banksman doctor`. Nothing is fetched or built for them."""

from pathlib import Path
from typing import Final

from deploy.images.pulumi_cli import BUILT, CLI_VERSION, HOST_VERSION, HOW
from deploy.images.pulumi_programs import PROVIDER, programs_folder
from deploy.local.postgres import HOW_TO_GET, LEAST, find_postgres
from deploy.local.tools import DEFAULT_CACHE, ToolReport, ToolUnavailableError

_GET: Final = (
    "`banksman up` and `make images` take it from PATH, from its release, or build it with Go: https://go.dev/dl/"
)
_BUILD: Final = "`banksman up` and `make images` build it; that needs Go: https://go.dev/dl/"
_PROVIDER_VERSION: Final = PROVIDER.partition("/")[0].rpartition("-v")[2]


async def survey_pulumi(cache: Path = DEFAULT_CACHE) -> list[ToolReport]:
    """Its CLI, its Python host, our own provider, and the PostgreSQL that keeps its state."""
    folder = programs_folder(cache)
    how = _how(folder)
    return [
        _held(
            "pulumi", folder / "pulumi", version=CLI_VERSION, how=how, how_to_get=_GET,
            needed_for="Pulumi stacks: its CLI, for the engine's image",
        ),
        _held(
            "pulumi python host", folder / "pulumi-language-python",
            version=HOST_VERSION if how == BUILT else CLI_VERSION, how=how, how_to_get=_GET,
            needed_for="Pulumi stacks: programs in Python",
        ),
        _held(
            "pulumi provider", folder / "plugins" / PROVIDER, version=_PROVIDER_VERSION, how=BUILT, how_to_get=_BUILD,
            needed_for="Pulumi stacks: the example's resources",
        ),
        await _postgres(),
    ]  # fmt: skip


def _how(folder: Path) -> str:
    """How the CLI and the host were had."""
    try:
        return (folder / HOW).read_text(encoding="utf-8")
    except FileNotFoundError:
        return BUILT


def _held(  # noqa: PLR0913 - a row of the table
    name: str, program: Path, *, version: str, how: str, how_to_get: str, needed_for: str
) -> ToolReport:
    found = program.is_file()
    return ToolReport(
        name=name,
        found=found,
        version=version.removeprefix("v") if found else None,
        path=str(program) if found else None,
        how=f"in the cache, {how}" if found else None,
        needed_for=needed_for,
        required=False,
        how_to_get=how_to_get,
    )


async def _postgres() -> ToolReport:
    try:
        found = await find_postgres()
    except ToolUnavailableError:
        found = None
    return ToolReport(
        name="postgresql",
        found=found is not None,
        version=found.version if found else None,
        path=str(found.programs / "postgres") if found else None,
        how=found.how if found else None,
        needed_for="Pulumi stacks: their state, in the embedded environment",
        required=False,
        how_to_get=f"{HOW_TO_GET}, or PostgreSQL {LEAST} or newer on PATH",
    )
