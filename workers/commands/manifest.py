"""`banksman manifest`: what a repository says of its service, checked, begun, changed and explained."""

import json
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated

import typer

from hitl.policy.file import PolicyError, load_policy
from hitl.policy.rules import Policy
from hitl.protocol import PolicyContext
from workers.commands.exits import Exit, err, fail, out
from workers.commands.repository_look import look
from workflows.manifest.editing import EditError, location, meant, set_value
from workflows.manifest.explain import explain, explain_key, find_key, meant_key
from workflows.manifest.manifest import FILE_NAME
from workflows.manifest.proposal import propose
from workflows.manifest.reading import ManifestError, ReadManifest, against, read_manifest
from workflows.manifest.schema import manifest_schema
from workflows.manifest.text import MOST_BYTES, TextError

manifest = typer.Typer(
    help="Check, begin, change and explain a service's manifest, `banksman.yaml` in its repository.",
    no_args_is_help=True,
)

_FILE = Path(FILE_NAME)
_SCHEMA = "banksman.schema.json"
ManifestFile = Annotated[Path, typer.Argument(metavar="FILE", help="The manifest.", show_default=FILE_NAME)]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="The deployment's policy file, to compare with."),
]


@manifest.command()
def check(
    path: ManifestFile = _FILE,
    policy: PolicyOption = None,
    purpose: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A purpose that the deployment has for commands; more than once for more."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Say what is wrong with a manifest, each with line and column, or that nothing is."""
    found: ReadManifest | None = None
    error: ManifestError | None = None
    try:
        found = read_manifest(_content(path), name=str(path))
    except ManifestError as caught:
        error = caught
    if found is not None and (policy is not None or purpose is not None):
        deployment = _policy(policy) if policy is not None else None
        error = against(found, deployment, purposes=purpose)
    if as_json:
        out.print_json(json.dumps(_as_json(path, error)))
        raise typer.Exit(int(Exit.USAGE if error else Exit.COMPLETED))
    if error is not None or found is None:
        fail(str(error), Exit.USAGE)
    service = found.manifest.service
    out.print(f"✓ {path}: {service.name}, of {service.owner.team}", markup=False, soft_wrap=True)


def _as_json(path: Path, error: ManifestError | None) -> dict[str, object]:
    mistakes = error.mistakes if error is not None else []
    return {
        "file": str(path),
        "valid": error is None,
        "mistakes": [
            {"line": one.line, "column": one.column, "key": one.where, "message": one.message} for one in mistakes
        ],
    }


@manifest.command()
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The repository's folder.", show_default="this one")
    ] = Path(),
    schema: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where your editor finds the JSON Schema: a path or an address.")
    ] = _SCHEMA,
) -> None:
    """Look at a repository and write a first manifest for it, with comments; one that is there stays as it is."""
    path = folder / FILE_NAME
    if not folder.is_dir():
        fail(f"{str(folder)!r} is no folder; name the one with the repository", Exit.USAGE)
    try:
        text = propose(look(folder), schema=schema)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        fail(f"{str(path)!r} is there already; change one value of it by `banksman manifest set`", Exit.USAGE)
    except OSError as error:
        fail(f"{str(path)!r} cannot be written ({error.strerror}); name a folder that you may write to", Exit.USAGE)
    out.print(f"wrote {path}", markup=False, soft_wrap=True)
    err.print("read it, take the `# ` from what is so, and then: banksman manifest check", markup=False)
    if schema == _SCHEMA:
        err.print(f"for your editor: banksman manifest schema > {folder / _SCHEMA}", markup=False, soft_wrap=True)


@manifest.command("set")
def set_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="As in verify.within or verify.http[0].every.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="As it would stand in the file: 10m, [make, test].")],
    path: ManifestFile = _FILE,
) -> None:
    """Set one value of a manifest and leave all else as it is, comments too; nothing is written that is not valid."""
    content = _content(path)
    try:
        text = content.decode("utf-8")
        lines = "\r\n" if "\r\n" in text else "\n"
        at = location(key)
        changed = set_value(text.replace("\r\n", "\n"), at, meant(at, value))
        written = changed.replace("\n", lines).encode()
        read_manifest(written, name=str(path))
    except (EditError, ManifestError) as error:
        fail(str(error), Exit.USAGE)
    except (TextError, UnicodeDecodeError):
        fail(f"{str(path)!r} cannot be read; `banksman manifest check {path}` says why", Exit.USAGE)
    _replace(path.resolve(), written)
    out.print(f"set {key} in {path}", markup=False, soft_wrap=True)


@manifest.command("explain")
def explain_manifest(
    what: Annotated[
        str, typer.Argument(metavar="FILE|KEY", help="A manifest, or a key as in verify.http.every.")
    ] = FILE_NAME,
    policy: PolicyOption = None,
    repository: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="The repository, which the policy's rules match.")
    ] = None,
) -> None:
    """Say what Banksman is told to do with a service, step by step; or what a key means, and its default."""
    if not Path(what).exists() and (key := find_key(what)) is not None:
        out.print(explain_key(key), markup=False, soft_wrap=True)
        return
    if not Path(what).exists() and what != FILE_NAME:
        close = meant_key(what)
        meant = (
            f"did you mean {close!r}?" if close else "`banksman manifest explain verify` tells what lies below a key"
        )
        fail(f"there is no file and no key {what!r}; {meant}", Exit.USAGE)
    try:
        found = read_manifest(_content(Path(what)), name=what)
        of = PolicyContext.of_repository(repository) if repository else PolicyContext()
    except (ManifestError, ValueError) as error:
        fail(str(error), Exit.USAGE)
    told = explain(found, _policy(policy) if policy is not None else None, of=of)
    out.print(told, markup=False, soft_wrap=True)


@manifest.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of manifests, for editors."""
    typer.echo(json.dumps(manifest_schema(), indent=2))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        begin = "; `banksman manifest init` writes a first one" if path == _FILE else ""
        fail(f"{str(path)!r} cannot be read ({error.strerror}){begin}", Exit.USAGE)


def _policy(path: Path) -> Policy:
    try:
        return load_policy(path)
    except PolicyError as error:
        fail(str(error), Exit.USAGE)


def _replace(path: Path, content: bytes) -> None:
    """Write it beside, and rename it over: a reader finds the old file or the new one."""
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            beside = Path(file.name)
            file.write(content)
    except OSError as error:
        fail(f"{str(path)!r} cannot be written ({error.strerror})", Exit.USAGE)
    beside.chmod(path.stat().st_mode & 0o777)
    beside.replace(path)
