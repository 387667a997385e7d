"""`banksman worker`."""

import asyncio
from typing import Annotated

import typer
from pydantic import SecretStr

from connectors.errors import ConnectorError
from connectors.vault import SecretIdAlarm, WrappedSecretId
from deploy.local.processes.control import Ask, ask
from deploy.local.rehearsal.sealed import CannotSeal, require_sealed
from workers.commands.exits import Exit, fail
from workers.commands.folder import NO_STACK, stack_folder
from workers.commands.processes import load_settings, telemetry_for
from workers.process import CannotStart, Credentials, run_role
from workers.settings import Role, Settings, adopt


def worker(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help=f"Which worker: {', '.join(Role)}.")],
) -> None:
    """Run one worker in the foreground; without credentials of its own it asks the running environment."""
    settings, credentials = asyncio.run(with_credentials(role))
    if settings.rehearsal:
        _require_sealed()
    telemetry = telemetry_for(f"worker-{role}", settings)
    try:
        code = asyncio.run(run_role(role, settings, telemetry, credentials))
    except SecretIdAlarm as alarm:
        fail(f"ALARM: {alarm}")
    except (CannotStart, ConnectorError) as error:
        fail(str(error))
    finally:
        telemetry.shutdown()
    raise typer.Exit(code)


def _require_sealed() -> None:
    """What plays its effects must not be where they could be had: people would take them for done."""
    try:
        require_sealed(with_engine=True)
    except CannotSeal as error:
        fail(f"BANKSMAN_REHEARSAL is for the inside of a rehearsal, remove it: {error}")


async def with_credentials(role: Role, *, who: str = "a worker") -> tuple[Settings, Credentials | None]:
    """The settings, and what this role logs in with where they do not say it: then the running environment does."""
    settings = load_settings()
    if settings.vault_secret_id_fd is None and settings.vault_secret_id_file is None:
        return await _from_running_stack(role, who)
    return settings, None


async def _from_running_stack(role: Role, who: str) -> tuple[Settings, Credentials]:
    """What the environment gives its own worker of that role: settings that are not set here, and always its Vault."""
    reply = await ask(stack_folder().socket, Ask(op="secret-id", role=role))
    if reply is None:
        fail(f"{who} without credentials of its own asks the running environment, and {NO_STACK}", Exit.NO_STACK)
    if not reply.ok or reply.role_id is None or reply.secret is None:
        fail(reply.error or "the running environment gave no secret id")
    adopt(reply.settings, always={"BANKSMAN_VAULT_ADDRESS"})
    return load_settings(), Credentials(role_id=reply.role_id, wrapped=WrappedSecretId(token=SecretStr(reply.secret)))
