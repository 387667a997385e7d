"""`banksman models`: which language models a deployment has, and whether each answers. Needs no Temporal server."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import SecretStr
from rich.markup import escape

from connectors.errors import ConnectorError, Unavailable
from connectors.models.capabilities import capabilities
from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef, Models
from connectors.models.file import ModelsError, load_models
from connectors.models.manifest import KEYS, REQUEST
from connectors.models.messages import Message, Prompt, Text
from connectors.models.prices import MICROS, cost, priced
from connectors.models.raw import Key
from connectors.vault import SecretIdAlarm
from workers.commands.connection import command_telemetry
from workers.commands.exits import Exit, fail, out, shown, wrapped
from workers.commands.folder import running_stack
from workers.commands.processes import load_settings
from workers.commands.worker import with_credentials
from workers.process import CannotStart, logged_in
from workers.settings import Role

Fields = Mapping[str, SecretStr]
KeyOf = Callable[[str], Awaitable[Fields]]
"""The secret of a backend, by its name."""

_TTL: Final = timedelta(minutes=1)
_TINY: Final = Prompt(
    messages=(Message(role="user", parts=(Text(text="Answer with the word ready."),)),), max_tokens=64
)

models = typer.Typer(help="Show which language models there are, and ask each.", no_args_is_help=True)

FileArgument = Annotated[Path | None, typer.Argument(metavar="FILE", help="The file.", show_default="BANKSMAN_MODELS")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model.

    Attributes:
        model: `backend/model`.
        uses: What it may be asked for.
        data: The labels of the data that may go there.
        tools: Whether it takes tools, as far as is known.
        enforced_schema: Whether its backend holds answers to a schema, as far as is known.
        context: Tokens that it takes.
        input_usd: For a million tokens.
        output_usd: For a million tokens.
        answered: Whether it answered; None where nobody asked.
        said: How long that took, or why not.
    """

    model: str
    uses: tuple[str, ...]
    data: tuple[str, ...]
    tools: bool
    enforced_schema: bool
    context: int | None
    input_usd: float | None
    output_usd: float | None
    answered: bool | None = None
    said: str = ""


@models.command()
def show(path: FileArgument = None, *, as_json: JsonOption = False) -> None:
    """Show the models of a file, what is known of each, and which data may go there; nobody is asked."""
    found = models_file(path)
    _print([_row(found, ref) for ref in found.asked], as_json=as_json)


@models.command()
def check(path: FileArgument = None, *, as_json: JsonOption = False) -> None:
    """Ask each model for one word, with the key from Vault where it wants one; that costs a few tokens."""
    found = models_file(path)
    telemetry = command_telemetry(load_settings())
    try:
        rows = asyncio.run(_check(found))
    finally:
        telemetry.shutdown()
    _print(rows, as_json=as_json)
    if any(one.answered is False for one in rows):
        raise typer.Exit(int(Exit.FAILED))


def models_file(path: Path | None) -> Models:
    """The file, BANKSMAN_MODELS or that of the running environment; ends where there is none that can be used."""
    path = path or load_settings().models or _of_running_stack()
    if path is None:
        fail("name a file, or set BANKSMAN_MODELS; deploy/models.yaml is one to begin with", Exit.USAGE)
    try:
        return load_models(path)
    except ModelsError as error:
        fail(f"the file cannot be used:\n{error}", Exit.USAGE)


def _of_running_stack() -> Path | None:
    stack = running_stack()
    return Path(stack.models) if stack is not None and stack.models is not None else None


async def _check(found: Models) -> list[Row]:
    async with _keys(found) as key_of:
        client = ModelClient(found)
        return list(await asyncio.gather(*(asked(client, ref, key_of) for ref in found.asked)))


async def asked(client: ModelClient, ref: ModelRef, key_of: KeyOf) -> Row:
    """One model, asked once.

    Args:
        client: Asks.
        ref: Whom.
        key_of: The secret of its backend.
    """
    row, began = _row(client.models, ref), time.monotonic()
    try:
        keyless = client.models.backends[ref.backend].key is Key.NONE
        answer = await client.ask(ref, _TINY, {} if keyless else await key_of(ref.backend))
    except ConnectorError as error:
        if isinstance(error, Unavailable) and ref.backend in client.models.served:
            return replace(row, said="no machine serves it now")
        return replace(row, answered=False, said=f"{type(error).__name__}: {error}")
    micros = cost(client.models, ref, answer.tokens) if answer.tokens else None
    spent = f", ${micros / MICROS:.6f}" if micros is not None else ""
    counted = "" if answer.tokens else ", and counted no tokens"
    said = f"{time.monotonic() - began:.1f} s, {answer.ended}{spent}{counted}"
    return replace(row, answered=True, said=said)


@asynccontextmanager
async def _keys(found: Models) -> AsyncGenerator[KeyOf]:
    """Reads keys as the models worker does; nobody logs in where no backend wants one."""
    if all(one.key is Key.NONE for one in found.backends.values()):
        yield _nothing
        return
    settings, credentials = await with_credentials(Role.MODELS, who="a check of keys in Vault")
    try:
        async with logged_in(Role.MODELS, settings, credentials) as vault:

            async def key_of(backend: str) -> Fields:
                told = {"workflow_id": "", "run_id": "", "attempt": "1"}
                async with vault.step(REQUEST.name, metadata=told, ttl=_TTL) as token:
                    return await token.read(KEYS.at(backend))

            yield key_of
    except SecretIdAlarm as alarm:
        fail(f"ALARM: {alarm}")
    except (CannotStart, ConnectorError) as error:
        fail(f"the keys cannot be read: {error}")


async def _nothing(backend: str) -> Fields:
    del backend
    return {}


def _row(found: Models, ref: ModelRef) -> Row:
    known, price = capabilities(found, ref), priced(found, ref)
    return Row(
        model=str(ref),
        uses=tuple(use.value for use in found.routes if ref in found.route(use)),
        data=tuple(sorted(found.data.get(ref.backend, ()))),
        tools=known.tools,
        enforced_schema=known.enforced_schema,
        context=known.context,
        input_usd=price.input_micros / MICROS if price else None,
        output_usd=price.output_micros / MICROS if price else None,
    )


def _print(rows: list[Row], *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps([asdict(one) for one in rows]))
        return
    for one in rows:
        said = f"  {escape(shown(one.said))}" if one.said else ""
        out.print(f"{_mark(one.answered)} [bold]{escape(one.model)}[/]{said}", soft_wrap=True)
        out.print(f"[dim]{escape(wrapped(' · '.join(_known(one)), indent=2))}[/]", soft_wrap=True)


def _mark(answered: bool | None) -> str:
    return "[dim]·[/]" if answered is None else "[green]✓[/]" if answered else "[red]✗[/]"


def _known(row: Row) -> tuple[str, ...]:
    price = (
        "price unknown" if row.input_usd is None else f"${row.input_usd:g} in, ${row.output_usd:g} out (per million)"
    )
    return (
        f"for {', '.join(row.uses) or 'nothing'}",
        f"takes {', '.join(row.data)} data",
        "tools" if row.tools else "no tools",
        "enforces schemas" if row.enforced_schema else "is asked for schemas",
        f"{row.context:,} tokens" if row.context else "context unknown",
        price,
    )
