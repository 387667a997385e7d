"""`banksman github forget`: what is kept of a person, a repository or an installation, shown, and deleted on request.

It works at Temporal and at the artifact store, with the rights that its caller has there, and asks no worker.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import AwareDatetime, BaseModel
from rich.markup import escape
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from connectors.errors import ConnectorError
from hitl.hidden import visible
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, err, fail, out, wrapped
from workers.commands.folder import stack_folder
from workers.commands.processes import load_settings
from workers.forgetting.deleting import delete, still_there
from workers.forgetting.found import LEFT_ALONE, Found, by_type, look
from workers.forgetting.scope import NAMELESS, Scope, WrongName, of_installations, of_people, of_repositories
from workers.forgetting.stored import Store, Stored, Unreadable

_MOST_NAMED: Final = 20
_PATIENCE: Final = 60.0
_REFUSED: Final = {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}
_STAYS: Final = (
    "the audit log: a chain of which no line can be taken out. It has logins, repositories and digests, and no text",
    "GitHub's own: check runs, labels and comments are deleted there",
    "logs, traces, backups and former versions of objects: as your stores keep them",
    "what other people wrote about them, and what is kept of other names that they had",
)


class Request(BaseModel):
    """What the command was given."""

    people: tuple[str, ...]
    repositories: tuple[str, ...]
    installations: tuple[int, ...]
    yes: bool
    artifacts: bool
    leave_stored: bool
    as_json: bool

    def names(self) -> tuple[str, ...]:
        """Whose it is, as people wrote them."""
        return (*self.people, *self.repositories, *map(str, self.installations))


class Report(BaseModel):
    """What goes or is gone, and what stays, for people and scripts."""

    names: tuple[str, ...]
    namespace: str
    ended_before: AwareDatetime
    deleted: bool = False
    executions: dict[str, int]
    """By workflow type."""
    transcripts: int | None = None
    """None where the store was not looked at."""
    artifacts: tuple[str, ...] = ()
    artifacts_left: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    too_young: int = 0
    free_at: AwareDatetime | None = None
    nameless_deliveries: int = 0
    """Of nobody that Temporal knows: a person's own may be among them."""
    still_there: int = 0

    @property
    def comes_back(self) -> bool:
        """Whether the same command, given later, finds more to delete."""
        return bool(self.running or self.held or self.too_young or self.still_there)


def forget(  # noqa: PLR0913 - each is an option of the command
    *,
    person: Annotated[
        list[str] | None, typer.Option("--person", metavar="LOGIN", help="A person, by their login on GitHub.")
    ] = None,
    repository: Annotated[
        list[str] | None, typer.Option("--repository", metavar="OWNER/NAME", help="A repository.")
    ] = None,
    installation: Annotated[
        list[int] | None,
        typer.Option(
            "--installation", metavar="NUMBER", min=1, help="An installation, with all repositories of its account."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it. Without, it is shown and nothing is changed.")] = False,
    artifacts: Annotated[
        bool,
        typer.Option(
            "--artifacts",
            help="Large results, too, that nothing else in the namespace names. It reads every history that is kept, "
            "and is for a store that no other deployment uses.",
        ),
    ] = False,
    leave_stored: Annotated[
        bool,
        typer.Option(
            "--leave-stored", help="Leave what lies in the artifact store, which nothing leads to afterwards."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts, and for your record.")] = False,
) -> None:
    """Show what is kept of a person, a repository or an installation, and with --yes delete it.

    Name several of one kind by giving the option again. What runs stays, and so does what ended in the last four days.
    You need the right to delete workflows of Temporal's namespace, and to delete in the artifact store.
    """
    request = Request(
        people=tuple(person or ()),
        repositories=tuple(repository or ()),
        installations=tuple(installation or ()),
        yes=yes,
        artifacts=artifacts,
        leave_stored=leave_stored,
        as_json=as_json,
    )
    scope = _scope(request)
    store = None if leave_stored else _store()
    report = asyncio.run(_asked(request, scope, store, now=_now()))
    if as_json:
        out.print_json(report.model_dump_json())
    else:
        _print(report)
    if report.deleted and report.comes_back:
        raise typer.Exit(int(Exit.INCOMPLETE))


def _scope(request: Request) -> Scope:
    """Whose it is, as far as names tell; an installation is looked up later."""
    if sum(map(bool, (request.people, request.repositories, request.installations))) != 1:
        fail(
            "say whose: --person LOGIN, --repository OWNER/NAME or --installation NUMBER, one kind at a time",
            Exit.USAGE,
        )
    if request.artifacts and request.leave_stored:
        fail("say --artifacts or --leave-stored, not both", Exit.USAGE)
    try:
        return of_people(request.people) if request.people else of_repositories(request.repositories)
    except WrongName as error:
        fail(str(error), Exit.USAGE)


def _now() -> datetime:
    return datetime.now(UTC)


def _store() -> Store:
    """Where the processes keep what is too large for a history; never a place that is made here."""
    settings, folder = load_settings(), stack_folder()
    if "artifacts" not in settings.model_fields_set:
        if "temporal_address" in settings.model_fields_set or folder.read() is None:
            fail(
                "say where the artifact store is by BANKSMAN_ARTIFACTS, or leave what it has: --leave-stored",
                Exit.USAGE,
            )
        location = str(folder.artifacts)
    else:
        location = settings.artifacts
    if "://" not in location and not Path(location).is_dir():
        fail(f"there is no artifact store at {location!r}; set BANKSMAN_ARTIFACTS, or say --leave-stored", Exit.USAGE)
    return Store(location)


async def _asked(request: Request, scope: Scope, store: Store | None, *, now: datetime) -> Report:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done = count

    try:
        client = await connect_or_fail(settings, telemetry)
        return await _forget(client, request, scope, store, now=now, tell=tell)
    except WrongName as error:
        fail(str(error), Exit.USAGE)
    except Unreadable as error:
        fail(str(error))
    except RPCError as error:
        fail(f"{_why(error)}; {done} executions are deleted. Give the command again: it goes on")
    except ConnectorError as error:
        fail(f"{error}; no execution is deleted yet. Give the command again: it goes on")
    finally:
        telemetry.shutdown()


async def _forget(  # noqa: PLR0913 - what the command has at hand
    client: Client, request: Request, scope: Scope, store: Store | None, *, now: datetime, tell: Callable[[int], None]
) -> Report:
    """Look, and where people said so delete: first what executions lead to, then the executions."""
    limit = now - LEFT_ALONE
    with err.status("looking for what is kept"):
        if request.installations:
            scope = await of_installations(client, request.installations)
        found = await look(client, scope, now=now)
        stored = None
        if store is not None:
            stored = await store.look(client, found.due, artifacts=request.artifacts, limit=limit)
        nameless = (await client.count_workflows(NAMELESS)).count if request.people else 0
    report = _report(request, client.namespace, found, stored, limit=limit, nameless=nameless)
    if not request.yes:
        return report
    with err.status("deleting") as status:
        if store is not None and stored is not None:
            stored = await store.delete(stored, limit=limit)

        def told(count: int) -> None:
            tell(count)
            status.update(f"deleting: {count} of {len(found.due)}")

        await delete(client, found, tell=told)
        left = await still_there(client, found, patience=_PATIENCE)
    report = _report(request, client.namespace, found, stored, limit=limit, nameless=nameless)
    return report.model_copy(update={"deleted": True, "still_there": left})


def _report(  # noqa: PLR0913 - what is told
    request: Request, namespace: str, found: Found, stored: Stored | None, *, limit: datetime, nameless: int
) -> Report:
    return Report(
        names=request.names(),
        namespace=namespace,
        ended_before=limit,
        executions=by_type(found.due),
        transcripts=len(stored.transcripts) if stored is not None else None,
        artifacts=stored.alone if stored is not None else (),
        artifacts_left=stored.shared if stored is not None else (),
        running=tuple(one.id for one in found.running),
        held=tuple(one.id for one in found.held),
        too_young=len(found.young),
        free_at=found.free_at,
        nameless_deliveries=nameless,
    )


def _print(report: Report) -> None:
    done, whose = report.deleted, visible(", ".join(report.names))
    goes = [f"{count:>6} {visible(name)}" for name, count in report.executions.items()]
    goes += [f"{count:>6} {what}" for count, what in _in_store(report) if count]
    if goes:
        word = "Deleted" if done else "To be deleted"
        out.print(escape(f"{word} of {whose} in {report.namespace!r}, ended before {_moment(report.ended_before)}:"))
        out.print(escape("\n".join(goes)), soft_wrap=True)
    else:
        out.print(escape(f"Of {whose} nothing is kept in {report.namespace!r} that can go now."), soft_wrap=True)
    for line in _stays_for_now(report):
        out.print(escape(line), soft_wrap=True)
    out.print("Not touched:")
    for line in _STAYS:
        out.print(escape(wrapped(line, indent=4, label="  -")), soft_wrap=True)
    if goes and not done:
        out.print("[bold]Nothing is deleted yet.[/] Give the command again with --yes.")
    elif report.comes_back and done:
        when = f" after {_moment(report.free_at)}" if report.free_at is not None else ""
        out.print(f"[bold]Something is left.[/] Give the command again{when}.")


def _in_store(report: Report) -> tuple[tuple[int, str], ...]:
    return ((report.transcripts or 0, "turns of conversations with models"), (len(report.artifacts), "artifacts"))


def _stays_for_now(report: Report) -> Iterator[str]:
    """What a later call finds, and what is nobody's by name."""
    if report.still_there:
        yield f"Temporal has taken all of it, and still has {report.still_there}: it deletes them by itself."
    if report.running:
        yield f"{len(report.running)} stay while they run: {_named(report.running)}"
    if report.held:
        yield f"{len(report.held)} have ended, and belong to what runs: {_named(report.held)}"
    if report.too_young:
        yield f"{report.too_young} stay until {_moment(report.free_at)}: GitHub could still send what began them."
    if report.transcripts is None:
        yield "The artifact store was not looked at: what it has of them stays."
    if report.artifacts_left:
        yield (
            f"{len(report.artifacts_left)} artifacts stay, which are named by their content and may be another's, too: "
            f"{_named(report.artifacts_left)}"
        )
    if report.nameless_deliveries:
        yield (
            f"{report.nameless_deliveries} deliveries do not say who caused them, of an earlier release mostly: they "
            "are found by their repository, and go with the namespace's retention."
        )


def _named(those: Sequence[str]) -> str:
    more = f" and {len(those) - _MOST_NAMED} more" if len(those) > _MOST_NAMED else ""
    return ", ".join(map(visible, those[:_MOST_NAMED])) + more


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if at is not None else "then"


def _why(error: RPCError) -> str:
    if error.status in _REFUSED:
        return f"Temporal does not let you: {visible(error.message)}"
    return f"Temporal does not answer: {visible(error.message)}"
