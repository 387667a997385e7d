"""`banksman github`: the Apps as people set them up, check them, and give them new keys.

But for the schedules of repositories, what installations cost and what is forgotten, it needs no Temporal server.
"""

import asyncio
import contextlib
import json
import sys
import webbrowser
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from pydantic import SecretStr
from rich.markup import escape

from connectors.errors import ConnectorError, InvalidRequest, Unavailable
from connectors.github.client import GitHubApp
from connectors.github.manifest import GITHUB
from connectors.github.places import pages_address
from connectors.github.registration import AppSeen
from connectors.vault.transport import Transport
from hitl.console.settings import github_callback
from hitl.github.events import WEBHOOKS
from observability.redaction import redact
from workers.commands.exits import Exit, err, fail, out, wrapped
from workers.commands.forget import forget
from workers.commands.installation_cost import cost
from workers.commands.processes import load_settings
from workers.commands.repository_schedules import schedules
from workers.github_app.findings import Finding, Look
from workers.github_app.kept import KeptInVault
from workers.github_app.making import Making
from workers.github_app.rotating import Rotating
from workers.github_app.wanted import AppKind, is_login

T = TypeVar("T")
_LONGEST: Final = 64 * 1024
_ADDRESS: Final = f"https://HOST{WEBHOOKS}"
_AGAIN: Final = "; it is tried again"
"""What steps say of an outage; nobody tries a command again but who gave it."""

github = typer.Typer(
    help="Make the GitHub Apps, tell what they lack and cost, give them new keys; list schedules; forget on request.",
    no_args_is_help=True,
)
github.add_typer(schedules, name="schedules")
github.command("cost")(cost)
github.command()(forget)

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="Holds a token of Vault's with the policy github-setup; standard input when left out.",
    ),
]
Vault = Annotated[str | None, typer.Option("--vault", help="Vault's address; BANKSMAN_VAULT_ADDRESS when left out.")]
Webhook = Annotated[
    str | None,
    typer.Option(help=f"Where GitHub reaches the gateway: {_ADDRESS}."),
]
Console = Annotated[
    str | None,
    typer.Option(
        help="Where people open the console, to sign in to it by the ordinary App; BANKSMAN_CONSOLE_URL when left out."
    ),
]
Kind = Annotated[AppKind, typer.Argument(help="Which App.")]


@github.command()
def setup(  # noqa: PLR0913 - each is an option of the command
    organisation: Annotated[str, typer.Argument(help="The organisation that the Apps will be of.")],
    *,
    webhook: Webhook = None,
    console: Console = None,
    only: Annotated[
        AppKind | None, typer.Option("--app", help="This App alone; one after the other otherwise.")
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Go on with the code in the address that GitHub sent a browser to; with --app.")
    ] = None,
    anew: Annotated[
        AppKind | None, typer.Option(help="Make another App of this kind, although Vault has the key of one.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the page's address, and open none.")] = False,
    vault: Vault = None,
    token_file: TokenFile = None,
) -> None:
    """Make the Apps at GitHub with you, and keep their keys in Vault and nowhere else.

    What is there stays: begun again, it goes on with what is missing.
    """
    if not is_login(organisation):
        fail(f"{organisation!r} is no organisation of GitHub's", Exit.USAGE)
    if code is not None and only is None:
        fail("say which App the code is of: --app ordinary, or --app destructive", Exit.USAGE)
    if webhook is not None and not webhook.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        fail(f"{webhook!r} is no address that GitHub delivers to: write {_ADDRESS}", Exit.USAGE)
    callback = _callback(console or load_settings().console_url)

    async def work(apps: KeptInVault, gh: GitHubApp, pages: str) -> None:
        making = Making(
            github=gh,
            vault=apps,
            pages=pages,
            organisation=organisation,
            webhook=webhook,
            callback=callback,
            lead=lambda address: _lead(address, browser=not no_browser),
        )
        for kind in _named(only):
            await _made(making, kind, code=code, anew=anew is kind)
        _tell_left(await Look(github=gh, vault=apps, pages=pages, webhook=webhook).all(*_named(only)))

    _run(work, vault, token_file)


@github.command()
def check(
    *,
    only: Annotated[AppKind | None, typer.Option("--app", help="This App alone; both otherwise.")] = None,
    webhook: Webhook = None,
    vault: Vault = None,
    token_file: TokenFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Tell what the Apps lack at GitHub and in Vault, and the way out of each; nothing is changed."""

    async def work(apps: KeptInVault, gh: GitHubApp, pages: str) -> list[Finding]:
        return await Look(github=gh, vault=apps, pages=pages, webhook=webhook).all(*_named(only))

    found = _run(work, vault, token_file)
    if as_json:
        out.print_json(json.dumps([one.model_dump(mode="json") for one in found]))
    else:
        for one in found:
            _print(one)
    if any(not one.ok for one in found):
        raise typer.Exit(int(Exit.FAILED))


@github.command("rotate-key")
def rotate_key(
    kind: Kind,
    *,
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The new key, as GitHub let you download it. Delete the file afterwards."),
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(help="Of the App, where Vault has no key of it, or another App's.")
    ] = None,
    vault: Vault = None,
    token_file: TokenFile = None,
) -> None:
    """Have steps use another key of an App; without a key, go on: the former one is deleted, and seen to be refused."""
    key = _read_secret(key_file) if key_file is not None else None

    async def work(apps: KeptInVault, gh: GitHubApp, pages: str) -> bool:
        rotating = Rotating(github=gh, vault=apps, pages=pages, say=_say)
        if key is not None:
            await rotating.new_key(kind, key, client_id=client_id)
        return await rotating.former_key_ends(kind)

    if not _run(work, vault, token_file):
        raise typer.Exit(int(Exit.INCOMPLETE))


@github.command("rotate-webhook")
def rotate_webhook(*, vault: Vault = None, token_file: TokenFile = None) -> None:
    """Give the ordinary App's webhook a new secret: old and new are good, then the new one alone.

    Begun again, it goes on where it stopped.
    """

    async def work(apps: KeptInVault, gh: GitHubApp, pages: str) -> None:
        await Rotating(github=gh, vault=apps, pages=pages, say=_say).new_webhook_secret()

    _run(work, vault, token_file)


async def _made(making: Making, kind: AppKind, *, code: str | None, anew: bool) -> None:
    if not anew and (found := await making.found(kind)) is not None:
        _say(f"the {kind} App is {found.name!r}, and Vault has its key: it stays")
        return
    if kind.events and making.webhook is None and code is None:
        raise InvalidRequest(f"say by --webhook where GitHub reaches the gateway: {_ADDRESS}")
    await making.require_writable(kind)
    signs_in = await making.signs_in(kind)
    try:
        app: AppSeen = await (making.by_page(kind) if code is None else making.by_code(kind, code))
    except Unavailable as error:
        raise Unavailable(
            f"{error}. The code in the browser's address is good for an hour: give it by --app {kind} --code"
        ) from error
    _say(f"the {kind} App is {app.name!r}; its key is in Vault")
    if kind.signs_in:
        _say(await _told_of_sign_in(making, signs_in=signs_in))


async def _told_of_sign_in(making: Making, *, signs_in: bool) -> str:
    """Whether people sign in to the console by it, and what is left to do for that."""
    if signs_in:
        return (
            f"people can sign in to the console by it, at {making.callback}: its client secret is in Vault; start the "
            "gateway anew, and say in the policy who is who"
        )
    if making.callback is None:
        return (
            "nobody signs in to the console by it: where that is was said neither by --console nor BANKSMAN_CONSOLE_URL"
        )
    return f"people sign in to the console by another App, {await making.other_sign_in()}: that stays"


def _callback(console: str | None) -> str | None:
    """What the ordinary App has registered for the console's sign-in."""
    if console is None:
        return None
    try:
        return github_callback(console)
    except ValueError as error:
        fail(f"{error}: say by --console where people open the console", Exit.USAGE)


def _named(only: AppKind | None) -> tuple[AppKind, ...]:
    return tuple(AppKind) if only is None else (only,)


def _tell_left(found: list[Finding]) -> None:
    """What a person must still do."""
    left = [one for one in found if not one.ok]
    for one in left:
        _print(one)
    if left:
        out.print("[dim]No process has to be started again. banksman github check tells at any time what is left.[/]")
    else:
        out.print("Nothing is left to do.")


def _print(found: Finding) -> None:
    mark = "[green]✓[/]" if found.ok else "[red]✗[/]"
    out.print(f"{mark} [bold]{found.app} App, {escape(found.what)}[/]: {escape(found.says)}", soft_wrap=True)
    if found.way_out:
        out.print(f"[dim]{escape(wrapped(found.way_out, indent=2))}[/]", soft_wrap=True)


def _lead(address: str, *, browser: bool) -> None:
    opened = browser and webbrowser.open(address)
    err.print(f"Go on in {'the' if opened else 'a'} browser on this machine: {address}", soft_wrap=True)
    if not opened:
        err.print("On another machine, first forward the port: ssh -L PORT:127.0.0.1:PORT, with the PORT above.")


def _say(text: str) -> None:
    out.print(escape(text), soft_wrap=True)


def _run(work: Callable[[KeptInVault, GitHubApp, str], Awaitable[T]], vault: str | None, token_file: Path | None) -> T:
    """Do it with Vault and GitHub; what goes wrong is one line."""
    settings = load_settings()
    token = _read_secret(token_file)

    async def within() -> T:
        address = settings.url_of(GITHUB)
        async with _transport(vault or settings.vault_address) as transport:
            return await work(KeptInVault(transport, token), GitHubApp(base_url=address), pages_address(address))

    try:
        return asyncio.run(within())
    except ConnectorError as error:
        fail(redact.text(str(error).removesuffix(_AGAIN)))


@contextlib.asynccontextmanager
async def _transport(address: str) -> AsyncGenerator[Transport]:
    transport = Transport(address)
    try:
        yield transport
    finally:
        transport.close()


def _read_secret(file: Path | None) -> SecretStr:
    """A secret from a file, or from standard input: never from the command line."""
    if file is None and sys.stdin.isatty():
        fail("give Vault's token by --token-file, or on standard input", Exit.USAGE)
    try:
        text = sys.stdin.read(_LONGEST) if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{str(file)!r} cannot be read ({type(error).__name__})", Exit.USAGE)
    if not text.strip():
        fail(f"{'standard input' if file is None else repr(str(file))} is empty", Exit.USAGE)
    secret = SecretStr(text.strip())
    redact.register(secret)
    return secret
