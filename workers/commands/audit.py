"""`banksman audit`: whether anybody touched the log, and the same to hand over."""

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, cast

import typer
from pydantic import ValidationError
from rich.markup import escape

from activities.guard.audit_verify import verify
from workers.commands.exits import Exit, fail, out
from workers.commands.folder import stack_folder

if TYPE_CHECKING:
    from activities.guard.audit_checkpoint import SignedCheckpoint
    from activities.guard.audit_export import Export, ExportReport
    from hitl.approval.signing import PublicKeys

audit = typer.Typer(help="Check that nobody touched the audit log, and export it.", no_args_is_help=True)

_COLLECTED: Final = "collected"
_SHOWN: Final = 20
_READ_KEY: Final = "vault read -format=json transit/keys/audit"

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="The public halves of the key `audit`, as Vault tells them in JSON; needed for an export.",
    ),
]


@audit.command("verify")
def verify_audit(
    where: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER|EXPORT", help="A folder of audit files, or an export; the environment's folder."
        ),
    ] = None,
    key: KeyFile = None,
    newest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A checkpoint that was kept elsewhere, as the log store has it: an export must hold it.",
        ),
    ] = None,
) -> None:
    """Follow the chain of every audit file, or of an export with its signatures; report edits, gaps, cut ends."""
    if where is not None and where.is_file():
        _verify_export(where, key, newest)
        return
    _verify_folder(where or stack_folder().audit)


@audit.command("export")
def export_audit(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="What to write.")],
    form: Annotated[
        Literal["jsonl", "html"],
        typer.Option("--format", help="Lines for `audit verify`, or a report for people."),
    ] = "jsonl",
    collected: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="What the gateway collected; the environment's when left out."),
    ] = None,
    key: KeyFile = None,
) -> None:
    """Write what the gateway collected of all audit files, with its signatures, into one file to hand over."""
    from activities.guard.audit_checkpoint import CheckpointError  # noqa: PLC0415 - `verify` of a folder needs none
    from activities.guard.audit_export import export_lines  # noqa: PLC0415 - likewise

    folder = collected or stack_folder().audit / _COLLECTED
    if not (folder / "chains").is_dir():
        fail(f"the gateway collected nothing in {folder}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        lines = list(export_lines(folder, at=now))
    except CheckpointError as error:
        fail(f"{folder}: {error}")
    if form == "jsonl":
        target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    else:
        _write_report(lines, target, key)
    out.print(f"[green]✓[/] {escape(str(target))}: {len(lines) - 1} lines")


@audit.command("key")
def write_key(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="What to write.")],
    collected: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="What the gateway collected; the environment's when left out."),
    ] = None,
) -> None:
    """Write the public key as the gateway read it in Vault. An auditor asks Vault, and not what is to be checked."""
    folder = collected or stack_folder().audit / _COLLECTED
    try:
        target.write_text((folder / "key.json").read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        fail(f"no key can be had from {folder}: {error.strerror}; `{_READ_KEY}` prints it")
    out.print(f"[green]✓[/] {escape(str(target))}")


def _verify_folder(where: Path) -> None:
    files = sorted(where.glob("*.jsonl"))
    if not files:
        fail(f"there are no audit files in {where}")
    broken = False
    for file in files:
        report = verify(file)
        broken = broken or not report.ok
        mark = "[green]✓[/]" if report.ok else "[red]✗[/]"
        head = report.head.hash[:12] if report.head else "none"
        out.print(f"{mark} {file.name}: {report.records} events, head {head}")
        for problem in (*report.problems, *report.recovered):
            out.print(f"    {escape(problem)}")
    if broken:
        raise typer.Exit(int(Exit.FAILED))


def _verify_export(path: Path, key: Path | None, newest: Path | None) -> None:
    from activities.guard.audit_export import verify_export  # noqa: PLC0415 - loads what checks signatures

    if key is None:
        fail(
            f"an export is checked with a public key; `{_READ_KEY} > key.json`, and add `--key key.json`",
            Exit.USAGE,
        )
    export = _read(path)
    report = verify_export(export, public_keys(key), newest=_checkpoint(newest) if newest else None)
    for line in told(report):
        out.print(line, soft_wrap=True)
    if not report.ok:
        raise typer.Exit(int(Exit.FAILED))


def told(report: "ExportReport") -> Iterator[str]:
    """A report in lines, the first broken entry first."""
    mark = "[green]✓[/]" if report.ok else "[red]✗[/]"
    yield f"{mark} {report.events} events, {report.checkpoints} signed checkpoints"
    for number, problem in enumerate(report.problems[:_SHOWN]):
        yield f"    {'first broken: ' if number == 0 else ''}{escape(problem)}"
    if len(report.problems) > _SHOWN:
        yield f"    and {len(report.problems) - _SHOWN} more"
    for role, count in sorted(report.unsigned.items()):
        behind = f", {count} behind the last checkpoint: chained, and not signed" if count else ""
        yield f"    {escape(role)}: signed up to event {report.signed[role]}{behind}"
    for one in report.open_steps:
        yield f"    no end is written: {escape(one)}"


def _write_report(lines: list[str], target: Path, key: Path | None) -> None:
    from activities.guard.audit_export import parse_export, verify_export  # noqa: PLC0415 - loads what checks signatures
    from workers.commands.audit_report import page  # noqa: PLC0415 - for this alone

    export = parse_export((line.encode() for line in lines), name=target.name)
    report = verify_export(export, public_keys(key)) if key else None
    target.write_text(page(export, report), encoding="utf-8")


def _read(path: Path) -> "Export":
    from activities.guard.audit_export import ExportError, read_export  # noqa: PLC0415 - loads what checks signatures

    try:
        return read_export(path)
    except (OSError, ExportError) as error:
        fail(str(error), Exit.USAGE)


def public_keys(path: Path) -> "PublicKeys":
    """The public halves of the key, by version.

    As `vault read -format=json transit/keys/audit` prints them, or as a mapping of versions to keys in base64.
    """
    from hitl.approval.signing import public_key  # noqa: PLC0415 - loads what checks signatures

    try:
        told: object = json.loads(path.read_text(encoding="utf-8"))
        found = _mapping(_mapping(told).get("data", told))
        each = _mapping(found.get("keys", found))
        keys = {
            int(version): public_key(base64.b64decode(_base64_of(one), validate=True)) for version, one in each.items()
        }
    except (OSError, ValueError, binascii.Error) as error:
        fail(f"{path} holds no public keys: {error}", Exit.USAGE)
    if not keys:
        fail(f"{path} holds no public keys", Exit.USAGE)
    return keys


def _base64_of(one: object) -> str:
    return str(one if isinstance(one, str) else _mapping(one).get("public_key", ""))


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"it is not as Vault tells them; `{_READ_KEY}` prints them")  # noqa: TRY004 - told as all else that is wrong with the file
    return cast("dict[str, object]", value)


def _checkpoint(path: Path) -> "SignedCheckpoint":
    from activities.guard.audit_checkpoint import CheckpointError, SignedCheckpoint  # noqa: PLC0415 - likewise

    try:
        given = _mapping(json.loads(path.read_text(encoding="utf-8")))
        found = SignedCheckpoint.model_validate({name: given.get(name) for name in SignedCheckpoint.model_fields})
        found.read()
    except (OSError, ValueError, ValidationError, CheckpointError) as error:
        fail(f"{path} holds no checkpoint, as the log store has it or `checkpoints.jsonl`: {error}", Exit.USAGE)
    return found
