"""`banksman twin`: a provider's twin as a process."""

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from pydantic import BaseModel
from starlette.applications import Starlette

from connectors.provider import twins
from workers.commands.exits import Exit, fail
from workers.commands.processes import load_settings, telemetry_for
from workers.commands.served import serve


class _Configuration(Protocol):
    @property
    def listen(self) -> str: ...


class _Twin(Protocol):
    """The module of a twin."""

    TwinConfig: type[BaseModel]

    def create_twin(self, config: BaseModel) -> Starlette: ...


def twin(provider: str, configuration: Path) -> None:
    """Run a provider's twin from its configuration file."""
    if provider not in twins():
        fail(f"there is no twin of {provider!r}; there are: {', '.join(twins())}", Exit.USAGE)
    module = cast("_Twin", import_module(f"connectors.{provider}.twin.app"))
    found = module.TwinConfig.model_validate_json(configuration.read_text(encoding="utf-8"))
    telemetry = telemetry_for(f"twin-{provider}", load_settings(), temporal=False)
    serve(module.create_twin(found), cast("_Configuration", found).listen, telemetry)
