"""Which commands an operation is made of. Every one is told the stack, asks nobody, and colours nothing."""

from collections.abc import Sequence
from typing import Final

from sandbox.pulumi.inside.order import Step
from sandbox.pulumi.policies import CONFIG, PACKS
from sandbox.pulumi.request import (
    DestroyRequest,
    ImportRequest,
    PostgresState,
    PreviewRequest,
    Program,
    RefreshRequest,
    StackRequest,
    UpRequest,
)

PLAN: Final = "plan.json"
IMPORTED: Final = "import.json"
SEED: Final = "seed"
CONTENT: Final = "content.json"
VERSION: Final = "version"
BEFORE: Final = "before"
AFTER: Final = "after"
_QUIET: Final = ("--non-interactive", "--color=never")


def preview(request: PreviewRequest) -> Sequence[Step]:
    """Look at the stack's state, make the stack when it is not there and may be made, and plan."""
    argv = ["preview", f"--save-plan=/workspace/{PLAN}", "--diff"]
    if request.refresh:
        argv.append("--refresh")
    argv += _policies(request.program)
    look = _export(request, BEFORE)
    made: Sequence[Step] = (
        ({**_create(request), "unless": BEFORE}, {**look, "unless": BEFORE}) if request.create else ()
    )
    step = _step(request, "preview", argv, events=True, program=True)
    return (look, *made, *_version(request), step)


def up(request: UpRequest) -> Sequence[Step]:
    """Look at the state and at what is there, apply, and look again."""
    argv = ["up", f"--plan=/workspace/{PLAN}", "--yes", *_message(request), *_policies(request.program)]
    drift = [_drift(request)] if request.check_drift else []
    return (
        _export(request, BEFORE),
        *drift,
        *_version(request),
        _step(request, "up", argv, events=True, program=True),
        _export(request, AFTER, always=True),
    )


def refresh(request: RefreshRequest) -> Sequence[Step]:
    """Compare, and write what is there into the state when that is asked for."""
    if request.preview_only:
        looked = _drift(request, name="refresh", expect_no_changes=False)
        return (_export(request, BEFORE), *_version(request), looked)
    argv = ["refresh", "--yes", "--skip-preview", *_message(request)]
    step = _step(request, "refresh", argv, events=True)
    return (_export(request, BEFORE), *_version(request), step, _export(request, AFTER, always=True))


def destroy(request: DestroyRequest) -> Sequence[Step]:
    """Delete what the state holds."""
    if request.preview_only:
        step = _step(request, "destroy", ["destroy", "--preview-only"], events=True)
        return (_export(request, BEFORE), *_version(request), step)
    argv = ["destroy", "--yes", "--skip-preview", *_message(request), *(["--remove"] if request.remove else [])]
    after = [] if request.remove else [_export(request, AFTER, always=True)]
    step = _step(request, "destroy", argv, events=True)
    return (_export(request, BEFORE), *_version(request), step, *after)


def history(request: StackRequest) -> Sequence[Step]:
    """All deployments, as JSON, of Pulumi Cloud the newest hundred; secrets are masked."""
    # 0 is all of them for the CLI's own backends; Pulumi Cloud gives as many as it likes then.
    most = 0 if isinstance(request.state, PostgresState) else 100
    argv = ["stack", "history", "--json", f"--page-size={most}"]
    return (_step(request, "history", argv, keep=CONTENT, quiet=False),)


def export(request: StackRequest) -> Sequence[Step]:
    """The state; its secrets are encrypted."""
    return (_export(request, BEFORE),)


def import_(request: ImportRequest) -> Sequence[Step]:
    """Put another state in the place of this one."""
    step = _step(request, "import", ["stack", "import", f"--file=/workspace/{IMPORTED}"])
    return (_export(request, BEFORE), step, _export(request, AFTER, always=True))


def make(request: StackRequest) -> Sequence[Step]:
    """Make the stack, and put a state into it, whose secrets its own passphrase encrypts."""
    step = _step(request, SEED, ["stack", "import", f"--file=/workspace/{IMPORTED}"])
    return (_create(request), _export(request, BEFORE), step, _export(request, AFTER))


def unlock(request: StackRequest) -> Sequence[Step]:
    """Of PostgreSQL's locks exactly those of one owner go, without the CLI; Pulumi Cloud is asked by it."""
    if isinstance(request.state, PostgresState):
        return ()
    return (_command("unlock", ["cancel", "--yes", request.full_name, *_QUIET]),)


def _message(request: StackRequest) -> Sequence[str]:
    return (f"--message={request.message}",) if request.message else ()


def _policies(program: Program) -> Sequence[str]:
    """The same at the preview and at the up. The CLI takes a configuration for each pack, or for none."""
    folders = [f"/workspace/{PACKS}/{pack.folder}" for pack in program.policies]
    configured = any(pack.config for pack in program.policies)
    return [
        *(f"--policy-pack={folder}" for folder in folders),
        *(f"--policy-pack-config={folder}/{CONFIG}" for folder in folders if configured),
    ]


def _create(request: StackRequest) -> Step:
    argv = ["stack", "select", request.full_name, "--create", *_QUIET]
    if isinstance(request.state, PostgresState):
        argv.append("--secrets-provider=passphrase")
    return _command("create", argv)


def _export(request: StackRequest, name: str, *, always: bool = False) -> Step:
    step = _step(request, name, ["stack", "export"], keep=f"{name}.state.json")
    return {**step, "always": always}


def _version(request: StackRequest) -> Sequence[Step]:
    """Which update was the last: as late as can be, because until the next step somebody may begin another."""
    if isinstance(request.state, PostgresState):
        return ()
    argv = ["stack", "history", "--json", "--page-size=20"]
    return (_step(request, VERSION, argv, keep=f"{VERSION}.json", quiet=False),)


def _drift(request: StackRequest, *, name: str = "drift", expect_no_changes: bool = True) -> Step:
    argv = ["refresh", "--preview-only", *(["--expect-no-changes"] if expect_no_changes else [])]
    return _step(request, name, argv, events=True)


def _step(  # noqa: PLR0913 - what a step is
    request: StackRequest,
    name: str,
    argv: Sequence[str],
    *,
    keep: str = "",
    events: bool = False,
    program: bool = False,
    quiet: bool = True,
) -> Step:
    told = [*argv, f"--stack={request.full_name}", *(_QUIET if quiet else _QUIET[1:])]
    # What works on resources logs events, and has a language host told it which plugins the program needs.
    return {**_command(name, told), "keep": keep, "events": events, "host": events, "program": program}


def _command(name: str, argv: Sequence[str]) -> Step:
    return {
        "name": name,
        "argv": [*argv],
        "keep": "",
        "events": False,
        "host": False,
        "program": False,
        "always": False,
        "unless": "",
    }
