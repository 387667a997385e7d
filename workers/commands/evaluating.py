"""`banksman eval`: how well a model plans. Nothing that it plans is carried out."""

import asyncio
import json
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from rich.markup import escape
from temporalio.client import Client

from activities.models.contracts import ModelFound
from activities.queues import TaskQueue
from activities.served_queues import is_served
from connectors.models.capabilities import capabilities
from connectors.models.deployment import ModelRef, Models
from connectors.models.prices import priced
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, err, fail, out, shown
from workers.commands.goals import JsonFlag
from workers.commands.models import models_file
from workers.commands.waiting import why_unserved
from workers.planning_eval.outcomes import RIGHT, Outcome
from workers.planning_eval.page import headline, page
from workers.planning_eval.report import Head, Kept, Report
from workers.planning_eval.running import Evaluation, Stopped
from workers.planning_eval.sentences import load_set, set_digest, spread
from workflows.agent.described import described

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9.-]+")
_NEEDED: Final = (TaskQueue.CONNECTORS, TaskQueue.MODELS)
_SHOWN: Final = 60


def evaluate(  # noqa: PLR0913 - each is an option of the command
    *,
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            metavar="NAME[/MODEL]",
            help="Who is asked: a model as the file of language models names it. The name of a backend is enough where "
            "it has one model.",
        ),
    ],
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Ask N sentences, evenly spread over the set."),
    ] = None,
    corrections: Annotated[
        int, typer.Option("--corrections", min=0, max=5, help="How often a plan with mistakes is given back.")
    ] = 2,
    at_once: Annotated[int, typer.Option("--at-once", min=1, max=16, help="Sentences beside each other.")] = 1,
    most_usd: Annotated[
        float | None,
        typer.Option("--most-usd", metavar="USD", min=0, help="Begin no further sentence once so much is spent."),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The report as JSON; the same as a page lies beside it, as .md. One that is not finished is gone on "
            "with.",
            show_default="planning-BACKEND-MODEL-DATE.json",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--models", metavar="FILE", help="The file of language models.", show_default="BANKSMAN_MODELS"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Have a model plan the sentences of the planning set, and report how well; nothing is carried out."""
    found = models_file(file)
    ref = _chosen(found, backend)
    began, total = datetime.now(UTC), load_set()
    asked = tuple(one + 1 for one in spread(total, limit or len(total)))
    model = _model(found, ref)
    head = Head(
        model=str(ref),
        sentences=set_digest(),
        asked=asked,
        corrections=corrections,
        priced=model.input_micros is not None,
    )
    path = path or Path(f"planning-{_NOT_PLAIN.sub('-', str(ref))}-{began:%Y-%m-%d}.json")
    book = _Book(path, quiet=as_json)
    report = book.begun(head) or Report(head=head, began_at=began, ended_at=began, release=version("banksman"))
    report, why = asyncio.run(_evaluate(report, model, book, at_once=at_once, most_usd=most_usd))
    book.tell_end(report)
    if why:
        fail(f"{why}. What is done is in {str(path)!r}: the same command goes on from there")
    if report.figures().wrong_destructive:
        raise typer.Exit(int(Exit.FAILED))


class _Book:
    """The report's files, and what who watches is told.

    Args:
        path: Of the report as JSON.
        quiet: For scripts: the report alone goes to standard output.
    """

    def __init__(self, path: Path, *, quiet: bool) -> None:
        self._path, self._page, self._quiet = path, path.with_suffix(".md"), quiet
        if self._page == path:
            fail("--out names the report as JSON: write FILE.json, and FILE.md lies beside it", Exit.USAGE)

    def begun(self, head: Head) -> Report | None:
        """The report that is not finished; ends where there is one that this is no part of."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{str(self._path)!r} cannot be read ({error}): name another with --out", Exit.USAGE)
        try:
            found = Kept.model_validate_json(text).report.without_unanswered()
        except ValidationError:
            fail(f"{str(self._path)!r} is no report of an evaluation: name another with --out", Exit.USAGE)
        if differs := [name for name, value in head if getattr(found.head, name) != value]:
            told = f"{str(self._path)!r} is of another evaluation (its {', '.join(differs)} differ)"
            fail(f"{told}: name another with --out", Exit.USAGE)
        if found.finished:
            fail(f"{str(self._path)!r} is finished: name another with --out", Exit.USAGE)
        err.print(f"Goes on: {len(found.left)} of {len(head.asked)} sentences are left", markup=False, soft_wrap=True)
        return found

    def keep(self, report: Report) -> None:
        """Write both, each whole or not at all."""
        text = Kept.of(report).model_dump_json(indent=1)
        for path, content in ((self._path, f"{text}\n"), (self._page, page(report))):
            beside = path.with_name(f".{path.name}.new")
            try:
                beside.write_text(content, encoding="utf-8")
                beside.replace(path)
            except OSError as error:
                fail(f"{str(path)!r} cannot be written ({error.strerror}): name another with --out", Exit.USAGE)

    def tell(self, outcome: Outcome, report: Report) -> None:
        """One line."""
        mark = "[green]✓[/]" if outcome.verdict in RIGHT else "[red]✗[/]" if outcome.wrong_destructive else "·"
        count = f"{len(report.outcomes)}/{len(report.head.asked)}"
        said = f"{outcome.verdict.value:<14} {outcome.seconds:6.1f} s  {outcome.ask[:_SHOWN]}"
        err.print(f"{mark} [dim]{count:>7}[/] {escape(shown(said))}", soft_wrap=True)

    def tell_end(self, report: Report) -> None:
        """The figures."""
        if self._quiet:
            out.print_json(json.dumps(Kept.of(report).model_dump(mode="json")))
            return
        out.print(f"[bold]{escape(report.head.model)}[/]", soft_wrap=True)
        for line in headline(report.figures(), priced=report.head.priced):
            out.print(f"  {line}", markup=False, soft_wrap=True)
        out.print(f"  report: {self._page}", markup=False, soft_wrap=True)


async def _evaluate(
    report: Report, model: ModelFound, book: _Book, *, at_once: int, most_usd: float | None
) -> tuple[Report, str]:
    """The report as far as it came, and why it came no further."""
    settings = client_settings()
    telemetry = command_telemetry(settings)
    newest = [report]

    def keep(so_far: Report) -> None:
        newest[0] = so_far
        book.keep(so_far)

    try:
        client = await connect_or_fail(settings, telemetry)
        await _require_served(client)
        evaluation = Evaluation(
            client, model, load_set(), described(), keep, book.tell, at_once=at_once, most_usd=most_usd
        )
        return await evaluation.run(report), ""
    except Stopped as why:
        return newest[0], str(why)
    finally:
        telemetry.shutdown()


async def _require_served(client: Client) -> None:
    for queue in _NEEDED:
        if not await is_served(client, queue):
            fail(f"nobody serves the queue {str(queue)!r}: {why_unserved(queue)}", Exit.NO_STACK)


def _chosen(found: Models, named: str) -> ModelRef:
    """The model; ends with those that there are."""
    of_backend = [one for one in found.asked if named in {one.backend, str(one)}]
    if len(of_backend) > 1:
        fail(f"{named!r} has several models: {', '.join(map(str, of_backend))}; name one", Exit.USAGE)
    if not of_backend:
        known = ", ".join(map(str, found.asked)) or "none"
        fail(f"{found.source} has no model {named!r} in a tier; there are: {known}", Exit.USAGE)
    return of_backend[0]


def _model(found: Models, ref: ModelRef) -> ModelFound:
    known, price = capabilities(found, ref), priced(found, ref)
    return ModelFound(
        backend=ref.backend,
        model=ref.model,
        tools=known.tools,
        enforced_schema=known.enforced_schema,
        context=known.context,
        input_micros=price.input_micros if price else None,
        output_micros=price.output_micros if price else None,
    )
