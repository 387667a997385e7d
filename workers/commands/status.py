"""`banksman status` and `down`: what runs here, and ending it."""

import asyncio
import contextlib
import json
import os
import time
from pathlib import Path
from typing import Annotated, Final

import psutil
import typer
from rich.markup import escape
from rich.table import Table

from deploy.local.control import Ask, Reply, ask
from deploy.local.process import ChildReport, ChildState
from deploy.local.state import StackFolder, StackState
from hitl.policy_file import PolicyError, load_policy
from hitl.protocol import Phase
from workers.commands.exits import Exit, err, fail, out
from workers.commands.folder import stack_folder

_STOP_PATIENCE: Final = 90.0
_POLL: Final = 0.2
MARKS: Final = {
    ChildState.WAITING: "[dim]·[/]",
    ChildState.STARTING: "[yellow]…[/]",
    ChildState.READY: "[green]✓[/]",
    ChildState.RESTARTING: "[red]↻[/]",
    ChildState.STOPPED: "[dim]■[/]",
}


def down() -> None:
    """End the embedded stack; what it keeps stays for the next `up`."""
    folder = stack_folder()
    state = folder.read()
    if asyncio.run(ask(folder.socket, Ask(op="stop"))) is None:
        if not end_leftovers(folder):
            out.print("No stack is running here.")
        return
    deadline = time.monotonic() + _STOP_PATIENCE
    with err.status("ending the stack: workers first, servers last"):
        while state is not None and psutil.pid_exists(state.pid) and folder.state_file.exists():
            if time.monotonic() > deadline:
                fail(f"the stack did not end in {_STOP_PATIENCE:.0f} s; its supervisor is process {state.pid}")
            time.sleep(_POLL)
    out.print("The stack has ended.")


def status(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """Tell what runs, where, and how it is."""
    folder = stack_folder()
    reply = asyncio.run(ask(folder.socket, Ask(op="status")))
    state = folder.read()
    if reply is None or state is None:
        if as_json:
            out.print_json(json.dumps({"running": False}))
        else:
            out.print("No stack is running here; `banksman up` starts one.")
        raise typer.Exit(int(Exit.NO_STACK))
    if as_json:
        children = [report.model_dump(mode="json") for report in reply.children]
        stack = state.model_dump(mode="json")
        body = {"running": True, "ready": reply.ready, "phase": _phase(state), "stack": stack, "children": children}
        out.print_json(json.dumps(body))
        return
    print_stack(state, reply)


def print_stack(state: StackState | None, reply: Reply) -> None:
    """Show the parts, and where people and scripts find them."""
    table = Table(title="Banksman, embedded", title_justify="left", box=None, padding=(0, 3, 0, 0))
    for heading in ("", "part", "address", "process", "restarts"):
        table.add_column(heading, style="bold" if heading == "part" else "", justify="left")
    for report in reply.children:
        pid = str(report.pid) if report.pid else "–"
        table.add_row(MARKS[report.state], report.name, report.address or "", pid, str(report.restarts or ""))
    out.print(table)
    for report in reply.children:
        if report.state is ChildState.RESTARTING:
            tell_crash(report)
    if state is not None:
        _print_addresses(state)


def tell_crash(report: ChildReport) -> None:
    """Show the last lines of a part that ended."""
    err.print(f"[red]{report.name}[/] ended and is started again; its last lines:")
    err.print("  " + escape("\n  ".join(report.last_lines)), soft_wrap=True)


def _print_addresses(state: StackState) -> None:
    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0))
    table.add_row("Temporal UI", f"{state.temporal.ui}/namespaces/{state.temporal.namespace}/workflows")
    table.add_row("Traces", state.traces.url)
    if state.console is not None:
        table.add_row("Approvals", f"{state.console.url}, and in Slack's twin {state.twins['slack'].url}")
    table.add_row("Repositories", "  ".join(f"{name} ← {path}" for name, path in state.repositories.items()))
    phase = _phase(state) or "of no phase that can be read: every step waits or is refused"
    table.add_row("Environment", f"{escape(state.environment)}, {phase}, policy {escape(state.policy)}")
    table.add_row("Logs", state.logs)
    out.print(table, soft_wrap=True)


def _phase(state: StackState) -> Phase | None:
    """How far the environment trusts the agent, as the policy file says now; None where that cannot be read."""
    try:
        environment = load_policy(Path(state.policy)).environments.get(state.environment)
    except PolicyError:
        return None
    return environment.phase if environment else None


def end_leftovers(folder: StackFolder) -> bool:
    """End what a supervisor that was killed left: what its own stack.json names, and its own on the engine."""
    state = folder.read()
    if state is None:
        return False
    told = folder.engine.read_bytes() if folder.engine.exists() else None
    left: list[psutil.Process] = []
    for name, pid in state.children.items():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if _belongs_to(folder, process):
                err.print(f"ending {name} (process {pid}), left by a stack that was killed")
                process.terminate()
                left.append(process)
    for process in psutil.wait_procs(left, timeout=15)[1]:
        process.kill()
    if told is not None:
        _clear_engine(folder, told)
    folder.forget()
    return bool(left)


def _clear_engine(folder: StackFolder, told: bytes) -> None:
    from deploy.local.engine import clear_engine  # noqa: PLC0415 - the engine's client is slow to import, and seldom needed

    folder.engine.write_bytes(told)  # the part that kept the engine may have removed it
    asyncio.run(clear_engine(folder.engine, folder.deployment))


def _belongs_to(folder: StackFolder, process: psutil.Process) -> bool:
    """Whether it works on this folder: a process id may have gone to another program meanwhile."""
    inside = f"{folder.root}{os.sep}"
    return any(inside in word for word in (*process.cmdline(), *process.environ().values()))
